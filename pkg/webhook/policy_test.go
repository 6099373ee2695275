package webhook_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestPolicy_Exhausted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return now.Add(-time.Duration(n) * 24 * time.Hour) }
	tests := []struct {
		name   string
		policy webhook.Policy
		errors int32
		since  time.Time
		want   bool
	}{
		{"superoffice: 8 in a row do not disable", "superoffice", 8, days(1), false},
		{"superoffice: 9 in a row disable", "superoffice", 9, now, true},
		{"durable: 9 within a day do not disable", "durable", 9, days(1), false},
		{"durable: 8 over five days do not disable", "durable", 8, days(5), false},
		{"durable: 9 over five days disable", "durable", 9, days(5), true},
		{"durable: 9 in just under five days do not disable", "durable", 9, days(5).Add(time.Second), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := webhook.Health{ConsecutiveErrors: tt.errors, FailingSince: tt.since}
			if got := tt.policy.Exhausted(h, now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
