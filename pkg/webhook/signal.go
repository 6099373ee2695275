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

// Signal is an event as somebody reports it.
type Signal struct {
	Name       string
	PrimaryKey int32
	// Data is one JSON object, in any spacing, or empty.
	Data json.RawMessage
	// Hops is what the caller's X-Posthaste-Hops header said, 0 without one.
	Hops int
	// IdempotencyKey makes a repeated signal the same event for 24 h. Empty: no
	// key, every signal is an event of its own.
	IdempotencyKey string
}

// maxHops is how many webhooks a signal may have come through.
const maxHops = 3

// idempotencyLife is how long an idempotency key stands; always less than the
// life of an event.
const idempotencyLife = 24 * time.Hour

// maxIdempotencyKey is how many characters an idempotency key may have.
const maxIdempotencyKey = 255

// Publisher accepts events. Its fields must be set before use and not changed
// after; Publish may be called concurrently.
type Publisher struct {
	Events Events
	Now    func() time.Time
	Random io.Reader
	// Life is how long an event is kept, at least 14 days.
	Life time.Duration
}

// Publish checks a signal, stores it as an event and returns the event's id.
// Storing the event is promising its delivery.
//
// Errors: *ValidationError, ErrTooLarge (more than 256 KiB of data), ErrLoop
// (more than 3 hops), ErrIdempotencyKeyReused, ErrUnavailable.
func (p *Publisher) Publish(ctx context.Context, who Principal, s Signal) (EventID, error) {
	if s.Hops+1 > maxHops {
		return "", fmt.Errorf("signal %s: came through %d webhooks: %w", s.Name, s.Hops, ErrLoop)
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
		stands, err := p.Events.Remember(ctx, who.Tenant, idempotencyKey(who, s.IdempotencyKey), claim, now)
		if err != nil {
			return "", fmt.Errorf("signal %s: %w", s.Name, err)
		}
		if stands.Body != claim.Body {
			return "", fmt.Errorf("signal %s: %w", s.Name, ErrIdempotencyKeyReused)
		}
		// Whoever holds the key, everyone puts the event under the claim's id:
		// a winner that died between the two is finished by the next call.
		id = stands.Event
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
	switch {
	case !validEventName(s.Name):
		f.AddText("EventName", "%q is no event name: up to 200 characters of A-Z a-z 0-9 _ . -", truncate(s.Name, 200))
	case reservedEventName(s.Name):
		f.AddText("EventName", "the event name %q is reserved", s.Name)
	}
	if len(s.IdempotencyKey) > maxIdempotencyKey {
		f.Add("Idempotency-Key", "has %d characters, more than %d", len(s.IdempotencyKey), maxIdempotencyKey)
	}
	var data bytes.Buffer
	if len(s.Data) > 0 {
		if err := jsonscan.CheckObject(s.Data); err != nil {
			f.AddText("Data", "the event's data %v", err)
		} else if err := json.Compact(&data, s.Data); err != nil {
			f.AddText("Data", "the event's data is not valid JSON: %v", err)
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if data.Len() > maxEventDataBytes {
		return nil, fmt.Errorf("the event's data has %d bytes, more than %d: %w", data.Len(), maxEventDataBytes, ErrTooLarge)
	}
	return data.Bytes(), nil
}

func idempotencyKey(who Principal, key string) string {
	return hexHash(who.App, "signal", key)
}

func signalHash(s Signal, data []byte) string {
	return hexHash(s.Name, fmt.Sprint(s.PrimaryKey), string(data))
}

// hexHash hashes texts so that no two lists of texts hash alike.
func hexHash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
