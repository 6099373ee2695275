package delivery_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestMessage_Gate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := webhook.Webhook{State: webhook.StateActive, Activation: 1}
	stopped := webhook.Webhook{State: webhook.StateStopped, Activation: 1}
	again := webhook.Webhook{State: webhook.StateActive, Activation: 2}
	open := webhook.Health{Activation: 1, Breaker: webhook.Breaker{Step: time.Minute, ProbeAt: now.Add(1)}}
	due := webhook.Health{Activation: 1, Breaker: webhook.Breaker{Step: time.Minute, ProbeAt: now}}
	first := delivery.Message{Round: 1, Attempt: 1}
	for _, tt := range []struct {
		name    string
		message delivery.Message
		webhook webhook.Webhook
		health  webhook.Health
		want    delivery.Gate
	}{
		{"a closed breaker", first, active, webhook.Health{Activation: 1}, delivery.GatePass},
		{"an open breaker", first, active, open, delivery.GatePark},
		{"a probe is due", first, active, due, delivery.GateProbe},
		{"a stopped webhook", first, stopped, open, delivery.GatePass},
		{"a re-activated webhook", first, again, open, delivery.GatePass},
		{"a manual attempt", delivery.Message{Round: 2, Attempt: 1}, active, due, delivery.GatePass},
		{"a later attempt of a manual round", delivery.Message{Round: 2, Attempt: 2}, active, open, delivery.GatePark},
		{"the first attempt of a job's round", delivery.Message{Round: 2, Attempt: 1, Replay: "job"}, active, open, delivery.GatePark},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.message.Gate(tt.webhook, tt.health, now); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
