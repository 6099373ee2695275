package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func ids(webhooks []webhook.Webhook) []int32 {
	out := []int32{}
	for _, w := range webhooks {
		out = append(out, w.ID)
	}
	return out
}

// Subscribed collects the webhooks that the store's Subscribed finds.
func Subscribed(ctx context.Context, store webhook.Webhooks, tenant webhook.Tenant, key string) (found []webhook.Webhook, err error) {
	err = store.Subscribed(ctx, tenant, key, func(w webhook.Webhook) { found = append(found, w) })
	return found, err
}

func subscribed(t *testing.T, h Harness, tenant webhook.Tenant, key string) []int32 {
	t.Helper()
	found, err := Subscribed(t.Context(), h.Webhooks, tenant, key)
	must(t, err)
	return ids(found)
}

func epoch(t *testing.T, h Harness, tenant webhook.Tenant) int64 {
	t.Helper()
	e, err := h.Webhooks.Epoch(t.Context(), tenant)
	must(t, err)
	return e
}

func testWebhooks(t *testing.T, h Harness) {
	t.Run("NextID returns 1, 2, … for each tenant", func(t *testing.T) {
		t.Parallel()
		a, b := newTenant(t), newTenant(t)
		for want := int32(1); want <= 3; want++ {
			for _, tenant := range []webhook.Tenant{a, b} {
				got, err := h.Webhooks.NextID(t.Context(), tenant)
				if err != nil || got != want {
					t.Fatalf("got %d, %v; want %d", got, err, want)
				}
			}
		}
	})
	t.Run("Get returns what Create stored, member by member", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		for _, want := range []webhook.Webhook{newWebhook(tenant, "Contact.Changed", "et"), bareWebhook(tenant, 2, "non")} {
			must(t, h.Webhooks.Create(t.Context(), want))
			got, err := h.Webhooks.Get(t.Context(), tenant, want.ID)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
	t.Run("empty and absent headers stay distinct", func(t *testing.T) {
		t.Parallel()
		w := bareWebhook(newTenant(t), 1, "non")
		w.Headers = []webhook.Header{}
		must(t, h.Webhooks.Create(t.Context(), w))
		got, err := h.Webhooks.Get(t.Context(), w.Tenant, 1)
		must(t, err)
		if got.Headers == nil || len(got.Headers) != 0 {
			t.Errorf("got %#v, want empty and not nil", got.Headers)
		}
	})
	t.Run("Get of an absent webhook is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		if _, err := h.Webhooks.Get(t.Context(), newTenant(t), 1); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Create of a taken id is ErrExists and changes nothing", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		first := newWebhook(tenant, "a.b")
		must(t, h.Webhooks.Create(t.Context(), first))
		before := epoch(t, h, tenant)
		if err := h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "c.d")); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
		got, err := h.Webhooks.Get(t.Context(), tenant, 1)
		must(t, err)
		if diff := cmp.Diff(first, got); diff != "" || epoch(t, h, tenant) != before {
			t.Errorf("the webhook or the epoch changed (-want +got):\n%s", diff)
		}
		found, err := Subscribed(t.Context(), h.Webhooks, tenant, "a.b")
		must(t, err)
		if diff := cmp.Diff([]int32{1}, ids(found)); diff != "" {
			t.Errorf("Subscribed (-want +got):\n%s", diff)
		}
	})
	t.Run("Create of the id of a deleted webhook is ErrExists and changes nothing", func(t *testing.T) {
		t.Parallel()
		tenant, other := newTenant(t), newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 2, "a.b"))) // has no health
		_, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health { h.TotalCalls++; return h })
		must(t, err)
		for _, id := range []int32{1, 2} {
			must(t, h.Webhooks.Delete(t.Context(), tenant, id, 1, webhook.Change{}))
		}
		before := epoch(t, h, tenant)
		for _, id := range []int32{1, 2} {
			if err := h.Webhooks.Create(t.Context(), bareWebhook(tenant, id, "a.b")); !errors.Is(err, webhook.ErrExists) {
				t.Errorf("webhook %d: got %v, want ErrExists", id, err)
			}
			if _, err := h.Webhooks.Get(t.Context(), tenant, id); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("webhook %d: Get: got %v, want ErrNotFound", id, err)
			}
		}
		if got := subscribed(t, h, tenant, "a.b"); len(got) != 0 || epoch(t, h, tenant) != before {
			t.Errorf("%v are subscribed, or the epoch changed", got)
		}
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 3, "a.b")))
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(other, 1, "a.b")))
	})
	t.Run("List returns one tenant's webhooks in order of id, paged", func(t *testing.T) {
		t.Parallel()
		tenant, other := newTenant(t), newTenant(t)
		for _, id := range []int32{10, 2, 300, 1, 77} {
			must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, id, "non")))
		}
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(other, 5, "non")))
		var got []int32
		for after := int32(0); ; {
			page, more, err := h.Webhooks.List(t.Context(), tenant, after, 2)
			must(t, err)
			got = append(got, ids(page)...)
			if len(page) > 2 {
				t.Fatalf("a page has %d webhooks, want at most 2", len(page))
			}
			if !more {
				break
			}
			after = page[len(page)-1].ID
		}
		if diff := cmp.Diff([]int32{1, 2, 10, 77, 300}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Update replaces the webhook of the previous revision", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), newWebhook(tenant, "a.b")))
		want := bareWebhook(tenant, 1, "c.d")
		want.Revision = 2
		must(t, h.Webhooks.Update(t.Context(), want, webhook.Change{}))
		got, err := h.Webhooks.Get(t.Context(), tenant, 1)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Update of another revision is ErrConflict, stores no event and changes nothing", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		first := newWebhook(tenant, "a.b")
		must(t, h.Webhooks.Create(t.Context(), first))
		before, event := epoch(t, h, tenant), newEvent(t, tenant)
		stale := bareWebhook(tenant, 1, "c.d")
		stale.Revision = 3
		if err := h.Webhooks.Update(t.Context(), stale, webhook.Change{}, event); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
		if _, err := h.Events.Get(t.Context(), tenant, event.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("the raised event: got %v, want ErrNotFound", err)
		}
		got, err := h.Webhooks.Get(t.Context(), tenant, 1)
		must(t, err)
		if diff := cmp.Diff(first, got); diff != "" || epoch(t, h, tenant) != before {
			t.Errorf("the webhook or the epoch changed (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int32{1}, subscribed(t, h, tenant, "a.b")); diff != "" {
			t.Errorf("Subscribed (-want +got):\n%s", diff)
		}
	})
	t.Run("Update and Delete of an absent webhook are ErrNotFound", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		w := bareWebhook(tenant, 1, "a.b")
		w.Revision = 2
		event := newEvent(t, tenant)
		if err := h.Webhooks.Update(t.Context(), w, webhook.Change{}, event); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Update: got %v", err)
		}
		if err := h.Webhooks.Delete(t.Context(), tenant, 1, 1, webhook.Change{}); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Delete: got %v", err)
		}
		if _, err := h.Webhooks.Get(t.Context(), tenant, 1); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Get: got %v", err)
		}
		if _, err := h.Events.Get(t.Context(), tenant, event.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("the raised event: got %v", err)
		}
	})
	t.Run("Update stores the raised events", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		w, event := bareWebhook(tenant, 1, "a.b"), newEvent(t, tenant)
		must(t, h.Webhooks.Create(t.Context(), w))
		w.Revision = 2
		must(t, h.Webhooks.Update(t.Context(), w, webhook.Change{}, event))
		got, err := h.Events.Get(t.Context(), tenant, event.ID)
		must(t, err)
		if diff := cmp.Diff(event, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if h.Feed != nil && len(h.Feed(t, tenant)) != 1 {
			t.Errorf("the feed has %d records of the tenant, want 1", len(h.Feed(t, tenant)))
		}
	})
	t.Run("Delete removes webhook, pointers and health", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), newWebhook(tenant, "a.b")))
		_, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health { h.TotalCalls++; return h })
		must(t, err)
		if err := h.Webhooks.Delete(t.Context(), tenant, 1, 2, webhook.Change{}); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("another revision: got %v, want ErrConflict", err)
		}
		must(t, h.Webhooks.Delete(t.Context(), tenant, 1, 1, webhook.Change{}))
		if _, err := h.Webhooks.Get(t.Context(), tenant, 1); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Get: got %v", err)
		}
		if got := subscribed(t, h, tenant, "a.b"); len(got) != 0 {
			t.Errorf("Subscribed: got %v", got)
		}
		h.settle()
		health, err := h.Webhooks.Health(t.Context(), tenant, []int32{1})
		must(t, err)
		if len(health) != 0 {
			t.Errorf("Health: got %v", health)
		}
	})
	t.Run("Epoch starts at 0 and is raised by every Create, Update and Delete", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		last := epoch(t, h, tenant)
		if last != 0 {
			t.Errorf("got %d at first", last)
		}
		raised := func(step string) {
			t.Helper()
			e := epoch(t, h, tenant)
			if e <= last {
				t.Errorf("after %s: got %d, was %d", step, e, last)
			}
			last = e
		}
		w := bareWebhook(tenant, 1, "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		raised("Create")
		w.Revision = 2
		must(t, h.Webhooks.Update(t.Context(), w, webhook.Change{}))
		raised("Update")
		must(t, h.Webhooks.Delete(t.Context(), tenant, 1, 2, webhook.Change{}))
		raised("Delete")
	})
	t.Run("Subscribed follows the Events, case-insensitively", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		one, two := bareWebhook(tenant, 1, "Contact.Changed", "SALE.*", "a.b.c.D.e.f.*"), bareWebhook(tenant, 2, "contact.changed", "*", "a.b.*")
		must(t, h.Webhooks.Create(t.Context(), two))
		must(t, h.Webhooks.Create(t.Context(), one))
		for key, want := range map[string][]int32{
			"contact.changed": {1, 2}, "sale.*": {1}, "*": {2}, "sale.sold": {}, "contact.*": {}, "contact": {},
			"a.b.c.d.e.f.*": {1}, "a.b.*": {2}, "a.*": {}, "a.b.c.*": {},
		} {
			if diff := cmp.Diff(want, subscribed(t, h, tenant, key)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
		}
		one.Events, one.Revision = []string{"contact.changed", "person.created"}, 2
		must(t, h.Webhooks.Update(t.Context(), one, webhook.Change{}))
		for key, want := range map[string][]int32{"contact.changed": {1, 2}, "sale.*": {}, "person.created": {1}} {
			if diff := cmp.Diff(want, subscribed(t, h, tenant, key)); diff != "" {
				t.Errorf("after Update, %s (-want +got):\n%s", key, diff)
			}
		}
		if diff := cmp.Diff([]int32{}, subscribed(t, h, newTenant(t), "contact.changed")); diff != "" {
			t.Errorf("another tenant (-want +got):\n%s", diff)
		}
	})
	t.Run("Subscribed returns the current webhooks", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		w := newWebhook(tenant, "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		w.TargetURL, w.Revision = "https://example.org/", 2
		must(t, h.Webhooks.Update(t.Context(), w, webhook.Change{}))
		found, err := Subscribed(t.Context(), h.Webhooks, tenant, "a.b")
		must(t, err)
		if diff := cmp.Diff([]webhook.Webhook{w}, found); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Subscribed reads past a page of a megabyte, where List's pages end", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		const n = 120
		want := []int32{}
		for id := int32(1); id <= n; id++ {
			w := bareWebhook(tenant, id, "a.b")
			w.Description = strings.Repeat("x", 12<<10)
			must(t, h.Webhooks.Create(t.Context(), w))
			want = append(want, id)
		}
		if diff := cmp.Diff(want, subscribed(t, h, tenant, "a.b")); diff != "" {
			t.Errorf("Subscribed (-want +got):\n%s", diff)
		}
		all := []int32{}
		for after, more := int32(0), true; more; {
			var page []webhook.Webhook
			var err error
			page, more, err = h.Webhooks.List(t.Context(), tenant, after, n+1)
			must(t, err)
			if len(page) > n*3/4 { // 1.4 MB in total
				t.Errorf("a page has %d webhooks of 12 KB, want about a megabyte", len(page))
			}
			if len(page) > 0 {
				after = page[len(page)-1].ID
			}
			all = append(all, ids(page)...)
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
	})
}
