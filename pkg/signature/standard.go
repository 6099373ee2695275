package signature

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Why a Standard Webhooks signature is not accepted.
var (
	ErrKey       = errors.New("secret is not standard base64 after its prefix")
	ErrTimestamp = errors.New("timestamp is not in seconds, or too far from now")
	ErrMismatch  = errors.New("no signature matches")
)

const (
	keyPrefix = "whsec_"
	v1        = "v1,"
)

// Key is the key that a secret stands for in Standard Webhooks: the decoded
// base64 after "whsec_", or the UTF-8 bytes of any other text. ErrKey if the
// base64 is bad or empty.
func Key(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, keyPrefix)
	if !ok {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil, ErrKey // the cause would quote the secret's bytes
	}
	return key, nil
}

// Standard signs a message as one value of webhook-signature: a v1 entry for
// each secret that is not empty, in the order given (new first), with one space
// between. at is the time of the attempt and counts in whole seconds. ErrKey if
// a secret cannot be a key.
func Standard(id string, at time.Time, body []byte, secrets ...string) (string, error) {
	var list strings.Builder
	seconds := strconv.FormatInt(at.Unix(), 10)
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		key, err := Key(secret)
		if err != nil {
			return "", fmt.Errorf("sign message %s: %w", id, err)
		}
		if list.Len() > 0 {
			list.WriteByte(' ')
		}
		list.WriteString(v1)
		list.WriteString(base64.StdEncoding.EncodeToString(sumStandard(key, id, seconds, body)))
	}
	return list.String(), nil
}

// VerifyStandard checks the three headers of a message against one secret:
// ErrTimestamp if the timestamp is further than tolerance from now, either way,
// ErrMismatch if no v1 entry of the list is the secret's, ErrKey if the secret
// cannot be a key. Entries of other versions are skipped. Comparison takes
// constant time.
func VerifyStandard(secret, id, timestamp, list string, body []byte, now time.Time, tolerance time.Duration) error {
	if secret == "" {
		return ErrMismatch
	}
	key, err := Key(secret)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return ErrTimestamp
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return ErrTimestamp
	}
	want := []byte(base64.StdEncoding.EncodeToString(sumStandard(key, id, timestamp, body)))
	for entry := range strings.FieldsSeq(list) {
		if got, ok := strings.CutPrefix(entry, v1); ok && hmac.Equal([]byte(got), want) {
			return nil
		}
	}
	return ErrMismatch
}

func sumStandard(key []byte, id, seconds string, body []byte) []byte {
	return sum(key, []byte(id), []byte{'.'}, []byte(seconds), []byte{'.'}, body)
}
