package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func testHealth(t *testing.T, h Harness) {
	t.Run("Health omits webhooks without health", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		got, err := h.Webhooks.Health(t.Context(), tenant, []int32{1, 2})
		if err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err = h.Webhooks.Health(t.Context(), tenant, nil); err != nil || len(got) != 0 {
			t.Errorf("of no webhooks: got %v, %v", got, err)
		}
	})
	t.Run("UpdateHealth stores what change returns, member by member", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now()
		want := webhook.Health{
			TotalCalls: 5, TotalErrors: 4, ConsecutiveErrors: 3, LastError: "503 ✓", Activation: 2,
			LastOK: at, FailingSince: at.Add(time.Second), LastCounted: at.Add(2 * time.Second),
			Latency: 120 * time.Millisecond, FastTimeout: at.Add(3 * time.Second), Slow: true,
			Signing: webhook.Preference{Version: "v7", Signer: webhook.SignerPrevious},
			Breaker: webhook.Breaker{
				Failures: 10, Step: 30 * time.Second, ProbeAt: at.Add(4 * time.Second), ProbeBy: "a", ProbeUntil: at.Add(5 * time.Second),
			},
		}
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		returned, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(old webhook.Health) webhook.Health {
			if diff := cmp.Diff(webhook.Health{}, old); diff != "" {
				t.Errorf("the first time (-want +got):\n%s", diff)
			}
			return want
		})
		must(t, err)
		h.settle()
		found, err := h.Webhooks.Health(t.Context(), tenant, []int32{1})
		must(t, err)
		ignore := cmpopts.IgnoreFields(webhook.Health{}, "Version")
		if diff := cmp.Diff(want, found[1], ignore); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, returned, ignore); diff != "" {
			t.Errorf("returned (-want +got):\n%s", diff)
		}
	})
	t.Run("saving a webhook does not change its health", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		w := bareWebhook(tenant, 1, "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		_, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health { h.TotalCalls = 9; return h })
		must(t, err)
		w.Revision = 2
		must(t, h.Webhooks.Update(t.Context(), w, webhook.Change{}))
		h.settle()
		found, err := h.Webhooks.Health(t.Context(), tenant, []int32{1})
		must(t, err)
		if found[1].TotalCalls != 9 {
			t.Errorf("got %d calls, want 9", found[1].TotalCalls)
		}
	})
	t.Run("CurrentHealth sees the last write, and is zero without one", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		for _, id := range []int32{1, 2} { // 2 does not exist
			if got, err := h.Webhooks.CurrentHealth(t.Context(), webhook.Key{Tenant: tenant, ID: id}); err != nil || got != (webhook.Health{}) {
				t.Errorf("webhook %d: got %+v, %v; want the zero health", id, got, err)
			}
		}
		for n := range int32(20) {
			want, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health { h.TotalCalls = n + 1; return h })
			must(t, err)
			if got, err := h.Webhooks.CurrentHealth(t.Context(), webhook.Key{Tenant: tenant, ID: 1}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	})
	t.Run("Health of a hundred and fifty webhooks", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		var all []int32
		for id := int32(1); id <= 150; id++ {
			all = append(all, id)
		}
		for _, id := range []int32{1, 150} {
			must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, id, "a.b")))
			_, err := h.Webhooks.UpdateHealth(t.Context(), tenant, id, func(h webhook.Health) webhook.Health { h.TotalCalls = id; return h })
			must(t, err)
		}
		h.settle()
		found, err := h.Webhooks.Health(t.Context(), tenant, all)
		must(t, err)
		if len(found) != 2 || found[1].TotalCalls != 1 || found[150].TotalCalls != 150 {
			t.Errorf("got %v", found)
		}
	})
}
