package dispatch_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A probe whose attempt is not made leaves the breaker as it was: the next
// delivery can be the probe.
func TestQueue_AProbeThatIsNotMadeIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(s *site)
		message [2]int
	}{
		{"a late duplicate of a delivery that has ended", func(s *site) { s.finish(1, 1, delivery.StatusDelivered) }, [2]int{1, 1}},
		{"a late duplicate of an attempt that is over", func(s *site) { s.finish(1, 1, waiting) }, [2]int{1, 1}},
		{"an attempt that another consumer is making", func(s *site) { s.lease(1, 1, time.Minute) }, [2]int{1, 1}},
		{"a lease that cannot be written", func(s *site) { s.faults["Lease"] = webhook.ErrUnavailable }, [2]int{1, 1}},
		{"an event that cannot be read", func(s *site) { s.faults["Events.Get"] = webhook.ErrUnavailable }, [2]int{1, 1}},
		{"a lease that took too long to write", func(s *site) {
			s.before["Lease"] = func() { s.clock.Advance(9 * time.Second) }
		}, [2]int{1, 1}},
		{"a panic before the POST", func(s *site) {
			s.before["Lease"] = func() { panic("a fault of ours") }
		}, [2]int{1, 1}},
		{"a call that ends during the POST", func(s *site) {
			s.answer = func(webhook.Post) webhook.Result {
				return webhook.Result{Error: failure.Internal, Interrupted: true}
			}
		}, [2]int{1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.fail(10)
			s.clock.Advance(30 * time.Second)
			tt.prepare(s)
			before := s.health()
			s.consume(s.attempt(tt.message[0], tt.message[1]))
			if diff := cmp.Diff(before, s.health(), cmpopts.IgnoreFields(webhook.Health{}, "Version")); diff != "" {
				t.Errorf("health (-before +after):\n%s", diff)
			}
			s.faults, s.before, s.answer = map[string]error{}, map[string]func(){}, nil
			s.event = s.put("contact.deleted") // another delivery
			if !s.consume(s.attempt(1, 1)) || s.health().Breaker.Open() {
				t.Error("the next delivery was not the probe")
			}
		})
	}
}

// An attempt cut short by the end of its call is not a failure of the target and not
// used up: it is made again once its lease has expired.
func TestQueue_AnInterruptedAttemptDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{Error: failure.Internal, Interrupted: true}
	}
	if s.consume(s.attempt(1, 1)) {
		t.Fatal("the message is done")
	}
	row := s.row()
	if row.Status != waiting || row.Attempt != 1 || row.AttemptCount != 0 || !row.Leased(s.clock.Now()) || len(s.postponed) != 0 {
		t.Errorf("got %+v, postponed %v; want a lease that expires and a message that is not touched", row, s.postponed)
	}
	if diff := cmp.Diff(webhook.Health{}, s.health()); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	s.answer = nil
	s.clock.Set(row.LeaseUntil.Add(time.Second))
	if !s.consume(s.attempt(1, 1)) {
		t.Error("the message is not done")
	}
	if row = s.row(); row.Status != delivery.StatusDelivered || row.AttemptCount != 1 || s.posts[1].Retry != 0 {
		t.Errorf("got %+v, want it delivered as a first attempt", row)
	}
}

func TestStream_AnInterruptedAttemptIsEnqueuedAndDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.earn()
	before := s.health()
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{Error: failure.Timeout, Interrupted: true}
	}
	if failed := s.Stream(t.Context(), s.records(3)); failed != "" {
		t.Errorf("failed at %q", failed)
	}
	if diff := cmp.Diff(before, s.health()); diff != "" {
		t.Errorf("health (-before +after):\n%s", diff)
	}
	if got := s.messages(); len(got) != 3 {
		t.Errorf("got %d messages, want all three deliveries", len(got))
	}
}
