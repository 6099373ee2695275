package statistics_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestHourOf(t *testing.T) {
	t.Parallel()
	const life = 33 * 24 * time.Hour
	accepted := time.Date(2026, 3, 1, 8, 59, 58, 0, time.UTC)
	began := time.Date(2026, 3, 1, 10, 59, 59, 0, time.FixedZone("", 3600)) // the hour of the beginning counts
	result := func(e failure.Kind, took time.Duration) webhook.Result {
		return webhook.Result{At: began, Duration: took, Error: e}
	}
	var hour statistics.Hour
	for _, h := range []statistics.Hour{
		statistics.HourOf(result(failure.None, 2*time.Second), accepted, 1, false, life),
		statistics.HourOf(result(failure.None, 2*time.Second), accepted.Add(-300*24*time.Hour), 2, false, life), // a replay
		statistics.HourOf(result(failure.Status, 2*time.Second), accepted, 1, false, life),
		statistics.HourOf(result(failure.Timeout, 90*time.Second), accepted, 1, true, life),
		statistics.HourOf(result(failure.Internal, 9*time.Hour), accepted, 1, true, life), // a process that was frozen
	} {
		hour = hour.Add(h)
	}
	want := statistics.Hour{From: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), Attempts: 5, Delivered: 2, Failed: 2}
	want.ExpiresAt = want.From.Add(time.Hour + life)
	for _, took := range []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second, 90 * time.Second, 100 * time.Second} {
		want.Durations.Observe(took)
	}
	want.Lags.Observe(time.Hour + 3*time.Second)
	if diff := cmp.Diff(want, hour); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWebhook_Condition(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	failures := func(n int) (h webhook.Health) {
		for i := range n {
			h = h.Observe(webhook.HealthReport{Activation: 1, At: at.Add(time.Duration(i) * time.Second), Error: failure.Status})
		}
		return h
	}
	success := webhook.HealthReport{Activation: 1, At: at.Add(time.Hour)}
	for _, tt := range []struct {
		name       string
		state      webhook.State
		activation int64
		health     webhook.Health
		want       statistics.Condition
		fails      bool
	}{
		{"never called", webhook.StateActive, 1, webhook.Health{}, statistics.ConditionHealthy, false},
		{"last attempt failed", webhook.StateActive, 1, failures(1), statistics.ConditionFailing, true},
		{"failed until the breaker opened", webhook.StateActive, 1, failures(10), statistics.ConditionWaiting, true},
		{"failed, and then succeeded", webhook.StateActive, 1, failures(10).Observe(success), statistics.ConditionHealthy, false},
		{"started again since it failed", webhook.StateActive, 2, failures(10), statistics.ConditionHealthy, false},
		{"disabled", webhook.StateTooManyErrors, 1, failures(10), statistics.ConditionDisabled, true},
		{"stopped while it failed", webhook.StateStopped, 1, failures(10), statistics.ConditionStopped, false},
	} {
		w := webhook.Webhook{State: tt.state, Activation: tt.activation}
		if got := statistics.ConditionOf(w, tt.health); got != tt.want || got.Fails() != tt.fails {
			t.Errorf("%s: got %s, fails %v", tt.name, got, got.Fails())
		}
	}
}
