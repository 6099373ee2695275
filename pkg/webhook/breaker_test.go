package webhook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var breakerStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failing returns the health after n failures that all began at the same time.
func failing(n int) webhook.Health {
	var h webhook.Health
	for range n {
		h = h.Observe(webhook.HealthReport{Activation: 1, At: breakerStart, Duration: time.Second, Error: failure.Timeout, Policy: webhook.PolicyDurable})
	}
	return h
}

func TestBreaker_States(t *testing.T) {
	t.Parallel()
	report := func(change func(*webhook.HealthReport)) webhook.HealthReport {
		r := webhook.HealthReport{Activation: 1, At: breakerStart.Add(time.Minute), Duration: time.Second, Error: failure.Status, Policy: webhook.PolicyDurable}
		if change != nil {
			change(&r)
		}
		return r
	}
	success := func(r *webhook.HealthReport) { r.Error = failure.None }
	probed := func(h webhook.Health) webhook.Health {
		h.Breaker = h.Breaker.Probe("p", h.Breaker.ProbeAt, 40*time.Second)
		return h
	}
	open := failing(10).Breaker
	tests := []struct {
		name   string
		before webhook.Health
		then   webhook.HealthReport
		want   webhook.Breaker
	}{
		{"nine failures leave it closed", failing(8), report(nil), webhook.Breaker{Failures: 9}},
		{
			"the tenth failure opens it, with a probe 30 s after its end",
			failing(9), report(nil),
			webhook.Breaker{Failures: 10, Step: 30 * time.Second, ProbeAt: breakerStart.Add(91 * time.Second)},
		},
		{"a success resets the count", failing(9), report(success), webhook.Breaker{}},
		{"a success closes it", failing(10), report(success), webhook.Breaker{}},
		{"a probe's success closes it", probed(failing(10)), report(success), webhook.Breaker{}},
		{"failures of attempts under way change nothing", failing(10), report(nil), open},
		{"fast timeouts change nothing", failing(9), report(func(r *webhook.HealthReport) { r.Error = failure.Fast }), failing(9).Breaker},
		{"failures under an older activation change nothing", failing(9), report(func(r *webhook.HealthReport) { r.Activation = 0 }), failing(9).Breaker},
		{
			"failures that began before a success change nothing",
			failing(9).Observe(webhook.HealthReport{Activation: 1, At: breakerStart.Add(2 * time.Minute)}),
			report(nil),
			webhook.Breaker{},
		},
		{
			"a failed probe ends and has used its step",
			probed(failing(10)), report(func(r *webhook.HealthReport) { r.Probe = "p" }),
			webhook.Breaker{Failures: 10, Step: time.Minute, ProbeAt: open.ProbeAt.Add(time.Minute)},
		},
		{
			"another attempt's failure does not end the probe", probed(failing(10)), report(func(r *webhook.HealthReport) { r.Probe = "o" }),
			probed(failing(10)).Breaker,
		},
		{"a new activation starts closed", failing(10), report(func(r *webhook.HealthReport) { r.Activation = 2 }), webhook.Breaker{Failures: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.before.Observe(tt.then).Breaker; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestBreaker_ProbesOneAStepAndAtMostHourly(t *testing.T) {
	t.Parallel()
	b := failing(10).Breaker
	if early := b.Probe("early", b.ProbeAt.Add(-time.Millisecond), time.Minute); early != b {
		t.Errorf("a probe before its time was granted: %+v", early)
	}
	var steps []time.Duration
	for i := range 9 {
		at, by := b.ProbeAt, fmt.Sprint(i)
		if b = b.Probe(by, at, 40*time.Second); b.ProbeBy != by {
			t.Fatalf("probe %d was not granted", i)
		}
		if second := b.Probe("second", at, 40*time.Second); second != b {
			t.Fatalf("probe %d was granted twice", i)
		}
		steps = append(steps, b.ProbeAt.Sub(at))
	}
	want := "[1m0s 2m0s 4m0s 8m0s 16m0s 32m0s 1h0m0s 1h0m0s 1h0m0s]"
	if got := fmt.Sprint(steps); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := failing(10).Breaker
	if long = long.Probe("p", long.ProbeAt, 110*time.Second); long.ProbeAt.Sub(long.ProbeUntil) != 0 {
		t.Errorf("a probe of 110 s ends at %v, the next begins at %v; want no overlap", long.ProbeUntil, long.ProbeAt)
	}
}

func TestHealth_UnderANewActivationKeepsTheTotals(t *testing.T) {
	t.Parallel()
	h := failing(10)
	if got := h.Under(1); got != h {
		t.Errorf("under its own activation: got %+v", got)
	}
	got := h.Under(2)
	if got.ConsecutiveErrors != 0 || got.Breaker != (webhook.Breaker{}) || got.TotalCalls != 10 || got.TotalErrors != 10 || got.LastError != h.LastError {
		t.Errorf("under a new activation: got %+v", got)
	}
}
