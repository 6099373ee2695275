package webhook_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var breakerStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failing returns the health after n failures: the last began at breakerStart, and
// each of the others a second before the next.
func failing(n int) webhook.Health {
	var h webhook.Health
	for i := range n {
		h = h.Observe(failureAt(breakerStart.Add(time.Duration(i-n+1) * time.Second)))
	}
	return h
}

func failureAt(at time.Time) webhook.HealthReport {
	return webhook.HealthReport{Activation: 1, At: at, Duration: time.Second, Error: failure.Timeout, Policy: webhook.PolicyDurable, Jitter: 0.5}
}

func TestBreaker_States(t *testing.T) {
	t.Parallel()
	report := func(change func(*webhook.HealthReport)) webhook.HealthReport {
		r := webhook.HealthReport{Activation: 1, At: breakerStart.Add(time.Minute), Duration: time.Second, Error: failure.Status, Policy: webhook.PolicyDurable, Jitter: 0.5}
		if change != nil {
			change(&r)
		}
		return r
	}
	success := func(r *webhook.HealthReport) { r.Error = failure.None }
	probed := func(h webhook.Health) webhook.Health {
		h.Breaker = h.Breaker.Probe("p", h.Breaker.ProbeAt, 40*time.Second, 0.5)
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
	if early := b.Probe("early", b.ProbeAt.Add(-time.Millisecond), time.Minute, 0.5); early != b {
		t.Errorf("a probe before its time was granted: %+v", early)
	}
	var steps []time.Duration
	for i := range 9 {
		at, by := b.ProbeAt, fmt.Sprint(i)
		if b = b.Probe(by, at, 40*time.Second, 0.5); b.ProbeBy != by {
			t.Fatalf("probe %d was not granted", i)
		}
		if second := b.Probe("second", at, 40*time.Second, 0.5); second != b {
			t.Fatalf("probe %d was granted twice", i)
		}
		steps = append(steps, b.ProbeAt.Sub(at))
	}
	want := "[1m0s 2m0s 4m0s 8m0s 16m0s 32m0s 1h0m0s 1h0m0s 1h0m0s]"
	if got := fmt.Sprint(steps); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := failing(10).Breaker
	if long = long.Probe("p", long.ProbeAt, 110*time.Second, 0.5); long.ProbeAt.Sub(long.ProbeUntil) != 0 {
		t.Errorf("a probe of 110 s ends at %v, the next begins at %v; want no overlap", long.ProbeUntil, long.ProbeAt)
	}
}

// Ten failures open the breaker once the last began two seconds after the first,
// whatever number it is.
func TestBreaker_OpensByNumberAndSpan(t *testing.T) {
	t.Parallel()
	every := func(gap time.Duration) (opened int) {
		var h webhook.Health
		for n := range 1000 {
			if h = h.Observe(failureAt(breakerStart.Add(time.Duration(n) * gap))); h.Breaker.Open() {
				return n + 1
			}
		}
		return 0
	}
	for _, tt := range []struct {
		gap  time.Duration
		want int
	}{{time.Hour, 10}, {time.Second, 10}, {250 * time.Millisecond, 10}, {200 * time.Millisecond, 11}, {10 * time.Millisecond, 201}, {0, 0}} {
		if got := every(tt.gap); got != tt.want {
			t.Errorf("failures %v apart: opened by number %d, want %d", tt.gap, got, tt.want)
		}
	}
	// A success in between begins the span again.
	h := failing(9).Observe(webhook.HealthReport{Activation: 1, At: breakerStart.Add(time.Millisecond)})
	for n := range 10 {
		h = h.Observe(failureAt(breakerStart.Add(time.Second + time.Duration(n)*time.Millisecond)))
	}
	if h.Breaker.Open() {
		t.Errorf("ten failures within 10 ms of a success opened it: %+v", h.Breaker)
	}
}

// Steps are up to a tenth shorter or longer, and double regardless.
func TestBreaker_StepsHaveJitter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ jitter, want float64 }{{0, 0.9}, {0.5, 1}, {0.999, 1.0998}} {
		r := failureAt(breakerStart)
		r.Jitter = tt.jitter
		b := failing(9).Observe(failureAt(breakerStart.Add(-time.Minute)), r).Breaker
		end := breakerStart.Add(r.Duration)
		if got := b.ProbeAt.Sub(end).Seconds() / 30; math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("jitter %v: the first step is %v of 30 s, want %v", tt.jitter, got, tt.want)
		}
		for range 8 {
			at := b.ProbeAt
			b = b.Probe("p", at, 40*time.Second, tt.jitter)
			if got := b.ProbeAt.Sub(at).Seconds() / b.Step.Seconds(); math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("jitter %v: a probe %v after the one before, and the step is %v", tt.jitter, b.ProbeAt.Sub(at), b.Step)
			}
		}
		if b.Step != time.Hour {
			t.Errorf("jitter %v: after eight probes the step is %v", tt.jitter, b.Step)
		}
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
