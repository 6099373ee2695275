package webhook_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// onBothStores runs a test on the embedded store and on that of DynamoDB.
func onBothStores(t *testing.T, run func(t *testing.T, r *registry)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		run(t, newRegistry(t))
	})
	t.Run("dynamo", func(t *testing.T) {
		t.Parallel()
		r := newRegistry(t)
		pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
		client := memdb.New(memdb.Config{Now: r.clock.Now, Tables: []memdb.Table{{Name: "w", PK: pk, SK: sk}, {Name: "e", PK: pk, SK: sk}}})
		store := dynamo.New(client, dynamo.Tables{Webhooks: "w", Events: "e"}, dynamo.Options{Now: r.clock.Now})
		r.Webhooks, r.Events = store.Webhooks(), store.Events()
		run(t, r)
	})
}

// fails reports a failed attempt of a webhook.
func (r *registry) fails(t *testing.T, id int32) {
	t.Helper()
	_, err := r.Webhooks.UpdateHealth(t.Context(), "Default", id, func(h webhook.Health) webhook.Health {
		return h.Observe(webhook.HealthReport{Activation: 1, At: r.clock.Now(), Error: failure.Status})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *registry) errorsOf(t *testing.T, id int32) int32 {
	t.Helper()
	healths, err := r.Webhooks.Health(t.Context(), "Default", []int32{id})
	if err != nil {
		t.Fatal(err)
	}
	return healths[id].TotalErrors
}

func TestRegistry_CreateOnceNeverReturnsTheIDOfADeletedWebhook(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, r *registry) {
		seen := map[int32]bool{}
		for i := range 4 {
			w, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft(secret("s")))
			if err != nil || repeated || seen[w.ID] || w.Activation != 1 {
				t.Fatalf("%d: got webhook %d, repeated %v, %v; the ids %v are used", i, w.ID, repeated, err, seen)
			}
			seen[w.ID] = true
			if n := r.errorsOf(t, w.ID); n != 0 {
				t.Errorf("%d: the new webhook starts with %d errors", i, n)
			}
			r.fails(t, w.ID)
			if n := r.errorsOf(t, w.ID); n != 1 {
				t.Errorf("%d: got %d errors, want 1", i, n)
			}
			again, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft(secret("s")))
			if diff := cmp.Diff(w, again); err != nil || !repeated || diff != "" {
				t.Errorf("%d: the key does not return the new webhook: repeated %v, %v\n%s", i, repeated, err, diff)
			}
			if current, _, _ := r.texts(t, again); current != "s" {
				t.Errorf("%d: got secret %q, want s", i, current)
			}
			r.clock.Advance(10 * time.Hour) // the key is remembered for 24 h from the latest create
			if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.CreateOnce(t.Context(), anna, "k", draft(state(webhook.StateStopped))); !errors.Is(err, webhook.ErrIdempotencyKeyReused) {
			t.Errorf("another draft: got %v, want %v", err, webhook.ErrIdempotencyKeyReused)
		}
		if n := len(r.intents(t)); n != 0 {
			t.Errorf("%d intents remain", n)
		}
	})
}

// A create that is overtaken by a repeat of itself and by a deletion of the result
// creates another webhook.
func TestRegistry_CreateOnceOvertakenByADeletion(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, r *registry) {
		ping := r.Ping
		overtaken := false
		r.Ping = func(ctx context.Context, post webhook.Post) webhook.Result {
			if !overtaken {
				overtaken = true
				w, _, err := r.CreateOnce(ctx, anna, "k", draft(secret("s")))
				if err != nil || w.ID != post.Webhook.ID {
					t.Errorf("the repeat: got webhook %d, %v", w.ID, err)
				}
				if err := r.Delete(ctx, anna, w.ID, nil); err != nil {
					t.Error(err)
				}
			}
			return ping(ctx, post)
		}
		w, repeated, err := r.CreateOnce(t.Context(), anna, "k", draft(secret("s")))
		if err != nil || repeated || w.ID == 1 {
			t.Errorf("got webhook %d, repeated %v, %v", w.ID, repeated, err)
		}
	})
}
