package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Events is the event store of a DB.
type Events struct{ db *DB }

var _ webhook.Events = Events{}

// Events returns the event store.
func (db *DB) Events() Events { return Events{db} }

// storedEvent prevents absent data from being stored as null.
type storedEvent struct {
	Schema int // webhook.EventSchema
	webhook.Event
	Data    json.RawMessage  `json:",omitempty"`
	Content *webhook.Content `json:",omitempty"`
}

func decodeEvent(stored []byte) (webhook.Event, error) {
	var s storedEvent
	err := json.Unmarshal(stored, &s) // it continues after a wrong type
	if newer := webhook.CheckSchema(s.Schema); newer != nil {
		return webhook.Event{Tenant: s.Tenant, ID: s.ID}, fmt.Errorf("read stored event %s: %w", s.ID, newer)
	}
	if err != nil {
		return webhook.Event{}, fmt.Errorf("read stored event: %w", err)
	}
	e := s.Event
	e.Data, e.Content = s.Data, s.Content
	return e, nil
}

func expired(expiresAt, now time.Time) bool { return !expiresAt.IsZero() && !now.Before(expiresAt) }

func eventKey(tenant webhook.Tenant, id webhook.EventID) []byte {
	return key(string(tenant), string(id))
}

// putEvent stores an event and its feed entry in the transaction that promises
// its delivery.
func putEvent(tx *bbolt.Tx, e webhook.Event, now time.Time) error {
	events, k := bucket(tx, "events"), eventKey(e.Tenant, e.ID)
	if stored := events.Get(k); stored != nil {
		have, err := decodeEvent(stored)
		if errors.Is(err, webhook.ErrNewer) {
			return nil // it exists
		}
		if err != nil {
			return err
		}
		if !expired(have.ExpiresAt, now) {
			return nil
		}
	}
	text, err := encodeEvent(e)
	if err != nil {
		return err
	}
	if err := events.Put(k, text); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := noteExpiry(tx, "events", k, e.ExpiresAt); err != nil {
		return err
	}
	return feedEvent(tx, e, now)
}

func encodeEvent(e webhook.Event) ([]byte, error) {
	text, err := encode(storedEvent{webhook.EventSchema, e, e.Data, e.Content})
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return text, nil
}

// Put implements webhook.Events.
func (s Events) Put(ctx context.Context, e webhook.Event) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error { return putEvent(tx, e, s.db.Now()) })
}

// Get implements webhook.Events.
func (s Events) Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (e webhook.Event, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		stored := bucket(tx, "events").Get(eventKey(tenant, id))
		if stored == nil {
			return fmt.Errorf("event %s: %w", id, webhook.ErrNotFound)
		}
		if e, err = decodeEvent(stored); err != nil {
			return err
		}
		if expired(e.ExpiresAt, s.db.Now()) {
			return fmt.Errorf("event %s has expired: %w", id, webhook.ErrNotFound)
		}
		return nil
	})
	if err != nil {
		return webhook.Event{}, err
	}
	return e, nil
}

// List implements webhook.Events.
func (s Events) List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) (page []webhook.Event, err error) {
	end, prefix, now := eventKey(tenant, last), key(string(tenant), ""), s.db.Now()
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "events").Cursor()
		k, stored := c.Seek(eventKey(tenant, first))
		for ; bytes.HasPrefix(k, prefix) && bytes.Compare(k, end) <= 0 && len(page) < limit; k, stored = c.Next() {
			e, err := decodeEvent(stored)
			if err != nil {
				broken.Add(shown("events", k), err)
				continue
			}
			if !expired(e.ExpiresAt, now) {
				page = append(page, e)
			}
		}
		return broken.Err()
	})
	return page, err
}

// Remember implements webhook.Events.
func (s Events) Remember(ctx context.Context, tenant webhook.Tenant, name string, claim webhook.IdempotencyClaim, now time.Time) (webhook.IdempotencyClaim, error) {
	return s.claim(ctx, tenant, name, claim, func(have webhook.IdempotencyClaim) bool { return expired(have.Expires, now) })
}

// Reclaim implements webhook.Events.
func (s Events) Reclaim(ctx context.Context, tenant webhook.Tenant, name string, replaced int32, claim webhook.IdempotencyClaim, now time.Time) (webhook.IdempotencyClaim, error) {
	return s.claim(ctx, tenant, name, claim, func(have webhook.IdempotencyClaim) bool {
		return have.Webhook == replaced || expired(have.Expires, now)
	})
}

// claim stores a claim if the key has none or the existing one counts as free.
func (s Events) claim(ctx context.Context, tenant webhook.Tenant, name string, claim webhook.IdempotencyClaim, free func(have webhook.IdempotencyClaim) bool) (webhook.IdempotencyClaim, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (webhook.IdempotencyClaim, error) {
		b, k := bucket(tx, "claims"), key(string(tenant), name)
		var have webhook.IdempotencyClaim
		found, err := load(b, k, &have)
		if err != nil {
			return webhook.IdempotencyClaim{}, err
		}
		if found && !free(have) {
			return have, nil
		}
		if err := noteExpiry(tx, "claims", k, claim.Expires); err != nil {
			return webhook.IdempotencyClaim{}, err
		}
		return claim, save(b, k, claim)
	})
}
