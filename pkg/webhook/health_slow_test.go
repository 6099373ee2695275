package webhook_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A webhook is slow from the first attempt that the queue lane cuts short until its
// responses take less than two seconds on average.
func TestHealth_Slow(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	n := 0
	attempt := func(took time.Duration, kind failure.Kind) webhook.HealthReport {
		n++
		return webhook.HealthReport{Activation: 1, At: start.Add(time.Duration(n) * time.Minute), Duration: took, Error: kind, Policy: webhook.PolicyDurable}
	}
	h := webhook.Health{}
	for range 20 {
		h = h.Observe(attempt(100*time.Millisecond, failure.None))
	}
	before := h
	h = h.Observe(attempt(webhook.QueueBudget, failure.Queue))
	if !h.Slow || h.TotalCalls != before.TotalCalls+1 || h.TotalErrors != 0 || h.ConsecutiveErrors != 0 || h.Breaker != (webhook.Breaker{}) {
		t.Fatalf("after a cut: %+v", h)
	}
	if h = h.Observe(attempt(100*time.Millisecond, failure.None)); !h.Slow {
		t.Error("one fast response ended the slow lane")
	}
	for h.Slow {
		if h.Latency < webhook.SlowUnder {
			t.Fatalf("still slow at an average of %v", h.Latency)
		}
		h = h.Observe(attempt(100*time.Millisecond, failure.None))
	}
	if h.Latency >= webhook.SlowUnder {
		t.Errorf("the slow lane ended at an average of %v, want less than %v", h.Latency, webhook.SlowUnder)
	}
	h = h.Observe(attempt(webhook.QueueBudget, failure.Queue))
	for range 100 {
		h = h.Observe(attempt(10*time.Second, failure.None))
	}
	if !h.Slow {
		t.Error("slow responses ended the slow lane")
	}
}
