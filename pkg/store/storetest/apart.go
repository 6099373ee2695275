package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// neighbours draws three tenants. The name of the first is a prefix of the
// others', so that a prefix query without a terminator reads too much.
func neighbours(t *testing.T) []webhook.Tenant {
	t.Helper()
	first := newTenant(t)
	return []webhook.Tenant{first, first + "1", first + "-1"}
}

// testApart checks that every method keeps to its tenant: three tenants have
// webhooks, events and deliveries with the same ids, and changes to one leave
// the others' unchanged.
func testApart(t *testing.T, h Harness) {
	t.Run("webhooks with the same id", func(t *testing.T) { t.Parallel(); testWebhooksApart(t, h) })
	t.Run("health of webhooks with the same id", func(t *testing.T) { t.Parallel(); testHealthApart(t, h) })
	t.Run("statistics of webhooks with the same id", func(t *testing.T) { t.Parallel(); testStatisticsApart(t, h) })
	t.Run("events with the same id and claims of the same key", func(t *testing.T) { t.Parallel(); testEventsApart(t, h) })
	t.Run("rows of the same webhook and event", func(t *testing.T) { t.Parallel(); testRowsApart(t, h) })
	t.Run("erasure", func(t *testing.T) { t.Parallel(); testErasureApart(t, h) })
	t.Run("records and credentials with the same id", func(t *testing.T) { t.Parallel(); testCredentialsApart(t, h) })
}

func testWebhooksApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	stored := map[webhook.Tenant]webhook.Webhook{}
	check := func(step string) {
		t.Helper()
		for _, tenant := range tenants {
			want := []webhook.Webhook{stored[tenant]}
			if want[0].ID == 0 {
				want = []webhook.Webhook{}
			}
			got, err := h.Webhooks.Get(t.Context(), tenant, 1)
			if len(want) == 0 && !errors.Is(err, webhook.ErrNotFound) || len(want) == 1 && (err != nil || !cmp.Equal(want[0], got)) {
				t.Errorf("after %s, Get for %s: %v (-want +got):\n%s", step, tenant, err, cmp.Diff(stored[tenant], got))
			}
			list, _, err := h.Webhooks.List(t.Context(), tenant, 0, 10)
			must(t, err)
			if diff := cmp.Diff(want, append([]webhook.Webhook{}, list...)); diff != "" {
				t.Errorf("after %s, List for %s (-want +got):\n%s", step, tenant, diff)
			}
			subscribed, err := Subscribed(t.Context(), h.Webhooks, tenant, "a.b")
			must(t, err)
			if diff := cmp.Diff(want, append([]webhook.Webhook{}, subscribed...)); diff != "" {
				t.Errorf("after %s, Subscribed for %s (-want +got):\n%s", step, tenant, diff)
			}
		}
	}
	epochs := func() (all [3]int64) {
		for i, tenant := range tenants {
			all[i] = epoch(t, h, tenant)
		}
		return all
	}
	raised := func(step string, i int, change func()) {
		t.Helper()
		before := epochs()
		change()
		after := epochs()
		for j := range tenants {
			if (after[j] > before[j]) != (i == j) {
				t.Errorf("%s for %s: the epoch of %s went from %d to %d", step, tenants[i], tenants[j], before[j], after[j])
			}
		}
		check(step + " for " + string(tenants[i]))
	}
	for i, tenant := range tenants {
		if id, err := h.Webhooks.NextID(t.Context(), tenant); err != nil || id != 1 {
			t.Errorf("NextID for %s: %d, %v; want 1", tenant, id, err)
		}
		raised("Create", i, func() {
			w := bareWebhook(tenant, 1, "a.b")
			w.Name = string(tenant)
			must(t, h.Webhooks.Create(t.Context(), w))
			stored[tenant] = w
		})
	}
	raised("Update", 1, func() {
		w := stored[tenants[1]]
		w.Name, w.Revision = "changed", 2
		must(t, h.Webhooks.Update(t.Context(), w, webhook.Change{}))
		stored[tenants[1]] = w
		historiesApart(t, h, tenants, 0, 1, 0)
	})
	raised("Delete", 0, func() {
		must(t, h.Webhooks.Delete(t.Context(), tenants[0], 1, 1, webhook.Change{}))
		delete(stored, tenants[0])
		historiesApart(t, h, tenants, 1, 1, 0)
		n, err := h.Erasure.EraseHistory(t.Context(), tenants[0], 1, 10)
		if n != 1 || err != nil {
			t.Errorf("erased %d revisions, %v; want 1", n, err)
		}
		historiesApart(t, h, tenants, 0, 1, 0)
	})
	for i, tenant := range tenants {
		intent := webhook.Intent{Secret: fmt.Sprintf("p/%s/1/x", tenant), Tenant: tenant, Webhook: 1, At: now().Add(time.Duration(i-10) * time.Hour)}
		must(t, h.Webhooks.PutIntent(t.Context(), intent))
		all, err := h.Webhooks.Intents(t.Context(), now(), 10_000)
		must(t, err)
		found := false
		for _, other := range all {
			found = found || cmp.Equal(intent, other)
		}
		if !found {
			t.Errorf("intent of %s is not among %d", tenant, len(all))
		}
		must(t, h.Webhooks.RemoveIntent(t.Context(), intent))
	}
}

// historiesApart checks how many revisions the tenants' webhooks have.
func historiesApart(t *testing.T, h Harness, tenants []webhook.Tenant, want ...int) {
	t.Helper()
	for i, tenant := range tenants {
		if got := history(t, h, bareWebhook(tenant, 1), 0, 10); len(got) != want[i] {
			t.Errorf("%s has revisions %v, want %d", tenant, got, want[i])
		}
	}
}

func testHealthApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	for i, tenant := range tenants {
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		for range i {
			_, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health { h.TotalCalls++; return h })
			must(t, err)
		}
	}
	check := func(step string, want ...int32) {
		t.Helper()
		h.settle()
		for i, tenant := range tenants {
			found, err := h.Webhooks.Health(t.Context(), tenant, []int32{1})
			must(t, err)
			if got := found[1].TotalCalls; got != want[i] {
				t.Errorf("%s: %s has %d calls, want %d", step, tenant, got, want[i])
			}
		}
	}
	check("counted", 0, 1, 2)
	must(t, h.Webhooks.Delete(t.Context(), tenants[2], 1, 1, webhook.Change{}))
	check("one deletion", 0, 1, 0)
}

func testEventsApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	shared := newEvent(t, tenants[0])
	at := now().Truncate(time.Second)
	of := func(i int) webhook.Event {
		e := shared
		e.Tenant, e.PrimaryKey = tenants[i], int32(i+1)
		return e
	}
	claimOf := func(i int) webhook.IdempotencyClaim {
		return webhook.IdempotencyClaim{Webhook: int32(i + 1), Body: "b", Expires: at.Add(time.Hour)}
	}
	for i, tenant := range tenants {
		must(t, h.Events.Put(t.Context(), of(i)))
		existing, err := h.Events.Remember(t.Context(), tenant, "k", claimOf(i), at)
		must(t, err)
		if diff := cmp.Diff(claimOf(i), existing); diff != "" {
			t.Errorf("%s claims a key (-want +got):\n%s", tenant, diff)
		}
	}
	for i, tenant := range tenants {
		got, err := h.Events.Get(t.Context(), tenant, shared.ID)
		must(t, err)
		if diff := cmp.Diff(of(i), got); diff != "" {
			t.Errorf("Get for %s (-want +got):\n%s", tenant, diff)
		}
		list, err := h.Events.List(t.Context(), tenant, webhook.FirstEventID(time.Time{}), "ffffffff-ffff-ffff-ffff-ffffffffffff", 10)
		must(t, err)
		if diff := cmp.Diff([]webhook.Event{of(i)}, list); diff != "" {
			t.Errorf("List for %s (-want +got):\n%s", tenant, diff)
		}
		page, err := h.Events.Search(t.Context(), webhook.EventQuery{Tenant: tenant, Limit: 10})
		must(t, err)
		if diff := cmp.Diff([]webhook.Event{of(i)}, page.Events); diff != "" {
			t.Errorf("Search for %s (-want +got):\n%s", tenant, diff)
		}
		recalled, err := h.Events.Recall(t.Context(), tenant, "k", now())
		must(t, err)
		if diff := cmp.Diff(claimOf(i), recalled); diff != "" {
			t.Errorf("Recall for %s (-want +got):\n%s", tenant, diff)
		}
		if h.Feed == nil {
			continue
		}
		if records := h.Feed(t, tenant); len(records) != 1 || !cmp.Equal(of(i), records[0].Event) {
			t.Errorf("the feed of %s has %d records: %+v", tenant, len(records), records)
		}
	}
}

func testCredentialsApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	made := map[webhook.Tenant]tenancy.Credential{}
	id := newCredential(t, tenants[0]).ID
	for _, tenant := range tenants {
		must(t, h.Tenants.Create(t.Context(), tenant, now()))
		c := newCredential(t, tenant) // with a hash of its own
		c.ID = id
		must(t, h.Credentials.Create(t.Context(), c))
		made[tenant] = c
	}
	check := func(step string) {
		t.Helper()
		for _, tenant := range tenants {
			want := []tenancy.Credential{}
			if c, ok := made[tenant]; ok {
				want = append(want, c)
				got, err := h.Credentials.Find(t.Context(), c.Hash)
				must(t, err)
				if diff := cmp.Diff(c, got); diff != "" {
					t.Errorf("after %s, Find for %s (-want +got):\n%s", step, tenant, diff)
				}
			}
			got, err := h.Credentials.List(t.Context(), tenant, "", 10)
			must(t, err)
			if diff := cmp.Diff(want, append([]tenancy.Credential{}, got...)); diff != "" {
				t.Errorf("after %s, List for %s (-want +got):\n%s", step, tenant, diff)
			}
		}
	}
	check("Create")
	must(t, h.Credentials.Revoke(t.Context(), tenants[1], id))
	delete(made, tenants[1])
	check("Revoke")
	_, err := h.Tenants.BeginDelete(t.Context(), tenants[0], "job")
	must(t, err)
	must(t, h.Tenants.Forget(t.Context(), tenants[0]))
	for _, tenant := range tenants[1:] {
		if record, err := h.Tenants.Get(t.Context(), tenant); err != nil || record.Name != tenant || record.Deleting != "" {
			t.Errorf("record of %s: %+v, %v", tenant, record, err)
		}
	}
}
