package webhook_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// guesses are drafts that state the stored secrets, or others.
var guesses = map[string][]func(*webhook.Draft){
	"the secret":                     {secret("s"), header("X-Api-Key", webhook.MaskedSecret)},
	"another secret":                 {secret("t"), header("X-Api-Key", webhook.MaskedSecret)},
	"the header's value":             {header("X-Api-Key", "k")},
	"another value of the header":    {header("X-Api-Key", "l")},
	"an empty value of the header":   {header("X-Api-Key", "")},
	"both":                           {secret("s"), header("X-Api-Key", "k")},
	"the secret, the header dropped": {secret("s")},
}

// usedUp gives a webhook with secret s and header value k that was given as
// many secrets today as it may be.
func usedUp(t *testing.T, r *registry) webhook.Webhook {
	t.Helper()
	w := r.create(t, secret("s"), header("X-Api-Key", "k"))
	for i := range 20 {
		r.mustSave(t, w.ID, secret(webhook.MaskedSecret), header("X-Api-Key", fmt.Sprint("k", i%2)))
		if i == 18 {
			r.mustSave(t, w.ID, secret("s"), header("X-Api-Key", webhook.MaskedSecret)) // equal, so no rotation
		}
	}
	return w
}

func TestRegistry_NoSecretIsAcceptedOnceTheRotationsAreUsedUp(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := usedUp(t, r)
	stands, err := r.Get(t.Context(), anna, w.ID)
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
	if diff := cmp.Diff(stands, after); err != nil || diff != "" || len(r.pings) != 0 {
		t.Errorf("%v, %d pings, the webhook changed:\n%s", err, len(r.pings), diff)
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
			t.Fatalf("the secret's reference is %+v after %d rotations, want %+v", got.Secret, got.Rotations, w.Secret)
		}
	}
}

// A target that fails makes guessing free, if a wrong guess alone reaches it.
func TestRegistry_ATargetThatFailsTellsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"), header("X-Api-Key", "k"))
	r.answer = webhook.Result{Error: webhook.AttemptStatus, StatusCode: 500}
	said := map[string]int{}
	for name, changes := range guesses {
		r.pings = nil
		_, err := r.save(t, w.ID, changes...)
		var invalid *webhook.ValidationError
		if !errors.As(err, &invalid) || len(r.pings) != 1 {
			t.Errorf("%s: got %v and %d pings, want the target's answer", name, err, len(r.pings))
			continue
		}
		said[err.Error()]++
	}
	if len(said) != 1 {
		t.Errorf("the answers differ: %v", said)
	}
}

// A test sends what was stated, so it has nothing to compare.
func TestRegistry_ATestTellsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := usedUp(t, r)
	for name, changes := range guesses {
		r.pings = nil
		result, err := r.TestDraft(t.Context(), anna, w.ID, draft(changes...))
		if err != nil || result.Error != webhook.AttemptOK || len(r.pings) != 1 {
			t.Errorf("%s: got %+v, %v and %d pings", name, result, err, len(r.pings))
			continue
		}
		if _, previous := r.pings[0].Secrets.InOrder(webhook.SignerCurrent, r.clock.Now()); !previous.IsZero() {
			t.Errorf("%s: the ping has the stored secret beside the stated one", name)
		}
	}
}
