package seal

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Ring holds root keys by id. It is a value that never changes and may be used
// concurrently. The zero value has no keys. It prints as "[redacted]".
type Ring struct {
	keys map[string]rootKey
}

// rootKey is a root key, and when it was added: zero for the first one.
type rootKey struct {
	secret []byte
	since  time.Time
}

const (
	// FirstKey is the id of a key that was there when the ring was created.
	FirstKey = "first"
	// MaxKeys is how many keys a ring may have.
	MaxKeys = 100
	// leastSecret is the least number of bytes in a root key's secret.
	leastSecret = 32
)

// ErrFull is returned by Add for a ring that has MaxKeys keys.
var ErrFull = fmt.Errorf("ring has %d keys", MaxKeys)

// ringJSON is the stored form of a Ring. First may be any string of at least 32
// characters drawn at random, so that a template can generate it: HKDF makes a key of
// it.
type ringJSON struct {
	First string             `json:"first,omitempty"`
	Keys  map[string]keyJSON `json:"keys"`
}

type keyJSON struct {
	Secret []byte    `json:"key"`
	Since  time.Time `json:"since"`
}

// NewRing returns a ring with one key, FirstKey. It reads 32 bytes of random.
func NewRing(random io.Reader) (Ring, error) {
	secret := make([]byte, leastSecret)
	if _, err := io.ReadFull(random, secret); err != nil {
		return Ring{}, fmt.Errorf("draw a root key: %w", err)
	}
	return Ring{keys: map[string]rootKey{FirstKey: {secret: []byte(hex.EncodeToString(secret))}}}, nil
}

// DecodeRing decodes what Encode returned, or a document whose only member "first" is
// a random string. Its error never quotes the input.
func DecodeRing(stored []byte) (Ring, error) {
	var in ringJSON
	if err := json.Unmarshal(stored, &in); err != nil {
		return Ring{}, errors.New("ring of root keys must be a JSON object with the members first and keys")
	}
	r := Ring{keys: make(map[string]rootKey, len(in.Keys)+1)}
	if in.First != "" {
		r.keys[FirstKey] = rootKey{secret: []byte(in.First)}
	}
	for id, key := range in.Keys {
		if id == FirstKey || id == "" || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			return Ring{}, fmt.Errorf("ids of root keys must be of a-z and 0-9, and not %q", FirstKey)
		}
		r.keys[id] = rootKey{secret: key.Secret, since: key.Since}
	}
	if len(r.keys) == 0 {
		return Ring{}, errors.New("ring of root keys has no key")
	}
	for _, key := range r.keys {
		if len(key.secret) < leastSecret {
			return Ring{}, fmt.Errorf("ring of root keys has a key of less than %d bytes", leastSecret)
		}
	}
	return r, nil
}

// Encode returns the stored form of the ring, in clear: a JSON object with the member
// first, and with keys: by id, key in base64, and since in RFC 3339.
func (r Ring) Encode() []byte {
	out := ringJSON{Keys: map[string]keyJSON{}}
	for id, key := range r.keys {
		if id == FirstKey {
			out.First = string(key.secret)
			continue
		}
		out.Keys[id] = keyJSON{Secret: key.secret, Since: key.since}
	}
	stored, err := json.Marshal(out)
	if err != nil { // strings, bytes and times always marshal
		panic(err)
	}
	return stored
}

// Add returns the ring with one more key, which counts as added at now, and its id.
// It reads 40 bytes of random. Errors: ErrFull, and those of random.
func (r Ring) Add(now time.Time, random io.Reader) (Ring, string, error) {
	if len(r.keys) >= MaxKeys {
		return Ring{}, "", ErrFull
	}
	drawn := make([]byte, 8+leastSecret)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return Ring{}, "", fmt.Errorf("draw a root key: %w", err)
	}
	id := hex.EncodeToString(drawn[:8])
	more := Ring{keys: make(map[string]rootKey, len(r.keys)+1)}
	maps.Copy(more.keys, r.keys)
	more.keys[id] = rootKey{secret: drawn[8:], since: now.UTC()}
	return more, id, nil
}

// Has reports whether the ring has a key.
func (r Ring) Has(keyID string) bool { _, ok := r.keys[keyID]; return ok }

// Newest returns the id of the key that was added last among those added by a time. If
// all were added later, it is the oldest one. Empty for a ring without keys.
func (r Ring) Newest(by time.Time) (keyID string) {
	first, last := "", "" // of all keys, and of those added by then
	for _, id := range slices.Sorted(maps.Keys(r.keys)) {
		since := r.keys[id].since
		if first == "" || since.Before(r.keys[first].since) {
			first = id
		}
		if !since.After(by) && (last == "" || since.After(r.keys[last].since)) {
			last = id
		}
	}
	return cmp.Or(last, first)
}

// Format prints "[redacted]" for every verb of fmt.
func (Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalText returns "[redacted]". slog and encoding/json use it too.
func (Ring) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
