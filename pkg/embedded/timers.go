package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var errTimerKey = errors.New("malformed index entry")

// dueTimerKey returns a timer's key in the index of due timers.
func dueTimerKey(key webhook.Key, at time.Time) []byte {
	return append(timerPlace(delivery.TimerShard(key), at), webhookKey(key.Tenant, key.ID)...)
}

func timerPlace(shard int, at time.Time) []byte { return key(byte(shard), at) }

func loadTimer(tx *bbolt.Tx, key webhook.Key) (t delivery.Timer, found bool, err error) {
	found, err = load(bucket(tx, "timers"), webhookKey(key.Tenant, key.ID), &t)
	return t, found, err
}

// writeTimer replaces a timer and its index entry.
func writeTimer(tx *bbolt.Tx, was, is delivery.Timer) error {
	due := bucket(tx, "duetimers")
	if was.Version > 0 {
		if err := due.Delete(dueTimerKey(was.Key, was.DueAt)); err != nil {
			return fmt.Errorf("delete from index: %w", err)
		}
	}
	if err := due.Put(dueTimerKey(is.Key, is.DueAt), nil); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return save(bucket(tx, "timers"), webhookKey(is.Key.Tenant, is.Key.ID), is)
}

// removeTimer removes a timer and its index entry.
func removeTimer(tx *bbolt.Tx, t delivery.Timer) error {
	if err := bucket(tx, "duetimers").Delete(dueTimerKey(t.Key, t.DueAt)); err != nil {
		return fmt.Errorf("delete from index: %w", err)
	}
	if err := bucket(tx, "timers").Delete(webhookKey(t.Key.Tenant, t.Key.ID)); err != nil {
		return fmt.Errorf("delete timer: %w", err)
	}
	return nil
}

// removeUnreadableTimer removes a timer that cannot be decoded. It searches the timer's
// shard of the index for its entry.
func removeUnreadableTimer(tx *bbolt.Tx, id webhook.Key) error {
	own := webhookKey(id.Tenant, id.ID)
	for _, place := range begins(bucket(tx, "duetimers"), key(byte(delivery.TimerShard(id))), math.MaxInt) {
		if len(place) < 9 || !bytes.Equal(place[9:], own) {
			continue
		}
		if err := bucket(tx, "duetimers").Delete(place); err != nil {
			return fmt.Errorf("delete from index: %w", err)
		}
	}
	if err := bucket(tx, "timers").Delete(own); err != nil {
		return fmt.Errorf("delete timer: %w", err)
	}
	return nil
}

// Timer implements delivery.Timers.
func (s Deliveries) Timer(ctx context.Context, key webhook.Key) (t delivery.Timer, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		var found bool
		if t, found, err = loadTimer(tx, key); err == nil && !found {
			err = fmt.Errorf("timer of webhook %d: %w", key.ID, webhook.ErrNotFound)
		}
		return err
	})
	return t, err
}

// SetTimer implements delivery.Timers.
func (s Deliveries) SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (delivery.Timer, error) {
		was, _, err := loadTimer(tx, t.Key)
		if err != nil {
			return delivery.Timer{}, err
		}
		if was.Version != t.Version {
			return delivery.Timer{}, fmt.Errorf("timer of webhook %d: %w", t.Key.ID, delivery.ErrRefused)
		}
		is := t
		is.Version, is.DueAt, is.EmptySince = t.Version+1, milliseconds(t.DueAt), milliseconds(t.EmptySince)
		return is, writeTimer(tx, was, is)
	})
}

// PullTimer implements delivery.Timers.
func (s Deliveries) PullTimer(ctx context.Context, key webhook.Key, now time.Time) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		was, found, err := loadTimer(tx, key)
		if err != nil || !found || !was.DueAt.After(now) {
			return err
		}
		is := was
		is.Version, is.DueAt = was.Version+1, milliseconds(now)
		return writeTimer(tx, was, is)
	})
}

// RemoveTimer implements delivery.Timers.
func (s Deliveries) RemoveTimer(ctx context.Context, t delivery.Timer) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		was, found, err := loadTimer(tx, t.Key)
		if err != nil || !found {
			return err
		}
		if was.Version != t.Version {
			return fmt.Errorf("timer of webhook %d: %w", t.Key.ID, delivery.ErrRefused)
		}
		return removeTimer(tx, was)
	})
}

// DueTimers implements delivery.Timers. It never lags.
func (s Deliveries) DueTimers(ctx context.Context, shard int, before time.Time, after delivery.DueTimer, limit int) (due []delivery.DueTimer, err error) {
	prefix := key(byte(shard))
	start := prefix
	if after != (delivery.DueTimer{}) {
		start = append(dueTimerKey(after.Key, after.DueAt), 0) // the smallest key after that
	}
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "duetimers").Cursor()
		for k, _ := c.Seek(start); bytes.HasPrefix(k, prefix) && len(due) < limit; k, _ = c.Next() {
			if len(k) < 9 {
				broken.Add(shown("duetimers", k), errTimerKey)
				continue
			}
			at := time.UnixMilli(int64(binary.BigEndian.Uint64(k[1:]))).UTC()
			if at.After(before) {
				break
			}
			tenant, id, found := bytes.Cut(k[9:], []byte{0})
			if !found || len(id) != 4 {
				broken.Add(shown("duetimers", k), errTimerKey)
				continue
			}
			due = append(due, delivery.DueTimer{Key: webhook.Key{Tenant: webhook.Tenant(tenant), ID: int32(binary.BigEndian.Uint32(id))}, DueAt: at})
		}
		return broken.Err()
	})
	return due, err
}
