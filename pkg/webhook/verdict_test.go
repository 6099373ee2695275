package webhook_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestMessage_Verdict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := func(round, attempt int, status webhook.Status) webhook.Delivery {
		return webhook.Delivery{Status: status, Round: round, Attempt: attempt}
	}
	leased := func(d webhook.Delivery, until time.Time) webhook.Delivery {
		d.LeaseBy, d.LeaseUntil = "someone", until
		return d
	}
	for _, tt := range []struct {
		name           string
		round, attempt int
		row            webhook.Delivery
		want           webhook.Verdict
	}{
		{"no row for the first attempt", 1, 1, webhook.Delivery{}, webhook.VerdictEarly},
		{"no row for a later attempt", 1, 2, webhook.Delivery{}, webhook.VerdictOver},
		{"no row for a later round", 2, 1, webhook.Delivery{}, webhook.VerdictOver},
		{"a later round", 1, 1, row(2, 0, webhook.StatusPending), webhook.VerdictOver},
		{"a terminal row", 1, 2, row(1, 1, webhook.StatusDelivered), webhook.VerdictOver},
		{"a terminal row of an earlier round", 2, 1, row(1, 1, webhook.StatusFailed), webhook.VerdictEarly},
		{"a later attempt", 1, 1, leased(row(1, 2, webhook.StatusPending), now.Add(time.Second)), webhook.VerdictOver},
		{"this attempt, finished", 1, 1, row(1, 1, webhook.StatusPending), webhook.VerdictOver},
		{"this attempt, leased", 1, 1, leased(row(1, 1, webhook.StatusPending), now), webhook.VerdictHeld},
		{"this attempt, its lease expired", 1, 1, leased(row(1, 1, webhook.StatusPending), now.Add(-1)), webhook.VerdictEarly},
		{"the previous attempt, leased", 1, 2, leased(row(1, 1, webhook.StatusPending), now.Add(time.Second)), webhook.VerdictHeld},
		{"the previous attempt, finished", 1, 2, row(1, 1, webhook.StatusPending), webhook.VerdictEarly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := webhook.AttemptMessage(webhook.DeliveryKey{Tenant: "Default", Webhook: 1}, tt.round, tt.attempt, "")
			if got := m.Verdict(tt.row, now); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
