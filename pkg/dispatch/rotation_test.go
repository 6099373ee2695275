package dispatch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// rotate sets a secret document with two secrets and its own version.
func (s *site) rotate(version string) {
	s.t.Helper()
	ref, err := s.db.Secrets().Create(s.t.Context(), "p/Default/1/"+version, webhook.SecretDocument{
		Current: webhook.NewSecret("new"), Previous: webhook.NewSecret("old"), PreviousUntil: start.AddDate(1, 0, 0),
	})
	s.must(err)
	s.change(func(w *webhook.Webhook) { w.Secret = ref })
}

// undecided is the result of a POST whose target refused the first secret and left
// no time for the other.
func undecided(p webhook.Post) webhook.Result {
	other := webhook.SignerPrevious
	if p.First == other {
		other = webhook.SignerCurrent
	}
	return webhook.Result{StatusCode: 401, Error: failure.Status, Response: "401", Signer: other, Undecided: true}
}

func TestStream_AnUndecidedAttemptIsEnqueuedAndIsACallWithoutAnError(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rotate("a")
	s.earn()
	before := s.health()
	s.answer = undecided
	writes := s.countWrites()
	batch := s.records(30)
	if failed := s.Stream(t.Context(), batch); failed != "" {
		t.Fatalf("failed at %q", failed)
	}
	if len(s.posts) > 16 {
		t.Errorf("got %d attempts, want only those in flight at the first one", len(s.posts))
	}
	for _, r := range batch {
		if s.event = r.Event; s.row().Exists() {
			t.Fatalf("a row was written: %+v", s.row())
		}
	}
	after := s.health()
	before.Signing = webhook.Preference{Version: s.hook.Secret.Version, Signer: webhook.SignerPrevious}
	before.TotalCalls += int32(len(s.posts))
	before.Version = after.Version
	if n := writes.Load(); n > 2 {
		t.Errorf("health was written %d times; want the first attempt's write and at most one for the rest of the batch", n)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	if got := len(s.messages()); got != 30 {
		t.Errorf("got %d messages, want all 30 deliveries", got)
	}
	s.posts, s.answer = nil, nil
	s.consume(s.attempt(1, 1))
	if len(s.posts) != 1 || s.posts[0].First != webhook.SignerPrevious || s.posts[0].Retry != 0 {
		t.Errorf("from the queue: got %+v, want a first attempt with the secret that was not refused", s.posts)
	}
}

func TestQueue_StartsWithTheSecretThatWasAcceptedLast(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rotate("a")
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{StatusCode: 200, Repeats: 1, Signer: webhook.SignerPrevious}
	}
	first := func(of *site) webhook.Signer {
		t.Helper()
		of.event = of.put("contact.changed")
		of.clock.Advance(1)
		if !of.consume(of.attempt(1, 1)) {
			t.Fatal("the message is not done")
		}
		return of.posts[len(of.posts)-1].First
	}
	for i, want := range []webhook.Signer{webhook.SignerNone, webhook.SignerPrevious} {
		s.clock.Advance(1e6)
		if got := first(s); got != want {
			t.Errorf("attempt %d starts with %q, want %q", i+1, got, want)
		}
	}
	if h := s.health(); h.TotalCalls != 4 || h.TotalErrors != 0 {
		t.Errorf("got %d calls and %d errors, want every POST counted and no error", h.TotalCalls, h.TotalErrors)
	}
	s.Engine = s.engine(nil) // another process
	s.Random = s.db.Random
	s.clock.Advance(1e6)
	if got := first(s); got != webhook.SignerPrevious {
		t.Errorf("another process starts with %q", got)
	}
	s.rotate("b")
	s.clock.Advance(1e6)
	if got := first(s); got != webhook.SignerNone {
		t.Errorf("the next rotation starts with %q, want its new secret", got)
	}
}

// Before a second POST, an attempt checks that the webhook has not changed: a secret
// that was revoked in the meantime must not sign.
func TestPost_UnchangedSeesEveryChange(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"queue", "fast"} {
		for _, change := range []string{"none", "its secret", "its state", "deleted"} {
			t.Run(lane+" "+change, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.rotate("a")
				s.earn()
				asked := 0
				s.answer = func(p webhook.Post) webhook.Result {
					switch change {
					case "its secret":
						s.rotate("b")
					case "its state":
						s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped })
					case "deleted":
						s.must(s.db.Webhooks().Delete(t.Context(), tenant, s.hook.ID, s.hook.Revision, webhook.Change{}))
					}
					s.clock.Advance(3e9) // the view of the webhooks is too old
					asked++
					if got := p.Unchanged(t.Context()); got != (change == "none") {
						t.Errorf("unchanged: %v", got)
					}
					return webhook.Result{StatusCode: 200}
				}
				if lane == "fast" {
					s.Stream(t.Context(), s.records(1))
				} else {
					s.consume(s.attempt(1, 1))
				}
				if asked != 1 {
					t.Errorf("%d attempts", asked)
				}
			})
		}
	}
}
