package webhook_test

import (
	"testing"
	"time"

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
	first := webhook.Message{Round: 1, Attempt: 1}
	for _, tt := range []struct {
		name    string
		message webhook.Message
		webhook webhook.Webhook
		health  webhook.Health
		want    webhook.Gate
	}{
		{"a closed breaker", first, active, webhook.Health{Activation: 1}, webhook.GatePass},
		{"an open breaker", first, active, open, webhook.GatePark},
		{"a probe is due", first, active, due, webhook.GateProbe},
		{"a stopped webhook", first, stopped, open, webhook.GatePass},
		{"a re-activated webhook", first, again, open, webhook.GatePass},
		{"a manual attempt", webhook.Message{Round: 2, Attempt: 1}, active, due, webhook.GatePass},
		{"a later attempt of a manual round", webhook.Message{Round: 2, Attempt: 2}, active, open, webhook.GatePark},
		{"the first attempt of a job's round", webhook.Message{Round: 2, Attempt: 1, Replay: "job"}, active, open, webhook.GatePark},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.message.Gate(tt.webhook, tt.health, now); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
