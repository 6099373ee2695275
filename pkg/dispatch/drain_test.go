package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// drained sends a drain and returns when it is done.
func (r *reservoir) drained(partition, width int) {
	r.t.Helper()
	r.consumed(delivery.DrainMessage(r.timer.Key, partition, width))
}

// consumed has the engine consume a message, which must then be done.
func (r *reservoir) consumed(m delivery.Message) {
	r.t.Helper()
	if failed := r.Queue(r.ctx, []delivery.Received{{ID: "1", Receipt: "a drain", Receives: 1, Message: m}}); len(failed) > 0 {
		r.t.Errorf("the message %+v is not done", m)
	}
}

// since counts the POSTs that began at or after a time.
func (r *reservoir) since(at time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, began := range r.posted {
		if !began.Before(at) {
			n++
		}
	}
	return n
}

// once checks that every row was sent exactly once.
func (r *reservoir) once(rows int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range rows {
		if n := r.posts[eventID(i)]; n != 1 {
			r.t.Errorf("event %d was sent %d times, want once", i, n)
			return
		}
	}
}

// A target that was down responds in 50 ms and accepts 2,000 POSTs a second: the first
// POST comes when the probe is due, and what waited is sent within minutes, twice as
// many at once in each.
func TestDrain_ARecoveredTargetGetsWhatWaited(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	inReservoir(t, rows, func(r *reservoir) {
		r.answers(accepting())
		r.breaks(90 * time.Second)
		began := time.Now()
		r.sweep()
		for r.waiting(delivery.StatusPending) > 0 && time.Since(began) < 20*time.Minute {
			r.sleep(5 * time.Second)
		}
		first := r.posted[0].Sub(began)
		if first < 90*time.Second || first > 92*time.Second {
			t.Errorf("the first POST was %v after the start, want it when the probe is due, after 90 s", first)
		}
		last := r.posted[r.sent()-1].Sub(r.posted[0])
		if last > 100*time.Second {
			t.Errorf("%d rows took %v from the first POST to the last, want 100 s: 16 at once, then 32", rows, last)
		}
		r.once(rows)
		if extra := r.calls()["Lease"] - rows; extra > rows/20 {
			t.Errorf("%d leases more than rows", extra)
		}
		t.Logf("%v from the first POST to the last, %d at once, calls %v", last, r.crowd, r.calls())
	})
}

// A target that fails again while its backlog is drained gets what was in flight, and
// five seconds later nothing more.
func TestDrain_ATargetThatFailsAgainIsLeftAlone(t *testing.T) {
	t.Parallel()
	inReservoir(t, 80_000, func(r *reservoir) {
		r.answers(accepting())
		r.breaks(time.Second)
		r.timer.Width = 256
		r.sweep()
		r.sleep(2*time.Minute + 3*time.Second)
		r.answers(refusing)
		failed := time.Now()
		before := r.waiting(delivery.StatusPending)
		r.sleep(30 * time.Second)
		during, after := r.since(failed)-r.since(failed.Add(5*time.Second)), r.since(failed.Add(5*time.Second))
		if before < 5000 || during > 256 || after > 0 || !r.open() {
			t.Errorf("with %d rows left: %d POSTs in the five seconds after the failure and %d later, the breaker open: %t; want at most 256, 0, true", before, during, after, r.open())
		}
		if r.timer.Width != 128 && r.timer.Width != 64 {
			t.Errorf("the width is %d, want it halved", r.timer.Width)
		}
		if ended := before - r.waiting(delivery.StatusPending); ended > 256 {
			t.Errorf("%d deliveries have ended, want at most the 256 attempts that had begun", ended)
		}
	})
}

// A drain of a webhook that is not Active ends the rows and sends nothing.
func TestDrain_EndsTheRowsOfAStoppedWebhook(t *testing.T) {
	t.Parallel()
	const rows = 300
	inReservoir(t, rows, func(r *reservoir) {
		r.answers(accepting())
		r.hook.State = webhook.StateStopped
		r.drained(3, 16)
		for i := range rows {
			row := r.status(eventID(i))
			if row.Status != delivery.StatusCancelled || row.Reason != "the webhook is Stopped" || row.Parked || !row.SweepAt.IsZero() {
				t.Fatalf("row %d is %+v, want it cancelled", i, row)
			}
		}
		if r.sent() > 0 || r.calls()["End"] != rows || r.calls()["Lease"] > 0 {
			t.Errorf("%d POSTs, calls %v", r.sent(), r.calls())
		}
	})
}

// A row that was erased after it was listed is not written.
func TestDrain_CreatesNoRow(t *testing.T) {
	t.Parallel()
	for _, state := range []webhook.State{webhook.StateActive, webhook.StateStopped} {
		inReservoir(t, 1, func(r *reservoir) {
			r.answers(accepting())
			r.hook.State = state
			r.before = func(method string) error {
				if method == "Events.Get" || method == "End" { // it is erased after it was listed
					r.mu.Lock()
					defer r.mu.Unlock()
					r.rows[eventID(0)] = delivery.Row{}
				}
				return nil
			}
			r.drained(0, 16)
			if row := r.status(eventID(0)); row.Exists() || r.sent() > 0 {
				t.Errorf("%s: got row %+v and %d POSTs of a row that is gone", state, row, r.sent())
			}
		})
	}
}

func TestDrain_AnEventThatIsGoneHasExpired(t *testing.T) {
	t.Parallel()
	inReservoir(t, 2, func(r *reservoir) {
		r.answers(accepting())
		r.gone[eventID(0)] = true
		r.drained(0, 16)
		if row := r.status(eventID(0)); row.Status != delivery.StatusExpired || row.Reason != "the event is no longer kept" {
			t.Errorf("got %+v, want it expired", row)
		}
		if row := r.status(eventID(1)); row.Status != delivery.StatusDelivered {
			t.Errorf("got %+v, want the other one delivered", row)
		}
	})
}

func TestDrain_WritesNothingOfADeletedWebhook(t *testing.T) {
	t.Parallel()
	inReservoir(t, 10, func(r *reservoir) {
		r.hook = webhook.Webhook{}
		r.drained(0, 16)
		r.consumed(delivery.ProbeMessage(r.timer.Key))
		for method, n := range r.calls() {
			if method != "Webhooks.Get" {
				t.Errorf("%d calls of %s, want none", n, method)
			}
		}
	})
}

// A webhook that is stopped during a drain gets nothing more within the three seconds
// of promise 4, and what is left ends.
func TestDrain_AWebhookStoppedMeanwhileIsSilent(t *testing.T) {
	t.Parallel()
	inReservoir(t, 2000, func(r *reservoir) {
		r.answers(accepting())
		r.life.Go(func() {
			r.sleep(time.Second)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.hook.State, r.hook.Revision = webhook.StateStopped, 2
		})
		began := time.Now()
		r.drained(0, 16)
		if late := r.since(began.Add(4 * time.Second)); late > 0 || r.waiting(delivery.StatusCancelled) < 100 {
			t.Errorf("%d POSTs three seconds after it was stopped, %d rows cancelled", late, r.waiting(delivery.StatusCancelled))
		}
	})
}

// A drain whose process ends costs a minute: the rows that it did not lease are as
// they were, and the others are taken over when their leases have expired.
func TestDrain_OneThatDiesLosesNothing(t *testing.T) {
	t.Parallel()
	const rows = 2000
	inReservoir(t, rows, func(r *reservoir) {
		r.answers(accepting())
		dying, cancel := context.WithCancel(r.ctx)
		r.life.Go(func() { r.sleep(time.Second); cancel() })
		r.Queue(dying, []delivery.Received{{ID: "1", Receipt: "1", Receives: 1, Message: delivery.DrainMessage(r.timer.Key, 0, 16)}})
		sent := r.sent()
		if sent < 100 || sent > 300 || r.waiting(delivery.StatusPending) < rows-sent {
			t.Fatalf("%d POSTs in a second, %d rows left", sent, r.waiting(delivery.StatusPending))
		}
		began := time.Now()
		r.sweep()
		r.sleep(90 * time.Second)
		if left := r.waiting(delivery.StatusPending); left > 16 {
			t.Errorf("%d rows are left 90 s after the drain died, want no more than were in flight", left)
		}
		r.sleep(5 * time.Minute) // successes that were not written are recorded by then
		if left := r.waiting(delivery.StatusPending); left > 0 {
			t.Errorf("%d rows are left six and a half minutes after the drain died", left)
		}
		if d := r.since(began); d < rows-sent {
			t.Errorf("%d POSTs after the drain died, want %d", d, rows-sent)
		}
		repeated := 0
		for _, n := range r.posts {
			repeated += n - 1
		}
		if repeated > 16 {
			t.Errorf("%d duplicates, want those in flight", repeated)
		}
		if r.health.TotalErrors > 0 || r.health.TotalCalls != rows {
			t.Errorf("health counts %d calls and %d errors, want %d and 0: an interrupted attempt does not count", r.health.TotalCalls, r.health.TotalErrors, rows)
		}
	})
}

// Of drains of one webhook at once, one leases each row.
func TestDrain_TwoAtOnceSendNothingTwice(t *testing.T) {
	t.Parallel()
	const rows = 2000
	inReservoir(t, rows, func(r *reservoir) {
		r.answers(accepting())
		for range 3 {
			r.deliver(delivery.DrainMessage(r.timer.Key, 0, 64), 0)
		}
		r.sleep(20 * time.Second)
		r.once(rows)
		if r.crowd > 128 {
			t.Errorf("%d POSTs at once, want at most a quarter of the slots", r.crowd)
		}
	})
}

// The process that closes the breaker pulls the timer and sends the first drains, so that the
// backlog does not wait for the sweep.
func TestDrain_TheProcessThatClosesTheBreakerSendsTheFirst(t *testing.T) {
	t.Parallel()
	const rows = 3000
	inReservoir(t, rows, func(r *reservoir) {
		r.answers(accepting())
		r.breaks(0)
		r.timer.DueAt = time.Now().Add(time.Hour)
		began := time.Now()
		r.consumed(delivery.ProbeMessage(r.timer.Key))
		if r.open() || r.timer.DueAt.After(time.Now()) {
			t.Errorf("the breaker is open: %t, the timer is due at %v", r.open(), r.timer.DueAt)
		}
		r.sleep(30 * time.Second)
		if left := r.waiting(delivery.StatusPending); left > 0 {
			t.Errorf("without a sweep, %d of %d rows are left after 30 s", left, rows)
		}
		r.once(rows)
		t.Logf("the last POST came %v after the first", r.posted[r.sent()-1].Sub(began))
	})
}
