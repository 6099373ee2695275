package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// timerWorkers is how many calls of the stage are under way at a time.
	timerWorkers = 32
	timerPage    = 25 // few, so that the workers share the timers of a shard
	// visitTime is how long a visit may go on after the stage's time is over. It is
	// shorter than the claim, during which no other sweep visits the timer.
	visitTime = 5 * time.Second
)

// timers is the stage of one Run that visits due timers. Which timers are due is fixed
// when the Run begins, and none is visited twice.
type timers struct {
	*Sweeper
	*minute
	skips   skips
	horizon time.Time

	mu  sync.Mutex
	met map[webhook.Key]bool
}

// visitTimers runs the stage.
func (s *Sweeper) visitTimers(ctx context.Context, m *minute) error {
	v := &timers{Sweeper: s, minute: m, skips: skips{sweeper: s, what: "timers"}, horizon: s.Now(), met: map[webhook.Key]bool{}}
	pages := newWalk(timerPage, func(t delivery.DueTimer) time.Time { return t.DueAt }, v.read)
	errs := make([]error, timerWorkers)
	var wg sync.WaitGroup
	for n := range timerWorkers {
		wg.Go(func() {
			errs[n] = guarded(func() error {
				for page := pages.next(ctx); len(page) > 0; page = pages.next(ctx) {
					v.visitAll(ctx, page)
				}
				return nil
			})
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err(), pages.err(), v.skips.err())...)
}

func (v *timers) read(ctx context.Context, shard int, last delivery.DueTimer) ([]delivery.DueTimer, error) {
	page, err := v.Deliveries.DueTimers(ctx, shard, v.horizon, last, timerPage)
	return page, v.skips.readable(ctx, err)
}

func (v *timers) visitAll(ctx context.Context, page []delivery.DueTimer) {
	for _, t := range page {
		if ctx.Err() != nil {
			return
		}
		if !v.first(t.Key) {
			continue
		}
		v.timers.Add(1)
		visiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), visitTime)
		if err := v.visit(visiting, t.Key); err != nil {
			v.skips.skip(ctx, fmt.Sprintf("%s/%d", t.Key.Tenant, t.Key.ID), err)
		}
		cancel()
	}
}

// first reports whether a timer was not visited yet in this Run, and notes that it is
// now. A timer that is pulled after its visit is due again.
func (v *timers) first(key webhook.Key) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	met := v.met[key]
	v.met[key] = true
	return !met
}

// visit claims a timer, and only then reads what it decides by: whatever changes that
// later pulls the timer. A visit that dies, or fails, is repeated when its claim ends.
func (v *timers) visit(ctx context.Context, key webhook.Key) error {
	t, err := v.Deliveries.Timer(ctx, key)
	if errors.Is(err, webhook.ErrNotFound) {
		return nil
	}
	if err != nil || t.DueAt.After(v.horizon) {
		return err // the index lags, or another sweep has claimed it
	}
	t, err = v.Deliveries.SetTimer(ctx, t.Claimed(v.Now()))
	if err == nil {
		v.visited.Add(1)
		err = v.decide(ctx, t)
	}
	if errors.Is(err, delivery.ErrRefused) {
		return nil // another sweep won, or the timer was pulled and is due again
	}
	return err
}

// decide does what a claimed timer is for. It returns ErrRefused if the timer has
// changed since it was claimed.
func (v *timers) decide(ctx context.Context, t delivery.Timer) error {
	w, err := v.Webhooks.Get(ctx, t.Key.Tenant, t.Key.ID)
	if errors.Is(err, webhook.ErrNotFound) {
		return v.Deliveries.RemoveTimer(ctx, t) // its rows expire
	}
	if err != nil {
		return err
	}
	slow := false
	if w.State == webhook.StateActive {
		h, err := v.Webhooks.CurrentHealth(ctx, t.Key)
		if err != nil {
			return err
		}
		if slow = h.Slow; h.Under(w.Activation).Breaker.Open() {
			return v.wait(ctx, t, h.Under(w.Activation).Breaker, slow)
		}
	}
	return v.drain(ctx, t, slow)
}

// inLane puts messages into the slow lane if the webhook's target is slow.
func inLane(out []delivery.Outgoing, slow bool) []delivery.Outgoing {
	for i := range out {
		out[i].Message.Slow = slow
	}
	return out
}

// wait sends the probe of an open breaker if it is due and rows are parked.
func (v *timers) wait(ctx context.Context, t delivery.Timer, b webhook.Breaker, slow bool) error {
	now := v.Now()
	if !delivery.ProbeSoon(b, now) {
		return v.set(ctx, t.Waits(b, now))
	}
	waiting, err := v.count(ctx, t.Key)
	if err != nil {
		return err
	}
	if waiting == 0 {
		return v.set(ctx, t.EmptyOpen(now))
	}
	next, probe := t.Probes(b, now)
	if err := v.send(ctx, inLane(probe, slow)); err != nil {
		return err
	}
	return v.set(ctx, next)
}

// drain sends drains, which attempt the parked rows, or end them if the webhook is not
// Active. If no rows are parked at two looks, it removes the timer.
func (v *timers) drain(ctx context.Context, t delivery.Timer, slow bool) error {
	now := v.Now()
	waiting, err := v.count(ctx, t.Key)
	switch {
	case err != nil:
		return err
	case waiting == 0 && t.Removable(now):
		return v.Deliveries.RemoveTimer(ctx, t)
	case waiting == 0:
		return v.set(ctx, t.Empty(now))
	}
	next, drains := t.Drains(waiting, now)
	if err := v.send(ctx, inLane(drains, slow)); err != nil {
		return err
	}
	return v.set(ctx, next)
}

func (v *timers) count(ctx context.Context, key webhook.Key) (int, error) {
	n, err := v.Deliveries.Waiting(ctx, key, delivery.WaitingCounted)
	v.waiting.Add(int64(n))
	return n, err
}

func (v *timers) set(ctx context.Context, t delivery.Timer) error {
	_, err := v.Deliveries.SetTimer(ctx, t)
	return err
}
