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
		{"a fast target takes the fast lane", good, webhook.LaneFast},
		{"a slow target takes the queue", with(func(q *webhook.LaneQuestion) { q.Health.Latency = 500 * time.Millisecond }), webhook.LaneQueue},
		{"the queue within ten minutes of a fast timeout", with(func(q *webhook.LaneQuestion) { q.Health.FastTimeout = now.Add(-9 * time.Minute) }), webhook.LaneQueue},
		{"the fast lane ten minutes after a fast timeout", with(func(q *webhook.LaneQuestion) { q.Health.FastTimeout = now.Add(-10 * time.Minute) }), webhook.LaneFast},
		{"the fast lane for 32 attempts of a batch", with(func(q *webhook.LaneQuestion) { q.InBatch = 31 }), webhook.LaneFast},
		{"the queue for further attempts of a batch", with(func(q *webhook.LaneQuestion) { q.InBatch = 32 }), webhook.LaneQueue},
		{"the fast lane for the whole batch of a single webhook", with(func(q *webhook.LaneQuestion) { q.InBatch, q.Alone = 99, true }), webhook.LaneFast},
		{"the queue without health", webhook.LaneQuestion{Now: now}, webhook.LaneQueue},
		{"the queue without health for a single webhook", webhook.LaneQuestion{Alone: true, Now: now}, webhook.LaneQueue},
		{"the queue without a success", with(func(q *webhook.LaneQuestion) { q.Health.LastOK = time.Time{} }), webhook.LaneQueue},
		{"the queue without a success since a fast timeout", with(func(q *webhook.LaneQuestion) {
			q.Health.FastTimeout, q.Health.LastOK = now.Add(-time.Hour), now.Add(-time.Hour)
		}), webhook.LaneQueue},
		{"a record 2 s old may be a redelivery", with(func(q *webhook.LaneQuestion) { q.Age = 2 * time.Second }), webhook.LaneQueue},
		{"a record less than 2 s old is not a redelivery", with(func(q *webhook.LaneQuestion) { q.Age = 1999 * time.Millisecond }), webhook.LaneFast},
		{"an open breaker parks", with(func(q *webhook.LaneQuestion) { q.Health.Breaker = open }), webhook.LaneParked},
		{"an open breaker parks a redelivery", with(func(q *webhook.LaneQuestion) { q.Health.Breaker, q.Age = open, time.Hour }), webhook.LaneParked},
		{"a due probe takes the queue", with(func(q *webhook.LaneQuestion) { q.Health.Breaker = due }), webhook.LaneQueue},
		{"one probe per batch", with(func(q *webhook.LaneQuestion) { q.Health.Breaker, q.Probes = due, 1 }), webhook.LaneParked},
		{"an open breaker does not park when time is short", with(func(q *webhook.LaneQuestion) { q.Health.Breaker, q.TimeShort = open, true }), webhook.LaneQueue},
		{"the queue when time is short", with(func(q *webhook.LaneQuestion) { q.TimeShort = true }), webhook.LaneQueue},
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
