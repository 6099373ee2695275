package dispatch

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// maxTimerBytes bounds the memory of what a process knows of timers.
	maxTimerBytes = 1 << 20
	// knownTimerBytes estimates the memory of one.
	knownTimerBytes = 160
)

// timers makes sure that a webhook has a timer before a delivery of it is parked: a
// parked row without one would wait for the net. It caches for delivery.TimerKnown
// that a webhook has one, so that parking a batch costs one read per webhook.
type timers struct {
	store  Deliveries
	now    func() time.Time
	random io.Reader

	mu    sync.Mutex                           // held while a timer is looked up
	known *bytecache.Cache[int32, *knownTimer] // by tenant and id
}

// knownTimer is what this process knows of a webhook's timer.
type knownTimer struct {
	turn chan struct{} // held while the timer is read, and while at is used
	at   time.Time     // just before the timer was read; zero: never
}

func newTimers(c Config) *timers {
	return &timers{store: c.Deliveries, now: c.Now, random: c.Random, known: bytecache.New[int32, *knownTimer](maxTimerBytes)}
}

// ensure returns nil if the webhook has a timer that is not about to be removed.
// Callers of the same webhook wait for the first one.
func (t *timers) ensure(ctx context.Context, key webhook.Key) error {
	have := t.of(key)
	if !take(ctx, have.turn) {
		return ctx.Err()
	}
	defer func() { <-have.turn }()
	if !have.at.IsZero() && webhook.Elapsed(have.at, t.now()) < delivery.TimerKnown {
		return nil
	}
	overtaken := func(err error) bool { return errors.Is(err, delivery.ErrRefused) }
	return ensuring.Retry(ctx, t.random, overtaken, func() error {
		now := t.now()
		err := delivery.EnsureTimer(ctx, t.store, key, now)
		if err == nil {
			have.at = now
		}
		return err
	})
}

// of returns what is known of a webhook's timer.
func (t *timers) of(key webhook.Key) *knownTimer {
	t.mu.Lock()
	defer t.mu.Unlock()
	have, ok := t.known.Get(string(key.Tenant), key.ID)
	if !ok {
		have = &knownTimer{turn: make(chan struct{}, 1)}
		t.known.Put(string(key.Tenant), key.ID, have, knownTimerBytes)
	}
	return have
}

// park parks an attempt, since its webhook's breaker is open.
func (e *Engine) park(ctx context.Context, m delivery.Message, event webhook.Event) (delivery.Row, error) {
	key := webhook.Key{Tenant: m.Tenant, ID: m.Webhook}
	if err := e.timers.ensure(ctx, key); err != nil {
		return delivery.Row{}, err
	}
	now := e.Now()
	row, err := e.Deliveries.Park(ctx, delivery.Park{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Now: now, Net: delivery.Net(now, netShare(m.Event)), Seed: e.seed(event, m, now),
	})
	if err == nil {
		// If the process froze before the write, the timer may have been removed
		// since. Usually this costs nothing.
		err = e.timers.ensure(ctx, key)
	}
	return row, err
}

// netShare returns where an event's row is in the time over which nets are spread, from
// 0 to 1. It is not random, since deliveries that wait for the same timer go on at once:
// a simulated run must be repeatable.
func netShare(id webhook.EventID) float64 {
	const shares = 4096
	return float64(id.Partition(shares)) / shares
}
