package dispatch_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Ten events that the target refuses whenever they come do not keep the breaker open:
// whatever else is parked is the better probe.
func TestDrain_PoisonedEventsDoNotKeepTheBreakerOpen(t *testing.T) {
	t.Parallel()
	for seed := range 8 {
		inReservoir(t, 40, func(r *reservoir) {
			poisoned := map[webhook.EventID]bool{}
			for i := range 10 { // the oldest: they have opened the breaker
				poisoned[eventID(i)], r.counts[eventID(i)] = true, 1+(i+seed)%3
			}
			accept := accepting()
			r.answers(func(p webhook.Post) webhook.Result {
				if poisoned[p.Event.ID] {
					return refusing(p)
				}
				return accept(p)
			})
			r.breaks(time.Second)
			r.sweep()
			r.sleep(62 * time.Second)
			if n := r.waiting(delivery.StatusDelivered); n != 30 {
				t.Errorf("%d of 30 good events were delivered within a minute of the probe, with %d POSTs", n, r.sent())
			}
		})
	}
}

// A probe takes a row that was attempted least, and of those the oldest.
func TestDrain_TheProbe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(r *reservoir)
		message delivery.Message
		probed  int // the event; -1: none
		open    bool
		step    time.Duration
		held    time.Duration // how long the message was postponed
	}{
		{name: "the fewest attempts", prepare: func(r *reservoir) { r.counts[eventID(0)], r.counts[eventID(1)] = 2, 1 }, probed: 2},
		{name: "the oldest", probed: 0},
		{name: "a failure", prepare: func(r *reservoir) { r.answers(refusing) }, probed: 0, open: true, step: time.Hour},
		{name: "too early", prepare: func(r *reservoir) { r.breaks(20 * time.Second) }, probed: -1, open: true, step: time.Hour, held: 20 * time.Second},
		{name: "much too early", prepare: func(r *reservoir) { r.breaks(20 * time.Minute) }, probed: -1, open: true, step: time.Hour},
		{name: "another one is under way", prepare: func(r *reservoir) {
			r.health.Breaker = r.health.Breaker.Probe("another", time.Now(), time.Hour, 0.5)
		}, probed: -1, open: true, step: time.Hour},
		{name: "the breaker has closed", prepare: func(r *reservoir) { r.health.Breaker = webhook.Breaker{} }, probed: -1},
		{name: "the webhook is stopped", prepare: func(r *reservoir) { r.hook.State = webhook.StateStopped }, probed: -1, open: true, step: time.Hour},
		{name: "rows that are leased meanwhile", prepare: func(r *reservoir) {
			r.stale(0, 1)
		}, probed: 2},
		{name: "all of them are leased meanwhile", prepare: func(r *reservoir) { r.stale(0, 1, 2) }, probed: -1, open: true, step: time.Hour},
		{name: "an event that is gone", prepare: func(r *reservoir) { r.gone[eventID(0)] = true }, probed: 1},
		{name: "nothing is parked", prepare: func(r *reservoir) { r.parked = [delivery.ParkedPartitions]partition{} }, probed: -1, open: true, step: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inReservoir(t, 3, func(r *reservoir) {
				r.answers(accepting())
				r.breaks(0)
				if tt.prepare != nil {
					tt.prepare(r)
				}
				failed := r.Queue(r.ctx, []delivery.Received{{ID: "1", Receipt: "probe", Receives: 1, Message: delivery.ProbeMessage(r.timer.Key)}})
				held := r.held["probe"].Round(time.Second)
				probed := -1
				for i := range 3 {
					if r.posts[eventID(i)] > 0 {
						probed = i
					}
				}
				b := r.health.Breaker
				if probed != tt.probed || r.sent() > 1 || b.Open() != tt.open || b.Step != tt.step || held != tt.held || (held > 0) != (len(failed) > 0) {
					t.Errorf("got event %d of %d POSTs, breaker %+v, postponed %v, not done %v", probed, r.sent(), b, held, failed)
				}
				if tt.name != "another one is under way" && b.ProbeBy != "" {
					t.Errorf("the step is not given back: %+v", b)
				}
			})
		})
	}
}

// stale has other consumers lease rows after they were listed.
func (r *reservoir) stale(events ...int) {
	r.before = func(method string) error {
		if method != "Lease" {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, i := range events {
			if row := r.row(eventID(i)); row.LeaseBy == "" {
				row.Parked, row.Attempt, row.LeaseBy, row.LeaseUntil, row.SweepAt = false, 1, "another", time.Now().Add(time.Minute), time.Now().Add(time.Hour)
				r.rows[eventID(i)] = row
			}
		}
		return nil
	}
}
