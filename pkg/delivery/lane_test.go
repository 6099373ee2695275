package delivery_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestLaneQuestion_Choose(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	good := delivery.LaneQuestion{Known: true, Now: now, Health: webhook.Health{Latency: 20 * time.Millisecond, LastOK: now}}
	with := func(change func(*delivery.LaneQuestion)) delivery.LaneQuestion {
		q := good
		change(&q)
		return q
	}
	open := webhook.Breaker{Failures: 10, Step: time.Minute, ProbeAt: now.Add(time.Second)}
	due := webhook.Breaker{Failures: 10, Step: time.Minute, ProbeAt: now}
	tests := []struct {
		name string
		ask  delivery.LaneQuestion
		want delivery.Lane
	}{
		{"a fast target takes the fast lane", good, delivery.LaneFast},
		{"a slow target takes the queue", with(func(q *delivery.LaneQuestion) { q.Health.Latency = 500 * time.Millisecond }), delivery.LaneQueue},
		{"the queue within ten minutes of a fast timeout", with(func(q *delivery.LaneQuestion) { q.Health.FastTimeout = now.Add(-9 * time.Minute) }), delivery.LaneQueue},
		{"the fast lane ten minutes after a fast timeout", with(func(q *delivery.LaneQuestion) { q.Health.FastTimeout = now.Add(-10 * time.Minute) }), delivery.LaneFast},
		{"the fast lane for any number of attempts in a small batch", with(func(q *delivery.LaneQuestion) { q.InBatch, q.Fast = 99, 1023 }), delivery.LaneFast},
		{"the fast lane for 32 attempts of a large batch", with(func(q *delivery.LaneQuestion) { q.InBatch, q.Fast = 31, 9999 }), delivery.LaneFast},
		{"the queue for further attempts of a large batch", with(func(q *delivery.LaneQuestion) { q.InBatch, q.Fast = 32, 1024 }), delivery.LaneQueue},
		{"the fast lane for the whole batch of a single webhook", with(func(q *delivery.LaneQuestion) { q.InBatch, q.Fast, q.Alone = 9999, 9999, true }), delivery.LaneFast},
		{"the queue without health", delivery.LaneQuestion{Now: now}, delivery.LaneQueue},
		{"the queue without a success", with(func(q *delivery.LaneQuestion) { q.Health.LastOK = time.Time{} }), delivery.LaneQueue},
		{"the queue without a success since a fast timeout", with(func(q *delivery.LaneQuestion) {
			q.Health.FastTimeout, q.Health.LastOK = now.Add(-time.Hour), now.Add(-time.Hour)
		}), delivery.LaneQueue},
		{"a record 2 s old may be a redelivery", with(func(q *delivery.LaneQuestion) { q.Age = 2 * time.Second }), delivery.LaneQueue},
		{"a record less than 2 s old is not a redelivery", with(func(q *delivery.LaneQuestion) { q.Age = 1999 * time.Millisecond }), delivery.LaneFast},
		{"an open breaker parks", with(func(q *delivery.LaneQuestion) { q.Health.Breaker = open }), delivery.LaneParked},
		{"an open breaker parks a redelivery", with(func(q *delivery.LaneQuestion) { q.Health.Breaker, q.Age = open, time.Hour }), delivery.LaneParked},
		{"a due probe takes the queue", with(func(q *delivery.LaneQuestion) { q.Health.Breaker = due }), delivery.LaneQueue},
		{"one probe per batch", with(func(q *delivery.LaneQuestion) { q.Health.Breaker, q.Probes = due, 1 }), delivery.LaneParked},
		{"an open breaker does not park when time is short", with(func(q *delivery.LaneQuestion) { q.Health.Breaker, q.TimeShort = open, true }), delivery.LaneQueue},
		{"the queue when time is short", with(func(q *delivery.LaneQuestion) { q.TimeShort = true }), delivery.LaneQueue},
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
