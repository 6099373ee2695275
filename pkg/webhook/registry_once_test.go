package webhook_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestRegistry_CreateOnce(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	first, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft(secret("s"), header("X-Key", "1")))
	if err != nil || repeated {
		t.Fatalf("first: repeated %v, %v", repeated, err)
	}
	// Secrets do not count: clients generate a new one for every try.
	second, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft(secret("t"), header("X-Key", "2")))
	if diff := cmp.Diff(first, second); err != nil || !repeated || diff != "" {
		t.Errorf("second: repeated %v, %v (-want +got):\n%s", repeated, err, diff)
	}
	if len(r.pings) != 1 {
		t.Errorf("got %d pings, want 1", len(r.pings))
	}
	for name, other := range map[string]webhook.Draft{
		"another target":          draft(secret("s"), header("X-Key", "1"), func(d *webhook.Draft) { d.TargetURL = "https://example.org/" }),
		"no secret":               draft(header("X-Key", "1")),
		"another header, visible": draft(secret("s"), header("X-Key", "1"), header("X-B", "b")),
		"another event":           draft(secret("s"), header("X-Key", "1"), func(d *webhook.Draft) { d.Events = []string{"a"} }),
		"one more event":          draft(secret("s"), header("X-Key", "1"), func(d *webhook.Draft) { d.Events = append(d.Events, "a") }),
		"an error address":        draft(secret("s"), header("X-Key", "1"), func(d *webhook.Draft) { d.ErrorEmails = []string{"a"} }),
		"stopped":                 draft(secret("s"), header("X-Key", "1"), state(webhook.StateStopped)),
	} {
		if _, _, err := r.CreateOnce(t.Context(), anna, "k", other); !errors.Is(err, webhook.ErrIdempotencyKeyReused) {
			t.Errorf("%s: got %v, want %v", name, err, webhook.ErrIdempotencyKeyReused)
		}
	}
	app := anna
	app.App = "app"
	for name, who := range map[string]webhook.Principal{"another app": app, "another tenant": {Tenant: "Other"}} {
		if _, repeated, err := r.CreateOnce(t.Context(), who, "k", draft()); err != nil || repeated {
			t.Errorf("%s: repeated %v, %v", name, repeated, err)
		}
	}
	r.clock.Advance(24 * time.Hour)
	if w, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft()); err != nil || repeated || w.ID == first.ID {
		t.Errorf("a day later: got webhook %d, repeated %v, %v", w.ID, repeated, err)
	}
}

func TestRegistry_CreateOnceCompletesACreateThatDied(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	store := r.Webhooks
	r.Webhooks = dying{store}
	if _, _, err := r.CreateOnce(t.Context(), anna, "k", draft()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, webhook.ErrUnavailable)
	}
	r.Webhooks = store
	w, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft())
	if err != nil || repeated || w.ID != 1 {
		t.Errorf("got webhook %d, repeated %v, %v; want the id of the first try", w.ID, repeated, err)
	}
}

// gathering is a webhook store whose creates wait for each other.
type gathering struct {
	webhook.Webhooks
	all *sync.WaitGroup
}

func (g gathering) Create(ctx context.Context, w webhook.Webhook) error {
	g.all.Done()
	g.all.Wait()
	return g.Webhooks.Create(ctx, w)
}

func TestRegistry_CreateOnceConcurrently(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.SkipTargetCheck = true
	var all, callers sync.WaitGroup
	all.Add(4)
	r.Webhooks = gathering{r.Webhooks, &all}
	for range 4 {
		callers.Go(func() {
			w, _, err := r.CreateOnce(t.Context(), anna, "k", draft(secret("s")))
			if err != nil {
				t.Error(err)
				return
			}
			if current, _, _ := r.texts(t, w); current != "s" {
				t.Errorf("got secret %q, want s", current)
			}
		})
	}
	callers.Wait()
	list, _, err := r.List(t.Context(), anna, 0, 10)
	if err != nil || len(list) != 1 || len(r.intents(t)) != 0 {
		t.Errorf("got %d webhooks, %v, %d intents; want one webhook", len(list), err, len(r.intents(t)))
	}
}
