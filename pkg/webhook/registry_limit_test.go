package webhook_test

import (
	"context"
	"errors"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// filling is a store in which another caller reaches the limit between HasRoom and
// Create.
type filling struct{ webhook.Webhooks }

func (f filling) HasRoom(context.Context, webhook.Tenant) error { return nil }

func TestRegistry_CreateAtTheLimit(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.Webhooks = r.db.Webhooks().Limited(2)
	first, _, err := r.CreateOnce(t.Context(), anna, "first", draft())
	if err != nil {
		t.Fatal(err)
	}
	r.create(t)
	pings := len(r.pings)
	refused := func(what string, err error) {
		t.Helper()
		var full *webhook.LimitError
		if !errors.As(err, &full) || full.Webhooks != 2 {
			t.Errorf("%s: got %v, want a limit of 2", what, err)
		}
		if got := r.intents(t); len(got) != 0 {
			t.Errorf("%s: intents %v remain", what, got)
		}
	}
	_, err = r.Create(t.Context(), anna, draft(secret("s")))
	refused("a create", err)
	_, _, err = r.CreateOnce(t.Context(), anna, "second", draft(secret("s")))
	refused("a create with a key", err)
	if len(r.pings) != pings {
		t.Error("the target was pinged for a webhook beyond the limit")
	}
	limited := r.Webhooks
	r.Webhooks = filling{limited}
	_, err = r.Create(t.Context(), anna, draft(secret("s"))) // its secret is deleted
	refused("a create that lost the race for the last webhook", err)
	r.Webhooks = limited

	if w, repeated, err := r.CreateOnce(t.Context(), anna, "first", draft()); err != nil || !repeated || w.ID != first.ID {
		t.Errorf("a repeated create: got webhook %d, repeated %v, %v", w.ID, repeated, err)
	}
	if _, err := r.save(t, first.ID); err != nil {
		t.Errorf("a save: %v", err)
	}
	if _, err := r.Create(t.Context(), webhook.Principal{Tenant: "Other"}, draft()); err != nil {
		t.Errorf("another tenant's create: %v", err)
	}
	if err := r.Delete(t.Context(), anna, first.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.CreateOnce(t.Context(), anna, "second", draft(secret("s"))); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
}
