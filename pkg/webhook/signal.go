package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Signal is an event as reported by a caller.
type Signal struct {
	Name       string
	PrimaryKey int32
	// Data is one JSON object, with any white space, or empty.
	Data json.RawMessage
	// Hops is the value of the caller's X-Posthaste-Hops header, 0 without one.
	Hops int
	// IdempotencyKey makes repeated signals one event for 24 h. Empty: every signal
	// is a new event.
	IdempotencyKey string
}

// maxHops is the most webhooks that a signal may pass through.
const maxHops = 3

// idempotencyLife is how long an idempotency key is remembered; always less than
// the life of an event.
const idempotencyLife = 24 * time.Hour

// maxIdempotencyKey is the most characters of an idempotency key.
const maxIdempotencyKey = 255

// Publisher accepts events. Its fields must be set before use and must not change
// afterwards. Publish may be called concurrently.
type Publisher struct {
	Events Events
	Now    func() time.Time
	Random io.Reader
	// Life is how long an event is kept, at least 14 days.
	Life time.Duration
}

// Publish checks a signal, stores it as an event and returns the event's id. A
// stored event is a promise of delivery.
//
// Errors: *ValidationError, ErrTooLarge (more than 256 KiB of data), ErrLoop
// (more than 3 hops), ErrIdempotencyKeyReused, ErrUnavailable.
func (p *Publisher) Publish(ctx context.Context, who Principal, s Signal) (EventID, error) {
	if s.Hops+1 > maxHops {
		return "", fmt.Errorf("signal %s passed through %d webhooks: %w", s.Name, s.Hops, ErrLoop)
	}
	data, err := checkSignal(s)
	if err != nil {
		return "", err
	}
	now := p.Now().UTC()
	id, err := NewEventID(now, p.Random)
	if err != nil {
		return "", err
	}
	if s.IdempotencyKey != "" {
		claim := IdempotencyClaim{Event: id, Body: signalHash(s, data), Expires: now.Add(idempotencyLife)}
		existing, err := p.Events.Remember(ctx, who.Tenant, idempotencyKey(who, s.IdempotencyKey), claim, now)
		if err != nil {
			return "", fmt.Errorf("signal %s: %w", s.Name, err)
		}
		if existing.Body != claim.Body {
			return "", fmt.Errorf("signal %s: %w", s.Name, ErrIdempotencyKeyReused)
		}
		// Every call with the key puts the event under the claim's id: if the
		// winner died before its Put, the next call completes it.
		id = existing.Event
	}
	event := Event{
		Tenant: who.Tenant, ID: id, Name: s.Name, PrimaryKey: s.PrimaryKey, Data: data,
		ChangedBy: who.Associate.ID, At: now.Truncate(100 * time.Nanosecond), Hops: s.Hops + 1,
		ExpiresAt: now.Add(p.Life),
	}
	if err := p.Events.Put(ctx, event); err != nil {
		return "", fmt.Errorf("signal %s: %w", s.Name, err)
	}
	return id, nil
}

func checkSignal(s Signal) (json.RawMessage, error) {
	var f Faults
	checkEventName(&f, "EventName", s.Name)
	if len(s.IdempotencyKey) > maxIdempotencyKey {
		f.Add("Idempotency-Key", "must be at most %d characters", maxIdempotencyKey)
	}
	var data bytes.Buffer
	if len(s.Data) > 0 {
		if err := jsonscan.CheckObject(s.Data); err != nil {
			f.Add("Data", "%v", err)
		} else if err := json.Compact(&data, s.Data); err != nil {
			f.Add("Data", "must be valid JSON: %v", err)
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if data.Len() > maxEventDataBytes {
		return nil, fmt.Errorf("event data has %d bytes, more than %d: %w", data.Len(), maxEventDataBytes, ErrTooLarge)
	}
	return data.Bytes(), nil
}

// MayRaise reports whether a caller or a source may raise events of this name: it is
// valid and not reserved.
func MayRaise(name string) bool { return validEventName(name) && !reservedEventName(name) }

// checkEventName adds a fault unless callers may raise events of this name.
func checkEventName(f *Faults, member, name string) {
	switch {
	case !validEventName(name):
		f.Add(member, "%q must be 1 to 200 characters of A-Z a-z 0-9 _ . -", Truncate(name, 200))
	case reservedEventName(name):
		f.Add(member, "%q is reserved", name)
	}
}

func idempotencyKey(who Principal, key string) string {
	return hexHash(who.App, "signal", key)
}

func signalHash(s Signal, data []byte) string {
	return hexHash(s.Name, fmt.Sprint(s.PrimaryKey), string(data))
}

// hexHash hashes a list of strings; different lists have different hashes.
func hexHash(parts ...string) string { return hex.EncodeToString([]byte(hashOf(parts))) }

// hashOf returns the hash of hexHash as 32 bytes.
func hashOf(parts []string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return string(h.Sum(nil))
}
