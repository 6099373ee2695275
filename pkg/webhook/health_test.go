package webhook_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestHealth_Observe(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	ok := func(activation int64, seconds float64) webhook.HealthReport {
		return webhook.HealthReport{Activation: activation, At: at(seconds), Duration: 100 * time.Millisecond, Policy: webhook.PolicyDurable}
	}
	bad := func(activation int64, seconds float64) webhook.HealthReport {
		r := ok(activation, seconds)
		r.Error, r.LastError = failure.Status, "500"
		return r
	}
	unsent := func(activation int64, seconds float64) webhook.HealthReport {
		r := bad(activation, seconds)
		r.Error, r.Duration = failure.Body, 0
		return r
	}
	superoffice := func(r webhook.HealthReport) webhook.HealthReport {
		r.Policy = webhook.PolicySuperOffice
		return r
	}
	tests := []struct {
		name                       string
		reports                    []webhook.HealthReport
		calls, errors, consecutive int32
	}{
		{"a success", []webhook.HealthReport{ok(1, 0)}, 1, 0, 0},
		{"failures a second apart all count", []webhook.HealthReport{bad(1, 0), bad(1, 1), bad(1, 2)}, 3, 3, 3},
		{"durable: one failure of a burst counts", []webhook.HealthReport{bad(1, 0), bad(1, 0.1), bad(1, 0.9)}, 3, 3, 1},
		{"superoffice: all failures of a burst count", []webhook.HealthReport{superoffice(bad(1, 0)), superoffice(bad(1, 0.1))}, 2, 2, 2},
		{"a success resets the consecutive errors", []webhook.HealthReport{bad(1, 0), bad(1, 1), ok(1, 2), bad(1, 3)}, 4, 3, 1},
		{"a failure that began before the last success does not count", []webhook.HealthReport{ok(1, 5), bad(1, 4)}, 2, 1, 0},
		{"a failure under an older activation does not count", []webhook.HealthReport{bad(2, 5), bad(1, 6)}, 2, 2, 1},
		{"a new activation begins at zero", []webhook.HealthReport{bad(1, 0), bad(1, 2), bad(2, 4)}, 3, 3, 1},
		{"a fast timeout is a call and no error", []webhook.HealthReport{{Activation: 1, At: at(1), Error: failure.Fast}}, 1, 0, 0},
		{"too large a body is an error and says nothing about the target", []webhook.HealthReport{bad(1, 0), unsent(1, 2), superoffice(unsent(1, 3))}, 3, 3, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := webhook.Health{}.Observe(tt.reports...)
			if h.TotalCalls != tt.calls || h.TotalErrors != tt.errors || h.ConsecutiveErrors != tt.consecutive {
				t.Errorf("got %d calls, %d errors, %d consecutive; want %d, %d, %d",
					h.TotalCalls, h.TotalErrors, h.ConsecutiveErrors, tt.calls, tt.errors, tt.consecutive)
			}
		})
	}
}

// Attempts that sent nothing open no breaker and do not look like a fast target, and one
// that was the probe leaves it to the next.
func TestHealth_TooLargeABodyIsNotTheTargets(t *testing.T) {
	t.Parallel()
	at := time.Unix(1e9, 0)
	unsent := webhook.HealthReport{Activation: 1, At: at, Error: failure.Body, LastError: "body_too_large"}
	h := webhook.Health{}.Observe(webhook.HealthReport{Activation: 1, At: at.Add(-time.Second), Duration: time.Second})
	for range 20 {
		h = h.Observe(unsent)
	}
	if h.Breaker != (webhook.Breaker{}) || !h.FailingSince.IsZero() || h.Latency != time.Second || h.LastError != "body_too_large" || h.TotalErrors != 20 {
		t.Errorf("got %+v", h)
	}
	h.Breaker = webhook.Breaker{Failures: 10, Step: time.Minute, ProbeBy: "p", ProbeUntil: at.Add(time.Hour)}
	unsent.Probe = "p"
	if h = h.Observe(unsent); !h.Breaker.Open() || h.Breaker.ProbeBy != "" {
		t.Errorf("after the probe: %+v", h.Breaker)
	}
}

func TestHealth_CountersSaturate(t *testing.T) {
	t.Parallel()
	h := webhook.Health{TotalCalls: math.MaxInt32, TotalErrors: math.MaxInt32, ConsecutiveErrors: math.MaxInt32}
	h = h.Observe(webhook.HealthReport{At: time.Unix(1e9, 0), Error: failure.DNS})
	if h.TotalCalls != math.MaxInt32 || h.TotalErrors != math.MaxInt32 || h.ConsecutiveErrors != math.MaxInt32 {
		t.Errorf("got %d, %d, %d; want all at the largest int32", h.TotalCalls, h.TotalErrors, h.ConsecutiveErrors)
	}
}

func TestHealth_LastErrorIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("æ", webhook.MaxLastError)
	h := webhook.Health{}.Observe(webhook.HealthReport{At: time.Unix(1e9, 0), Error: failure.Status, LastError: "x" + long})
	if len(h.LastError) != webhook.MaxLastError-1 || !strings.HasPrefix("x"+long, h.LastError) {
		t.Errorf("got %d bytes, want %d", len(h.LastError), webhook.MaxLastError-1)
	}
}
