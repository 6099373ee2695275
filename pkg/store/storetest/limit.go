package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// full reports whether err says that a tenant's webhooks are at the limit.
func full(err error, limit int) bool {
	var e *webhook.LimitError
	return errors.As(err, &e) && e.Webhooks == limit
}

func testLimit(t *testing.T, h Harness) {
	t.Run("Create beyond the limit is a LimitError and changes nothing", func(t *testing.T) {
		t.Parallel()
		store, tenant := h.Limited(2), newTenant(t)
		must(t, store.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		must(t, store.HasRoom(t.Context(), tenant))
		must(t, store.Create(t.Context(), bareWebhook(tenant, 2, "a.b")))
		before := epoch(t, h, tenant)
		if err := store.HasRoom(t.Context(), tenant); !full(err, 2) {
			t.Errorf("HasRoom: got %v", err)
		}
		if err := store.Create(t.Context(), bareWebhook(tenant, 3, "a.b")); !full(err, 2) {
			t.Errorf("Create: got %v", err)
		}
		if _, err := store.Get(t.Context(), tenant, 3); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Get: got %v", err)
		}
		if got := subscribed(t, h, tenant, "a.b"); len(got) != 2 || epoch(t, h, tenant) != before {
			t.Errorf("subscribed are %v, or the epoch changed", got)
		}
		must(t, store.Create(t.Context(), bareWebhook(newTenant(t), 3, "a.b"))) // another tenant's count
	})
	t.Run("Create of a taken id is ErrExists at the limit too", func(t *testing.T) {
		t.Parallel()
		store, tenant := h.Limited(1), newTenant(t)
		must(t, store.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		if err := store.Create(t.Context(), bareWebhook(tenant, 1, "a.b")); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
	})
	t.Run("only a successful Create counts toward the limit, and only a successful Delete is subtracted", func(t *testing.T) {
		t.Parallel()
		store, tenant := h.Limited(2), newTenant(t)
		w := bareWebhook(tenant, 1, "a.b")
		must(t, store.Create(t.Context(), w))
		for range 3 {
			if err := store.Create(t.Context(), w); !errors.Is(err, webhook.ErrExists) {
				t.Errorf("got %v, want ErrExists", err)
			}
			if err := store.Delete(t.Context(), tenant, w.ID, 7, webhook.Change{}); !errors.Is(err, webhook.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			if err := store.Delete(t.Context(), tenant, 9, 1, webhook.Change{}); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
			w.Revision++
			must(t, store.Update(t.Context(), w, webhook.Change{}))
			w.Revision = 1
			must(t, store.Delete(t.Context(), tenant, w.ID, 2, webhook.Change{}))
			w.ID += 10 // ids are never reused
			must(t, store.Create(t.Context(), w))
		}
		must(t, store.Create(t.Context(), bareWebhook(tenant, 2, "a.b")))
		if err := store.Create(t.Context(), bareWebhook(tenant, 3, "a.b")); !full(err, 2) {
			t.Errorf("got %v, want the limit", err)
		}
	})
	t.Run("a store without a limit counts for a store with one", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 2, "a.b")))
		if err := h.Limited(2).Create(t.Context(), bareWebhook(tenant, 3, "a.b")); !full(err, 2) {
			t.Errorf("got %v, want the limit", err)
		}
		must(t, h.Webhooks.Delete(t.Context(), tenant, 1, 1, webhook.Change{}))
		must(t, h.Limited(2).Create(t.Context(), bareWebhook(tenant, 3, "a.b")))
	})
	t.Run("racing Creates and Deletes neither exceed the limit nor lose capacity", func(t *testing.T) {
		t.Parallel()
		const limit, writers, rounds = 5, 8, 6
		store, tenant := h.Limited(limit), newTenant(t)
		var wg sync.WaitGroup
		for writer := range int32(writers) {
			wg.Go(func() {
				for round := range int32(rounds) {
					w := bareWebhook(tenant, writer*rounds+round+1, "a.b")
					err := store.Create(t.Context(), w)
					if err == nil {
						err = store.Delete(t.Context(), tenant, w.ID, 1, webhook.Change{})
					}
					if err != nil && !full(err, limit) && !errors.Is(err, webhook.ErrUnavailable) {
						t.Errorf("got %v", err)
					}
				}
			})
		}
		wg.Wait()
		// The writes that lost to too many others decide how many are left.
		n := len(subscribed(t, h, tenant, "a.b"))
		if n > limit {
			t.Fatalf("got %d webhooks, more than %d", n, limit)
		}
		for id := int32(1001); n < limit; id++ {
			must(t, store.Create(t.Context(), bareWebhook(tenant, id, "a.b")))
			n++
		}
		if err := store.Create(t.Context(), bareWebhook(tenant, 2000, "a.b")); !full(err, limit) {
			t.Errorf("with %d webhooks: got %v, want the limit", n, err)
		}
	})
}
