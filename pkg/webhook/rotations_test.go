package webhook_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// guesses are drafts with the stored secrets or others in clear.
var guesses = map[string][]func(*webhook.Draft){
	"the secret":                     {secret("s"), header("X-Api-Key", webhook.MaskedSecret)},
	"another secret":                 {secret("t"), header("X-Api-Key", webhook.MaskedSecret)},
	"the header's value":             {header("X-Api-Key", "k")},
	"another header value":           {header("X-Api-Key", "l")},
	"an empty header value":          {header("X-Api-Key", "")},
	"both":                           {secret("s"), header("X-Api-Key", "k")},
	"the secret, the header dropped": {secret("s")},
}

// usedUp returns a webhook with secret s and header value k that has used up its
// rotations of today.
func usedUp(t *testing.T, r *registry) webhook.Webhook {
	t.Helper()
	w := r.create(t, secret("s"), header("X-Api-Key", "k"))
	for i := range 20 {
		r.mustSave(t, w.ID, secret(webhook.MaskedSecret), header("X-Api-Key", fmt.Sprint("k", i%2)))
		if i == 18 {
			r.mustSave(t, w.ID, secret("s"), header("X-Api-Key", webhook.MaskedSecret)) // the same secret, so no rotation
		}
	}
	return w
}

func TestRegistry_NoSecretIsAcceptedOnceTheRotationsAreUsedUp(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := usedUp(t, r)
	existing, err := r.Get(t.Context(), anna, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.pings = nil
	for name, changes := range guesses {
		var throttled *webhook.ThrottledError
		if _, err := r.save(t, w.ID, changes...); !errors.As(err, &throttled) {
			t.Errorf("%s: got %v, want a *ThrottledError", name, err)
		}
	}
	after, err := r.Get(t.Context(), anna, w.ID)
	if diff := cmp.Diff(existing, after); err != nil || diff != "" || len(r.pings) != 0 {
		t.Errorf("got %v, %d pings, a changed webhook (-want +got):\n%s", err, len(r.pings), diff)
	}
	r.mustSave(t, w.ID, secret(webhook.MaskedSecret), header("X-Api-Key", webhook.MaskedSecret), func(d *webhook.Draft) { d.Name = "m" })
	r.mustSave(t, w.ID, header("X-Api-Key", webhook.MaskedSecret))
}

func TestRegistry_AnEqualSecretIsNoRotation(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"), header("X-Api-Key", "k"))
	for range 30 {
		got := r.mustSave(t, w.ID, secret("s"), header("X-Api-Key", "k"))
		if got.Secret != w.Secret || got.Rotations != 0 {
			t.Fatalf("got secret %+v and %d rotations, want %+v and none", got.Secret, got.Rotations, w.Secret)
		}
	}
}

// A failing target would make guessing free if only a wrong guess were sent to it.
func TestRegistry_ATargetThatFailsTellsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"), header("X-Api-Key", "k"))
	r.answer = webhook.Result{Error: failure.Status, StatusCode: 500}
	said := map[string]int{}
	for name, changes := range guesses {
		r.pings = nil
		_, err := r.save(t, w.ID, changes...)
		var invalid *webhook.ValidationError
		if !errors.As(err, &invalid) || len(r.pings) != 1 {
			t.Errorf("%s: got %v and %d pings, want the target's response and 1 ping", name, err, len(r.pings))
			continue
		}
		said[err.Error()]++
	}
	if len(said) != 1 {
		t.Errorf("the responses differ: %v", said)
	}
}

// A test sends the secrets of the draft, so it compares nothing.
func TestRegistry_ATestTellsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := usedUp(t, r)
	for name, changes := range guesses {
		r.pings = nil
		result, err := r.TestDraft(t.Context(), anna, w.ID, draft(changes...))
		if err != nil || result.Error != failure.None || len(r.pings) != 1 {
			t.Errorf("%s: got %+v, %v and %d pings", name, result, err, len(r.pings))
			continue
		}
		if _, previous := r.pings[0].Secrets.InOrder(webhook.SignerCurrent, r.clock.Now()); !previous.IsZero() {
			t.Errorf("%s: the ping has the stored secret as well as the draft's", name)
		}
	}
}
