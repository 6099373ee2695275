package delivery_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The policies, in a table that reads like docs/delivery.md.
func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	failed := func(status int) webhook.Result {
		return webhook.Result{StatusCode: status, Error: failure.Status}
	}
	const middle = 0.5 // jitter that does not change a delay
	tests := []struct {
		name    string
		policy  webhook.Policy
		attempt int
		result  webhook.Result
		jitter  float64
		status  delivery.Status
		after   time.Duration // of the next attempt
		disable bool
	}{
		{name: "durable: a success delivers", policy: "durable", attempt: 1, result: webhook.Result{StatusCode: 204}, status: "delivered"},
		{name: "durable: 5 s after the first", policy: "durable", attempt: 1, result: failed(500), jitter: middle, status: "pending", after: 5 * time.Second},
		{name: "durable: 5 min after the second", policy: "durable", attempt: 2, result: failed(500), jitter: middle, status: "pending", after: 5 * time.Minute},
		{name: "durable: 30 min after the third", policy: "durable", attempt: 3, result: failed(500), jitter: middle, status: "pending", after: 30 * time.Minute},
		{name: "durable: 2 h after the fourth", policy: "durable", attempt: 4, result: failed(500), jitter: middle, status: "pending", after: 2 * time.Hour},
		{name: "durable: 5 h after the fifth", policy: "durable", attempt: 5, result: failed(500), jitter: middle, status: "pending", after: 5 * time.Hour},
		{name: "durable: 10 h after the sixth", policy: "durable", attempt: 6, result: failed(500), jitter: middle, status: "pending", after: 10 * time.Hour},
		{name: "durable: 14 h after the seventh", policy: "durable", attempt: 7, result: failed(500), jitter: middle, status: "pending", after: 14 * time.Hour},
		{name: "durable: 20 h after the eighth", policy: "durable", attempt: 8, result: failed(500), jitter: middle, status: "pending", after: 20 * time.Hour},
		{name: "durable: 24 h after the ninth", policy: "durable", attempt: 9, result: failed(500), jitter: middle, status: "pending", after: 24 * time.Hour},
		{name: "durable: failed after the tenth", policy: "durable", attempt: 10, result: failed(500), status: "failed"},
		{name: "durable: jitter subtracts up to a fifth", policy: "durable", attempt: 1, result: failed(500), jitter: 0, status: "pending", after: 4 * time.Second},
		{name: "durable: jitter adds up to a fifth", policy: "durable", attempt: 1, result: failed(500), jitter: 1, status: "pending", after: 6 * time.Second},
		{name: "superoffice: 1 s after the first", policy: "superoffice", attempt: 1, result: failed(500), status: "pending", after: time.Second},
		{name: "superoffice: 4 s after the second", policy: "superoffice", attempt: 2, result: failed(500), jitter: 1, status: "pending", after: 4 * time.Second},
		{name: "superoffice: failed after the third", policy: "superoffice", attempt: 3, result: failed(500), status: "failed"},
		{name: "a redirect is a failure", policy: "durable", attempt: 1, result: webhook.Result{StatusCode: 301, Error: failure.Redirect}, jitter: middle, status: "pending", after: 5 * time.Second},
		{name: "410 fails immediately and disables", policy: "durable", attempt: 1, result: failed(410), status: "failed", disable: true},
		{name: "410 disables under superoffice too", policy: "superoffice", attempt: 2, result: failed(410), status: "failed", disable: true},
		{name: "abort-message fails immediately", policy: "durable", attempt: 1, result: webhook.Result{StatusCode: 500, Error: failure.Aborted}, status: "failed"},
		{name: "too large a body fails immediately", policy: "durable", attempt: 1, result: webhook.Result{Error: failure.Body}, status: "failed"},
		{name: "too large a body fails immediately under superoffice too", policy: "superoffice", attempt: 2, result: webhook.Result{Error: failure.Body}, status: "failed"},
		{name: "Retry-After postpones the next attempt", policy: "durable", attempt: 1, result: webhook.Result{StatusCode: 503, Error: failure.Status, RetryAfter: time.Hour}, jitter: middle, status: "pending", after: time.Hour},
		{name: "Retry-After never advances the next attempt", policy: "durable", attempt: 2, result: webhook.Result{StatusCode: 429, Error: failure.Status, RetryAfter: time.Second}, jitter: middle, status: "pending", after: 5 * time.Minute},
		{name: "Retry-After is limited to 24 h", policy: "superoffice", attempt: 1, result: webhook.Result{StatusCode: 503, Error: failure.Status, RetryAfter: 1000 * time.Hour}, status: "pending", after: 24 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, disable := delivery.Decide(tt.policy, tt.attempt, tt.result, now, tt.jitter)
			if got.Status != tt.status || disable != tt.disable {
				t.Errorf("got status %q, disable %v; want %q, %v", got.Status, disable, tt.status, tt.disable)
			}
			if tt.status == delivery.StatusPending {
				if after := got.NextAt.Sub(now); after != tt.after {
					t.Errorf("got the next attempt after %v, want %v", after, tt.after)
				}
			} else if !got.NextAt.IsZero() {
				t.Errorf("got a next attempt at %v, want none", got.NextAt)
			}
			if (got.Reason != "") != (tt.status == delivery.StatusFailed) {
				t.Errorf("got reason %q for status %q", got.Reason, tt.status)
			}
		})
	}
}

func TestDecide_DurableSpansThreeDays(t *testing.T) {
	t.Parallel()
	var sum time.Duration
	for attempt := 1; ; attempt++ {
		o, _ := delivery.Decide(webhook.PolicyDurable, attempt, webhook.Result{Error: failure.Reset}, time.Time{}, 0.5)
		if o.Status != delivery.StatusPending {
			break
		}
		sum += o.NextAt.Sub(time.Time{})
	}
	if want := 75*time.Hour + 35*time.Minute + 5*time.Second; sum != want {
		t.Errorf("got a total of %v, want %v", sum, want)
	}
}
