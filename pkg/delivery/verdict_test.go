package delivery_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

func TestMessage_Verdict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := func(round, attempt int, status delivery.Status) delivery.Row {
		return delivery.Row{Status: status, Round: round, Attempt: attempt}
	}
	leased := func(d delivery.Row, until time.Time) delivery.Row {
		d.LeaseBy, d.LeaseUntil = "someone", until
		return d
	}
	for _, tt := range []struct {
		name           string
		round, attempt int
		row            delivery.Row
		want           delivery.Verdict
	}{
		{"no row for the first attempt", 1, 1, delivery.Row{}, delivery.VerdictEarly},
		{"no row for a later attempt", 1, 2, delivery.Row{}, delivery.VerdictOver},
		{"no row for a later round", 2, 1, delivery.Row{}, delivery.VerdictOver},
		{"a later round", 1, 1, row(2, 0, delivery.StatusPending), delivery.VerdictOver},
		{"a terminal row", 1, 2, row(1, 1, delivery.StatusDelivered), delivery.VerdictOver},
		{"a terminal row of an earlier round", 2, 1, row(1, 1, delivery.StatusFailed), delivery.VerdictEarly},
		{"a later attempt", 1, 1, leased(row(1, 2, delivery.StatusPending), now.Add(time.Second)), delivery.VerdictOver},
		{"this attempt, finished", 1, 1, row(1, 1, delivery.StatusPending), delivery.VerdictOver},
		{"this attempt, leased", 1, 1, leased(row(1, 1, delivery.StatusPending), now), delivery.VerdictHeld},
		{"this attempt, its lease expired", 1, 1, leased(row(1, 1, delivery.StatusPending), now.Add(-1)), delivery.VerdictEarly},
		{"the previous attempt, leased", 1, 2, leased(row(1, 1, delivery.StatusPending), now.Add(time.Second)), delivery.VerdictHeld},
		{"the previous attempt, finished", 1, 2, row(1, 1, delivery.StatusPending), delivery.VerdictEarly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := delivery.AttemptMessage(delivery.Key{Tenant: "Default", Webhook: 1}, tt.round, tt.attempt, "")
			if got := m.Verdict(tt.row, now); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
