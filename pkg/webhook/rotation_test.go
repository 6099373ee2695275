package webhook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSecretDocument_InOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	both := webhook.SecretDocument{Current: webhook.NewSecret("new"), Previous: webhook.NewSecret("old"), PreviousUntil: at}
	for _, tt := range []struct {
		name                  string
		doc                   webhook.SecretDocument
		first                 webhook.Signer
		now                   time.Time
		wantFirst, wantSecond string
	}{
		{"no preference", both, webhook.SignerNone, at.Add(-1), "new", "old"},
		{"the current one", both, webhook.SignerCurrent, at.Add(-1), "new", "old"},
		{"the previous one", both, webhook.SignerPrevious, at.Add(-1), "old", "new"},
		{"the previous one after the overlap", both, webhook.SignerPrevious, at, "new", ""},
		{"the current one after the overlap", both, webhook.SignerCurrent, at, "new", ""},
		{"a previous one that does not exist", webhook.SecretDocument{Current: both.Current}, webhook.SignerPrevious, at, "new", ""},
		{"no secret", webhook.SecretDocument{}, webhook.SignerPrevious, at, "", ""},
		{"no current secret", webhook.SecretDocument{Previous: both.Previous, PreviousUntil: at}, webhook.SignerPrevious, at.Add(-1), "", ""},
	} {
		one, two := tt.doc.InOrder(tt.first, tt.now)
		if one.Reveal() != tt.wantFirst || two.Reveal() != tt.wantSecond {
			t.Errorf("%s: got %q, %q, want %q, %q", tt.name, one.Reveal(), two.Reveal(), tt.wantFirst, tt.wantSecond)
		}
	}
}

func TestPreference_CountsForOneVersion(t *testing.T) {
	t.Parallel()
	p := webhook.Preference{Version: "v1", Signer: webhook.SignerPrevious}
	if got := p.For(webhook.SecretRef{Name: "n", Version: "v1"}); got != webhook.SignerPrevious {
		t.Errorf("for its version: got %q", got)
	}
	if got := p.For(webhook.SecretRef{Name: "n", Version: "v2"}); got != webhook.SignerNone {
		t.Errorf("for the next version: got %q, want the new secret first", got)
	}
}

func TestHealth_ObservesRotations(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	old := webhook.Preference{Version: "v1", Signer: webhook.SignerPrevious}
	fresh := webhook.Preference{Version: "v1", Signer: webhook.SignerCurrent}
	for _, tt := range []struct {
		name    string
		reports []webhook.HealthReport
		want    webhook.Health
	}{
		{
			"accepted after one refusal: two calls, no error, the latency of one response",
			[]webhook.HealthReport{{Activation: 1, At: at, Duration: 800 * time.Millisecond, Repeats: 1, Signing: old}},
			webhook.Health{TotalCalls: 2, Activation: 1, LastOK: at, Latency: 400 * time.Millisecond, Signing: old},
		},
		{
			"two refusals: two calls, one error",
			[]webhook.HealthReport{{Activation: 1, At: at, Duration: time.Second, Error: failure.Status, LastError: "403", Repeats: 1}},
			webhook.Health{
				TotalCalls: 2, TotalErrors: 1, ConsecutiveErrors: 1, LastError: "403", Activation: 1, FailingSince: at, LastCounted: at,
				Latency: 500 * time.Millisecond, Breaker: webhook.Breaker{Failures: 1},
			},
		},
		{
			"an undecided attempt shows which secret to start with and is a call without an error",
			[]webhook.HealthReport{{Activation: 1, At: at, Duration: time.Second, Error: failure.Status, LastError: "401", Signing: old, Undecided: true}},
			webhook.Health{TotalCalls: 1, Activation: 1, Signing: old},
		},
		{
			"an undecided one whose second POST was cut short is two calls and no error",
			[]webhook.HealthReport{{Activation: 1, At: at, Duration: time.Second, Error: failure.Timeout, Signing: old, Undecided: true, Repeats: 1}},
			webhook.Health{TotalCalls: 2, Activation: 1, Signing: old},
		},
		{
			"an attempt that began before the last success does not change which secret is accepted",
			[]webhook.HealthReport{{Activation: 1, At: at, Signing: fresh}, {Activation: 1, At: at.Add(-time.Second), Signing: old}},
			webhook.Health{TotalCalls: 2, Activation: 1, LastOK: at, Signing: fresh},
		},
	} {
		if diff := cmp.Diff(tt.want, webhook.Health{}.Observe(tt.reports...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestHealth_AnUndecidedProbeIsOver(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	h := failing(10)
	h.Breaker = h.Breaker.Probe("p", at.Add(24*time.Hour), time.Minute, 0.5)
	got := h.Observe(webhook.HealthReport{Activation: h.Activation, At: at.Add(24 * time.Hour), Error: failure.Timeout, Probe: "p", Undecided: true})
	if got.Breaker.ProbeBy != "" || !got.Breaker.Open() || got.TotalErrors != h.TotalErrors {
		t.Errorf("got %+v, want an open breaker without a probe and no new error", got.Breaker)
	}
}

func TestBreaker_GiveBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	for _, step := range []time.Duration{30 * time.Second, 32 * time.Minute, time.Hour} {
		found := webhook.Breaker{Failures: 10, Step: step, ProbeAt: at}
		taken := found.Probe("p", at, time.Minute, 0.5)
		if diff := cmp.Diff(found, taken.GiveBack("p", found)); diff != "" {
			t.Errorf("a step of %v (-found +given back):\n%s", step, diff)
		}
		if got := taken.GiveBack("another", found); got != taken {
			t.Errorf("by another attempt: got %+v, want no change", got)
		}
	}
	if got := (webhook.Breaker{}).GiveBack("p", webhook.Breaker{Step: time.Minute}); got.Open() {
		t.Error("a breaker that has closed is open again")
	}
}
