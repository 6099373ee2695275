package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Timer is when the sweep next looks at a webhook's parked rows. A webhook has one from
// before its first row is parked until none is left. When it is due, the sweep sends the
// drains that take parked rows, or the one that probes an open breaker; so parked rows
// cost one item per webhook, not one per row.
type Timer struct {
	Key   webhook.Key
	DueAt time.Time
	// Version counts the writes. Stores make writes conditional on it.
	Version int64
	// EmptySince is when a look found the breaker closed and nothing parked; zero: not.
	// A second look, five minutes later, removes the timer.
	EmptySince time.Time
	// Width is how many rows the next drain has in flight.
	Width int
}

const (
	// timerInterval is the longest time between two visits of a timer, so that a
	// pull that is lost costs no more than that.
	timerInterval = 15 * time.Minute
	// timerLooks is the time between the two looks that remove a timer. A row that is
	// parked by a consumer that knew the timer is in the index by the second one.
	timerLooks = 5 * time.Minute
	// TimerKnown is how long a consumer that made sure of a timer may park rows without
	// making sure again.
	TimerKnown = time.Minute
	// timerClaim is how long no other visit claims a timer that one has claimed.
	timerClaim = time.Minute
	// timerAgain is the time between visits while rows are drained: a little less than
	// the minute between two sweeps, which may begin a few seconds early.
	timerAgain = 55 * time.Second
)

// Ensured returns the timer that a consumer about to park rows needs, and whether it
// must be written. The zero Timer means that there is none.
func (t Timer) Ensured(key webhook.Key, now time.Time) (Timer, bool) {
	switch {
	case t.Version == 0:
		return Timer{Key: key, DueAt: now}, true
	case !t.EmptySince.IsZero():
		// The sweep may be about to remove it. The write makes its version a new one,
		// which the removal does not accept.
		t.EmptySince, t.DueAt = time.Time{}, now
		return t, true
	}
	return t, false
}

// Claimed returns the timer as a visit that begins at now writes it first: no other
// sweep visits it for a minute. Then it is due again, in case the visit has died.
func (t Timer) Claimed(now time.Time) Timer {
	t.DueAt = now.Add(timerClaim)
	return t
}

// Timers keeps the timers of webhooks. They never expire.
type Timers interface {
	// Timer reads a timer; webhook.ErrNotFound if the webhook has none.
	Timer(ctx context.Context, key webhook.Key) (Timer, error)

	// SetTimer creates the timer if t.Version is 0, and otherwise replaces the one of
	// that version. It returns the timer with its new version. If there is another
	// version, or none, it changes nothing and returns ErrRefused.
	SetTimer(ctx context.Context, t Timer) (Timer, error)

	// PullTimer makes a webhook's timer due at now, unless it is due earlier, whatever
	// its version. Without a timer it does nothing.
	PullTimer(ctx context.Context, key webhook.Key, now time.Time) error

	// RemoveTimer removes the timer if it still has this version, and otherwise returns
	// ErrRefused. A timer that is gone is not an error.
	RemoveTimer(ctx context.Context, t Timer) error

	// DueTimers returns up to limit timers of a shard (0 to DueShards-1) that are due at
	// or before a time, earliest first. after is the last one of the previous page, as
	// returned; the zero DueTimer returns the first page. A short list means that there
	// are no more. It reads an index that may lag behind writes.
	DueTimers(ctx context.Context, shard int, before time.Time, after DueTimer, limit int) ([]DueTimer, error)
}

// DueTimer is a timer as the index of due deliveries shows it.
type DueTimer struct {
	Key   webhook.Key
	DueAt time.Time
}

// EnsureTimer makes sure, for a consumer about to park rows, that a webhook has a timer
// that is not about to be removed. It returns ErrRefused if the timer changes meanwhile:
// then the caller tries again.
func EnsureTimer(ctx context.Context, timers interface {
	Timer(ctx context.Context, key webhook.Key) (Timer, error)
	SetTimer(ctx context.Context, t Timer) (Timer, error)
}, key webhook.Key, now time.Time,
) error {
	t, err := timers.Timer(ctx, key)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return fmt.Errorf("timer of webhook %d: %w", key.ID, err)
	}
	if t, write := t.Ensured(key, now); write {
		if _, err := timers.SetTimer(ctx, t); err != nil {
			return fmt.Errorf("timer of webhook %d: %w", key.ID, err)
		}
	}
	return nil
}

// TimerShard returns the partition of a webhook's timer in the index, from 0 to
// DueShards-1. Timers have partitions of their own: behind a hundred thousand due
// rows they would be found too late.
func TimerShard(k webhook.Key) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.Tenant))
	_, _ = h.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(k.ID)))
	return int(h.Sum32() % DueShards)
}
