package dispatch_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A delivery that fails in a drain goes on as its policy says.
func TestDrain_AFailureIsRetriedByItsPolicy(t *testing.T) {
	t.Parallel()
	inReservoir(t, 1, func(r *reservoir) {
		r.answers(refusing)
		began := time.Now()
		r.drained(0, 16)
		row := r.status(eventID(0))
		if wait := row.NextAt.Sub(began); row.Status != delivery.StatusPending || row.Attempt != 1 || row.Parked || wait < 4*time.Second || wait > 7*time.Second {
			t.Errorf("got %+v, due in %v; want the second attempt in 5 s", row, wait)
		}
		r.answers(accepting())
		r.sleep(10 * time.Second)
		if row := r.status(eventID(0)); row.Status != delivery.StatusDelivered || row.Attempt != 2 {
			t.Errorf("got %+v, want it delivered", row)
		}
	})
}

// A row that a drain has leased, and whose outcome it cannot write, is taken over as
// soon as the lease has expired.
func TestDrain_BringsBackWhatItCannotFinish(t *testing.T) {
	t.Parallel()
	inReservoir(t, 1, func(r *reservoir) {
		r.answers(refusing)
		r.before = func(method string) error {
			if method == "Finish" && r.sent() == 1 {
				return webhook.ErrUnavailable
			}
			return nil
		}
		r.drained(0, 16)
		r.sleep(14 * time.Second) // the attempt may take 5 s, and its lease lasts 10 s longer
		if r.sent() != 1 {
			t.Fatalf("%d POSTs within the lease", r.sent())
		}
		r.sleep(5 * time.Second)
		if row := r.status(eventID(0)); r.sent() != 2 || row.Attempt != 1 || row.AttemptCount != 1 {
			t.Errorf("%d POSTs, row %+v; want the first attempt made again", r.sent(), row)
		}
	})
}

// A drain has sixteen attempts in flight at first, however wide it is.
func TestDrain_BeginsWithFew(t *testing.T) {
	t.Parallel()
	inReservoir(t, 1000, func(r *reservoir) {
		r.answers(refusing)
		r.drained(0, 256)
		if r.crowd != 16 || r.sent() > 40 {
			t.Errorf("%d POSTs, %d at once; want sixteen at once", r.sent(), r.crowd)
		}
	})
}

// Faults leave the rows parked, and a panic ends one attempt only.
func TestDrain_Faults(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Webhooks.Get", "CurrentHealth", "Timer", "Parked", "Events.Get", "Lease", "Finish", "SetTimer"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			inReservoir(t, 50, func(r *reservoir) {
				r.answers(accepting())
				fails := true
				r.before = func(called string) error {
					if fails && called == method {
						return fmt.Errorf("fault: %w", webhook.ErrUnavailable)
					}
					return nil
				}
				r.drained(0, 16)
				fails = false
				r.sweep()
				r.sleep(4 * time.Minute)
				if left := r.waiting(delivery.StatusPending); left > 0 {
					t.Errorf("%d rows are left", left)
				}
				if method != "Finish" { // a success that cannot be written is enqueued, never sent twice
					r.once(50)
				}
			})
		})
	}
	inReservoir(t, 50, func(r *reservoir) {
		accept := accepting()
		r.answers(func(p webhook.Post) webhook.Result {
			if p.Event.ID == eventID(5) && p.Retry == 0 {
				panic("a fault of ours")
			}
			return accept(p)
		})
		r.drained(0, 16)
		if n := r.waiting(delivery.StatusDelivered); n != 49 || r.health.TotalErrors != 1 {
			t.Errorf("%d of 49 delivered, %d errors; want the panic counted as a failed attempt", n, r.health.TotalErrors)
		}
		r.before = func(method string) error {
			if method == "Events.Get" {
				panic(errors.New("another"))
			}
			return nil
		}
		row := r.status(eventID(5))
		row.Parked, row.NextAt = true, time.Now()
		r.rows[eventID(5)] = row
		r.parked[eventID(5).Partition(delivery.ParkedPartitions)].low = 0
		r.drained(0, 16)
		if !r.status(eventID(5)).Parked {
			t.Error("the row is not parked")
		}
	})
}

// A slice stops at requests for a pause, and the next drains are narrower.
func TestDrain_AThrottlingTargetNarrowsTheWidth(t *testing.T) {
	t.Parallel()
	inReservoir(t, 1000, func(r *reservoir) {
		n := 0
		r.answers(func(webhook.Post) webhook.Result {
			r.mu.Lock()
			n++
			odd := n%3 == 0
			r.mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			if odd {
				return webhook.Result{StatusCode: 429, Error: failure.Status, RetryAfter: time.Minute}
			}
			return webhook.Result{StatusCode: 200}
		})
		r.timer.Width = 64
		r.drained(0, 256)
		if r.timer.Width != 32 || r.sent() > 100 {
			t.Errorf("width %d after %d POSTs, want 32 after a few", r.timer.Width, r.sent())
		}
	})
}

// An attempt that another consumer has begun when the breaker opens is only taken over
// if that consumer dies. If its lane cuts it short meanwhile, it waits like any other.
func TestGate_AnAttemptReturnedMeanwhileIsNotMade(t *testing.T) {
	t.Parallel()
	inReservoir(t, 1, func(r *reservoir) {
		r.answers(accepting())
		r.breaks(time.Hour)
		row := r.status(eventID(0))
		row.Parked, row.Attempt, row.LeaseBy, row.LeaseUntil = false, 1, "another", time.Now().Add(15*time.Second)
		r.rows[eventID(0)] = row
		r.before = func(method string) error {
			if method == "Lease" {
				row.Attempt, row.LeaseBy, row.LeaseUntil = 0, "", time.Time{}
				r.rows[eventID(0)] = row
			}
			return nil
		}
		r.Queue(r.ctx, []delivery.Received{{ID: "1", Receipt: "1", Receives: 1, Message: delivery.AttemptMessage(row.Key, 1, 1, "")}})
		if row := r.status(eventID(0)); r.sent() > 0 || row.LeaseBy != "" || r.calls()["Lease"] != 1 {
			t.Errorf("%d POSTs, calls %v, row %+v; want none behind the open breaker", r.sent(), r.calls(), row)
		}
	})
}
