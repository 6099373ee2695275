package dispatch_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// slowly responds as a target that takes d to respond with 200.
func slowly(d time.Duration) func(webhook.Post) webhook.Result {
	return func(p webhook.Post) webhook.Result {
		if d > p.Timeout {
			return webhook.Result{Duration: p.Timeout, Error: failure.Timeout}
		}
		return webhook.Result{Duration: d, StatusCode: 200}
	}
}

// The first attempt of a slow target is cut short, uses nothing up, and is made again in
// the slow lane with the webhook's full timeout.
func TestQueue_ASlowTargetMovesToTheSlowLane(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = slowly(25 * time.Second)
	if !s.consume(s.attempt(1, 1)) {
		t.Fatal("the message is not done")
	}
	row, h := s.row(), s.health()
	if row.Status != delivery.StatusPending || row.Attempt != 0 || row.LeaseBy != "" || row.AttemptCount != 0 || len(row.Attempts) != 1 || row.Attempts[0].Error != failure.Queue {
		t.Errorf("row %+v; want no attempt used up, and the cut shown", row)
	}
	if !h.Slow || h.TotalCalls != 1 || h.TotalErrors != 0 || h.ConsecutiveErrors != 0 {
		t.Errorf("health %+v; want it slow, with one call and no error", h)
	}
	got := s.messages()
	if len(got) != 1 || !got[0].Slow || got[0].Round != 1 || got[0].Attempt != 1 {
		t.Fatalf("messages %+v; want the same attempt in the slow lane", got)
	}
	s.consume(got[0])
	if row = s.row(); row.Status != delivery.StatusDelivered || row.Attempt != 1 || row.AttemptCount != 1 {
		t.Errorf("row %+v; want it delivered by the first attempt", row)
	}
	if last := row.Attempts[len(row.Attempts)-1]; last.Lane != delivery.LaneSlow {
		t.Errorf("the attempt was made in lane %q, want %q", last.Lane, delivery.LaneSlow)
	}
	if s.posts[0].Timeout != webhook.QueueBudget || s.posts[1].Timeout != 30*time.Second || s.posts[1].Retry != 0 {
		t.Errorf("POSTs with timeouts %v and %v, the second as retry %d; want 5s, 30s and 0", s.posts[0].Timeout, s.posts[1].Timeout, s.posts[1].Retry)
	}
}

// Attempts of a slow webhook never begin in the queue lane, wherever the message comes from.
func TestQueue_ForwardsToTheSlowLane(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.observe(webhook.HealthReport{Activation: 1, At: s.clock.Now(), Duration: webhook.QueueBudget, Error: failure.Queue})
	if !s.consume(s.attempt(1, 1)) || len(s.posts) > 0 || s.row().Exists() {
		t.Errorf("%d POSTs, row %+v; want neither", len(s.posts), s.row())
	}
	if got := s.messages(); len(got) != 1 || !got[0].Slow {
		t.Errorf("messages %+v; want one in the slow lane", got)
	}
}

// A retry of a webhook that has become fast again returns to the queue lane.
func TestQueue_RetriesLeaveTheSlowLane(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		latency time.Duration
		slow    bool
	}{{10 * time.Second, true}, {webhook.SlowUnder / 2, false}} {
		s := newSite(t)
		s.observe(webhook.HealthReport{Activation: 1, At: s.clock.Now(), Duration: webhook.QueueBudget, Error: failure.Queue})
		for range 40 {
			s.clock.Advance(time.Second)
			s.observe(webhook.HealthReport{Activation: 1, At: s.clock.Now(), Duration: tt.latency})
		}
		s.answer = status(500)
		m := s.attempt(1, 1)
		m.Slow = true
		s.consume(m)
		s.clock.Advance(delivery.MaxDelay)
		if got := s.messages(); len(got) != 1 || got[0].Attempt != 2 || got[0].Slow != tt.slow {
			t.Errorf("after responses of %v: messages %+v, want the second attempt, slow: %v", tt.latency, got, tt.slow)
		}
	}
}

// The lease of an attempt that is cut short may have been taken over, or its return may
// not be written: then nothing is sent, and the row or the message brings it back.
func TestQueue_ACutThatIsNotWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = slowly(25 * time.Second)
	s.faults["Yield"] = webhook.ErrUnavailable
	if s.consume(s.attempt(1, 1)) || len(s.messages()) > 0 {
		t.Error("done, or a message was sent; want the message to come back when the lease has expired")
	}
	s = newSite(t)
	s.answer = func(p webhook.Post) webhook.Result {
		s.clock.Advance(time.Minute)
		s.lease(1, 1, 40*time.Second)
		return slowly(25 * time.Second)(p)
	}
	if s.consume(s.attempt(1, 1)) {
		t.Error("done, although another consumer holds the lease and may die")
	}
}

// The step of a probe that is cut short is returned, so that the slow lane can probe.
func TestQueue_ACutProbeGivesItsStepBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	before := s.health().Breaker
	s.clock.Set(before.ProbeAt)
	s.answer = slowly(25 * time.Second)
	s.consume(s.attempt(1, 1))
	if after := s.health().Breaker; len(s.posts) != 1 || after.ProbeBy != "" || after.Step != before.Step || !after.ProbeAt.Equal(before.ProbeAt) {
		t.Errorf("%d POSTs, breaker %+v; want one and %+v", len(s.posts), after, before)
	}
}
