package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Deliveries is the delivery store of a DB. Each write is one of the row
// protocol's pure functions, applied in a transaction.
type Deliveries struct{ db *DB }

var _ delivery.Store = Deliveries{}

// Deliveries returns the delivery store.
func (db *DB) Deliveries() Deliveries { return Deliveries{db} }

func deliveryKey(k delivery.Key) []byte {
	return append(webhookKey(k.Tenant, k.Webhook), k.Event...)
}

var errDueKey = errors.New("malformed index entry")

// dueKey returns a row's key in the index of due deliveries, or nil if the row
// is not due.
func dueKey(d delivery.Row) []byte {
	if d.SweepAt.IsZero() {
		return nil
	}
	return append(key(byte(delivery.DueShard(d.Key)), d.SweepAt), deliveryKey(d.Key)...)
}

func loadDelivery(tx *bbolt.Tx, k []byte, now time.Time) (d delivery.Row, err error) {
	if _, err = load(bucket(tx, "deliveries"), k, &d); err != nil {
		return delivery.Row{}, err
	}
	if expired(d.ExpiresAt, now) {
		return delivery.Row{}, nil
	}
	return d, nil
}

// transition applies a change of the row protocol.
func (s Deliveries) transition(ctx context.Context, id delivery.Key, apply func(delivery.Row) (delivery.Row, bool)) (delivery.Row, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (delivery.Row, error) {
		k := deliveryKey(id)
		before, err := loadDelivery(tx, k, s.db.Now())
		if err != nil {
			return delivery.Row{}, err
		}
		after, ok := apply(before)
		if !ok {
			return before, fmt.Errorf("delivery of %s to webhook %d: %w", id.Event, id.Webhook, delivery.ErrRefused)
		}
		row := rounded(after)
		return row, writeDelivery(tx, k, row)
	})
}

// writeDelivery replaces a row and its index entry. The old entry follows from
// the stored row, since an expired row still has one.
func writeDelivery(tx *bbolt.Tx, k []byte, row delivery.Row) error {
	var stored storedDelivery
	if _, err := load(bucket(tx, "deliveries"), k, &stored); err != nil {
		return err
	}
	if stored.Noted.IsZero() {
		stored.Noted = row.ExpiresAt
		if err := noteExpiry(tx, "deliveries", k, stored.Noted); err != nil {
			return err
		}
	}
	due := bucket(tx, "due")
	if was := dueKey(stored.Row); was != nil {
		if err := due.Delete(was); err != nil {
			return fmt.Errorf("delete from index: %w", err)
		}
	}
	if is := dueKey(row); is != nil {
		if err := due.Put(is, nil); err != nil {
			return fmt.Errorf("write index: %w", err)
		}
	}
	return save(bucket(tx, "deliveries"), k, storedDelivery{row, stored.Noted})
}

// rounded truncates a row's times to milliseconds in UTC, the contract's
// precision, so that a row reads as it was returned.
func rounded(d delivery.Row) delivery.Row {
	for _, at := range []*time.Time{&d.LeaseUntil, &d.NextAt, &d.SweepAt, &d.Created, &d.Updated, &d.ExpiresAt} {
		*at = milliseconds(*at)
	}
	attempts := make([]delivery.Attempt, len(d.Attempts))
	for i, a := range d.Attempts {
		a.At, a.Duration = milliseconds(a.At), a.Duration.Truncate(time.Millisecond)
		attempts[i] = a
	}
	if d.Attempts != nil {
		d.Attempts = attempts
	}
	return d
}

func milliseconds(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// Lease implements delivery.Store.
func (s Deliveries) Lease(ctx context.Context, l delivery.Lease) (delivery.Row, error) {
	return s.transition(ctx, l.Key, l.Apply)
}

// Finish implements delivery.Store.
func (s Deliveries) Finish(ctx context.Context, f delivery.Finish) (delivery.Row, error) {
	return s.transition(ctx, f.Key, f.Apply)
}

// RecordFirst implements delivery.Store.
func (s Deliveries) RecordFirst(ctx context.Context, r delivery.RecordFirst) (delivery.Row, error) {
	return s.transition(ctx, r.Key, r.Apply)
}

// MarkDelivered implements delivery.Store.
func (s Deliveries) MarkDelivered(ctx context.Context, m delivery.MarkDelivered) (delivery.Row, error) {
	return s.transition(ctx, m.Key, m.Apply)
}

// StartRound implements delivery.Store.
func (s Deliveries) StartRound(ctx context.Context, r delivery.StartRound) (delivery.Row, error) {
	return s.transition(ctx, r.Key, r.Apply)
}

// End implements delivery.Store.
func (s Deliveries) End(ctx context.Context, e delivery.End) (delivery.Row, error) {
	return s.transition(ctx, e.Key, e.Apply)
}

// MakeDue implements delivery.Store.
func (s Deliveries) MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error) {
	return s.transition(ctx, m.Key, m.Apply)
}

// Claim implements delivery.Store.
func (s Deliveries) Claim(ctx context.Context, c delivery.Claim) (delivery.Row, error) {
	return s.transition(ctx, c.Key, c.Apply)
}

// Park implements delivery.Store.
func (s Deliveries) Park(ctx context.Context, p delivery.Park) (delivery.Row, error) {
	return s.transition(ctx, p.Key, p.Apply)
}

// Defer implements delivery.Store.
func (s Deliveries) Defer(ctx context.Context, d delivery.Defer) (delivery.Row, error) {
	return s.transition(ctx, d.Key, d.Apply)
}

// Get implements delivery.Store.
func (s Deliveries) Get(ctx context.Context, id delivery.Key) (row delivery.Row, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		row, err = loadDelivery(tx, deliveryKey(id), s.db.Now())
		if err == nil && !row.Exists() {
			err = fmt.Errorf("delivery of %s to webhook %d: %w", id.Event, id.Webhook, webhook.ErrNotFound)
		}
		return err
	})
	return row, err
}

// List implements delivery.Store.
func (s Deliveries) List(ctx context.Context, tenant webhook.Tenant, id int32, before webhook.EventID, limit int) (page []delivery.Row, err error) {
	prefix, now := webhookKey(tenant, id), s.db.Now()
	start := append(bytes.Clone(prefix), before...)
	if before == "" {
		start = append(bytes.Clone(prefix), 0xff)
	}
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "deliveries").Cursor()
		k, _ := c.Seek(start)
		if k == nil {
			k, _ = c.Last()
		} else {
			k, _ = c.Prev()
		}
		for ; bytes.HasPrefix(k, prefix) && len(page) < limit; k, _ = c.Prev() {
			row, err := loadDelivery(tx, k, now)
			if err != nil {
				broken.Add(shown("deliveries", k), err)
			}
			if row.Exists() {
				page = append(page, row)
			}
		}
		return broken.Err()
	})
	return page, err
}

// Due implements delivery.Store. It never lags.
func (s Deliveries) Due(ctx context.Context, shard int, before time.Time, after delivery.DueRow, limit int) (due []delivery.DueRow, err error) {
	now := s.db.Now()
	prefix := key(byte(shard))
	start := prefix
	if after != (delivery.DueRow{}) {
		start = append(dueKey(delivery.Row{Key: after.Key, SweepAt: after.SweepAt}), 0) // the smallest key after that
	}
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "due").Cursor()
		for k, _ := c.Seek(start); bytes.HasPrefix(k, prefix) && len(due) < limit; k, _ = c.Next() {
			if len(k) < 9 {
				broken.Add(shown("due", k), errDueKey)
				continue
			}
			if int64(binary.BigEndian.Uint64(k[1:])) > before.UnixMilli() {
				break
			}
			row, err := loadDelivery(tx, k[9:], now)
			if err != nil {
				broken.Add(shown("deliveries", k[9:]), err)
			}
			if row.Exists() {
				due = append(due, delivery.DueRow{Key: row.Key, SweepAt: row.SweepAt, NextAt: row.NextAt, Resends: row.Resends})
			}
		}
		return broken.Err()
	})
	return due, err
}
