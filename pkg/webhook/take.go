package webhook

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Once makes repeated events of a source one event.
type Once struct {
	// Key identifies the event at its source; see [OnceKey].
	Key string
	// Life is how long a repeated event is recognized, always less than the life
	// of an event.
	Life time.Duration
}

// OnceKey returns the key of an event that a source identifies by id. If the id is a
// GUID, the key does not depend on the source, so that several webhooks of one CRM
// that report the same event make one event, and logs find it by the id alone.
func OnceKey(source, id string) string {
	if guid := strings.ToLower(id); EventID(guid).Valid() {
		return hexHash("guid", guid)
	}
	return hexHash("source", source, id)
}

// Take stores an event reported by a source. A source cannot be asked to send less:
// if the content exceeds 256 KiB, Take drops members and sets taken.Content.Truncated.
// e needs no ExpiresAt. Without a Once, its ID must be derived from the source (see
// [DeriveEventID]), and repeating the call changes nothing. With a Once, the first
// event with its key is stored, later ones are ignored, and taken has the ID of the
// first.
//
// Errors: *ValidationError for a name that sources must not raise, ErrLoop,
// ErrUnavailable.
func (p *Publisher) Take(ctx context.Context, e Event, once Once) (taken Event, err error) {
	now := p.Now().UTC()
	var f Faults
	checkEventName(&f, "Event", e.Name)
	if err := f.Err(); err != nil {
		return Event{}, err
	}
	if e.Hops > maxHops {
		return Event{}, fmt.Errorf("event %s passed through %d webhooks: %w", e.Name, e.Hops-1, ErrLoop)
	}
	if e.Content != nil {
		content := *e.Content
		content.fit()
		e.Content = &content
	}
	e.At, e.ExpiresAt = e.At.UTC().Truncate(100*time.Nanosecond), now.Add(p.Life)
	if once.Key != "" {
		if e.ID == "" {
			if e.ID, err = NewEventID(now, p.Random); err != nil {
				return Event{}, err
			}
		}
		claim := IdempotencyClaim{Event: e.ID, Expires: now.Add(once.Life)}
		stored, err := p.Events.Remember(ctx, e.Tenant, once.Key, claim, now)
		if err != nil {
			return Event{}, fmt.Errorf("event %s: %w", e.Name, err)
		}
		e.ID = stored.Event // Put again: the call that claimed the key may have died before its Put
	}
	if err := p.Events.Put(ctx, e); err != nil {
		return Event{}, fmt.Errorf("event %s: %w", e.Name, err)
	}
	return e, nil
}
