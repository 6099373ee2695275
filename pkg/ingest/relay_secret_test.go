package ingest_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestRelay_RotatesWithAnOverlap(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wants := func(what, secret string, status int) {
		t.Helper()
		if w := b.post("/in/v1/crm", body, signed(secret, body)); w.Code != status {
			t.Errorf("%s: got %d, want %d", what, w.Code, status)
		}
	}
	wants("the first secret", secret, 200)
	b.rotate("crm", webhook.SecretDocument{
		Current: webhook.NewSecret(newer), Previous: webhook.NewSecret(secret), PreviousUntil: now.Add(time.Hour),
	})
	wants("the new secret at once", newer, 200)
	wants("the previous one", secret, 200)
	b.clock.Advance(time.Hour - 1)
	wants("the previous one until its end", secret, 200)
	b.clock.Advance(1)
	wants("the previous one after its end", secret, 401)
	wants("the new secret", newer, 200)
}

// A revoked secret stops verifying within 5 s, also while the source cannot be
// read.
func TestRelay_ARevokedSecretStopsVerifying(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, webhook.ErrUnavailable} {
		b := newBench(t)
		if status := b.relayed(body); status != 200 {
			t.Fatalf("got %d", status)
		}
		b.rotate("crm", webhook.SecretDocument{Current: webhook.NewSecret(newer)})
		b.sources.fail(err)
		b.clock.Advance(5 * time.Second)
		if status := b.relayed(body); status == 200 {
			t.Errorf("with the error %v a revoked secret verifies after 5 s", err)
		}
	}
}

func TestRelay_ADeletedSourceIsGoneWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wants := func(what, secret string, status int) {
		t.Helper()
		if w := b.post("/in/v1/crm", body, signed(secret, body)); w.Code != status {
			t.Errorf("%s: got %d, want %d", what, w.Code, status)
		}
	}
	wants("before", secret, 200)
	if err := b.sources.Delete(t.Context(), "crm", 1); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(5*time.Second - 1)
	wants("until then", secret, 200)
	wants("an invalid signature", newer, 404)
	wants("once that is known", secret, 404)
	// And one of the same name is there at once.
	b.put(source.Source{Name: "crm", Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust12345"}}, newer)
	wants("a new source", newer, 200)
	if err := b.sources.Delete(t.Context(), "crm", 1); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(5 * time.Second)
	wants("five seconds after its end", newer, 404)
}

// What a POST costs in reads of its source.
func TestRelay_ReadsASourceAtMostOncePerCall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		what   string
		secret string
		path   string
		reads  int
	}{
		{"the first that does not verify", newer, "/in/v1/crm", 1},
		{"the first that verifies", secret, "/in/v1/crm", 0},
		{"a second that does not", newer, "/in/v1/crm", 1},
		{"an unknown source", secret, "/in/v1/nothing", 1},
		{"an unknown source again", secret, "/in/v1/nothing", 1},
	} {
		before, _ := b.sources.calls()
		b.post(c.path, body, signed(c.secret, body))
		if after, _ := b.sources.calls(); after-before != c.reads {
			t.Errorf("%s: %d reads, want %d", c.what, after-before, c.reads)
		}
	}
}
