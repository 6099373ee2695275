package webhook_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestLaneQuestion_Choose(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	good := webhook.LaneQuestion{Known: true, Now: now, Health: webhook.Health{Latency: 20 * time.Millisecond, LastOK: now}}
	with := func(change func(*webhook.LaneQuestion)) webhook.LaneQuestion {
		q := good
		change(&q)
		return q
	}
	open := webhook.Breaker{Failures: 10, Step: time.Minute, ProbeAt: now.Add(time.Second)}
	due := webhook.Breaker{Failures: 10, Step: time.Minute, ProbeAt: now}
	tests := []struct {
		name string
		ask  webhook.LaneQuestion
		want webhook.Lane
	}{
		{"a quick target earns the fast lane", good, webhook.LaneFast},
		{"a slow target does not", with(func(q *webhook.LaneQuestion) { q.Health.Latency = 500 * time.Millisecond }), webhook.LaneQueue},
		{"not within ten minutes of a fast timeout", with(func(q *webhook.LaneQuestion) { q.Health.FastTimeout = now.Add(-9 * time.Minute) }), webhook.LaneQueue},
		{"again after ten minutes", with(func(q *webhook.LaneQuestion) { q.Health.FastTimeout = now.Add(-10 * time.Minute) }), webhook.LaneFast},
		{"a share of 32 a batch", with(func(q *webhook.LaneQuestion) { q.InBatch = 31 }), webhook.LaneFast},
		{"no more than the share", with(func(q *webhook.LaneQuestion) { q.InBatch = 32 }), webhook.LaneQueue},
		{"the whole batch when alone", with(func(q *webhook.LaneQuestion) { q.InBatch, q.Alone = 99, true }), webhook.LaneFast},
		{"not without health", webhook.LaneQuestion{Now: now}, webhook.LaneQueue},
		{"not even when alone", webhook.LaneQuestion{Alone: true, Now: now}, webhook.LaneQueue},
		{"not without a success", with(func(q *webhook.LaneQuestion) { q.Health.LastOK = time.Time{} }), webhook.LaneQueue},
		{"not without a success since a fast timeout", with(func(q *webhook.LaneQuestion) {
			q.Health.FastTimeout, q.Health.LastOK = now.Add(-time.Hour), now.Add(-time.Hour)
		}), webhook.LaneQueue},
		{"a record of 2 s is perhaps a redelivery", with(func(q *webhook.LaneQuestion) { q.Age = 2 * time.Second }), webhook.LaneQueue},
		{"a record under 2 s is not", with(func(q *webhook.LaneQuestion) { q.Age = 1999 * time.Millisecond }), webhook.LaneFast},
		{"an open breaker parks", with(func(q *webhook.LaneQuestion) { q.Health.Breaker = open }), webhook.LaneParked},
		{"a redelivery too", with(func(q *webhook.LaneQuestion) { q.Health.Breaker, q.Age = open, time.Hour }), webhook.LaneParked},
		{"a probe that is due goes by the queue", with(func(q *webhook.LaneQuestion) { q.Health.Breaker = due }), webhook.LaneQueue},
		{"one of a batch", with(func(q *webhook.LaneQuestion) { q.Health.Breaker, q.Probes = due, 1 }), webhook.LaneParked},
		{"without time nothing is parked", with(func(q *webhook.LaneQuestion) { q.Health.Breaker, q.TimeShort = open, true }), webhook.LaneQueue},
		{"no time left", with(func(q *webhook.LaneQuestion) { q.TimeShort = true }), webhook.LaneQueue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.ask.Choose(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
