package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func testErasure(t *testing.T, h Harness) {
	t.Run("EraseEvents removes the tenant's events, up to a limit, and no others", func(t *testing.T) {
		t.Parallel()
		tenant, other := newTenant(t), newTenant(t)
		for range 5 {
			must(t, h.Events.Put(t.Context(), newEvent(t, tenant)))
		}
		kept := newEvent(t, other)
		must(t, h.Events.Put(t.Context(), kept))
		total := 0
		for i := 0; ; i++ {
			n, err := h.Erasure.EraseEvents(t.Context(), tenant, 2)
			must(t, err)
			if n > 2 || i > 5 {
				t.Fatalf("erased %d at a time, %d times", n, i)
			}
			if n == 0 {
				break
			}
			total += n
		}
		left, err := h.Events.List(t.Context(), tenant, webhook.FirstEventID(now().AddDate(0, 0, -1)), webhook.FirstEventID(now().AddDate(0, 0, 1)), 10)
		if err != nil || total != 5 || len(left) != 0 {
			t.Errorf("erased %d of 5, %d are left, %v", total, len(left), err)
		}
		if _, err := h.Events.Get(t.Context(), other, kept.ID); err != nil {
			t.Errorf("the other tenant's event: %v", err)
		}
	})
	t.Run("EraseDeliveries removes the rows of a webhook, due or not, and no others", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		key := func(id int32) delivery.Key {
			return delivery.Key{Tenant: tenant, Webhook: id, Event: newEventID(t, now())}
		}
		mine := []delivery.Key{key(1), key(1), key(1)}
		others := []delivery.Key{key(2), key(11)}
		for _, k := range append(mine, others...) {
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(k, now()))
			must(t, err)
		}
		total := 0
		for {
			n, err := h.Erasure.EraseDeliveries(t.Context(), tenant, 1, 2)
			must(t, err)
			if n == 0 {
				break
			}
			total += n
		}
		if total != 3 {
			t.Errorf("erased %d, want 3", total)
		}
		for _, k := range mine {
			if _, err := h.Deliveries.Get(t.Context(), k); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		}
		for _, k := range others {
			if _, err := h.Deliveries.Get(t.Context(), k); err != nil {
				t.Errorf("webhook %d: %v", k.Webhook, err)
			}
		}
	})
	t.Run("End does not create an erased row that its caller saw", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now()
		key := newKey(t, tenant, 1)
		_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
		must(t, err)
		_, err = h.Erasure.EraseDeliveries(t.Context(), tenant, 1, 10)
		must(t, err)
		_, err = h.Deliveries.End(t.Context(), delivery.End{Key: key, Round: 1, Status: delivery.StatusCancelled, Reason: "stopped", Seen: true, Now: at, Seed: newSeed()})
		if !errors.Is(err, delivery.ErrRefused) {
			t.Errorf("got %v, want ErrRefused", err)
		}
		if _, err := h.Deliveries.Get(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("then got %v, want ErrNotFound", err)
		}
	})
	t.Run("EraseHistory removes the revisions of a webhook, deleted or not, and no others", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		for _, id := range []int32{1, 2, 11} {
			w := bareWebhook(tenant, id, "a.b")
			must(t, h.Webhooks.Create(t.Context(), w))
			w = revise(t, h, w, 3)
			if id == 1 {
				must(t, h.Webhooks.Delete(t.Context(), tenant, id, w.Revision, changedBy()))
			}
		}
		total := 0
		for {
			n, err := h.Erasure.EraseHistory(t.Context(), tenant, 1, 2)
			must(t, err)
			if n == 0 {
				break
			}
			total += n
		}
		if total != 3 {
			t.Errorf("erased %d, want 3", total)
		}
		for id, want := range map[int32]int{1: 0, 2: 2, 11: 2} {
			if got := history(t, h, bareWebhook(tenant, id), 0, 10); len(got) != want {
				t.Errorf("webhook %d has revisions %v, want %d", id, got, want)
			}
		}
	})
	t.Run("EraseSubscriptions removes what leads to a tenant's webhooks, and to no other's", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		longer := tenant + "1"
		for _, of := range []webhook.Tenant{tenant, longer} {
			must(t, h.Webhooks.Create(t.Context(), bareWebhook(of, 1, "a.b", "c.*")))
			must(t, h.Webhooks.Create(t.Context(), bareWebhook(of, 2, "a.b")))
		}
		for _, want := range []int{2, 1, 0} {
			if n, err := h.Erasure.EraseSubscriptions(t.Context(), tenant, 2); n != want || err != nil {
				t.Errorf("erased %d, %v; want %d", n, err, want)
			}
		}
		if got, other := subscribed(t, h, tenant, "a.b"), subscribed(t, h, longer, "a.b"); len(got) != 0 || len(other) != 2 {
			t.Errorf("the tenant's webhooks %v and the other's %v are found, want none and two", got, other)
		}
	})
	t.Run("EraseJobs removes the jobs of a webhook, running or ended, and no others", func(t *testing.T) {
		t.Parallel()
		mine := newJob(t, now())
		mine.Webhook = 1
		ended, other, begun := mine, mine, mine
		ended.ID, other.ID, other.Webhook, begun.ID = newJob(t, now()).ID, newJob(t, now()).ID, 11, newJob(t, now()).ID
		must(t, h.Jobs.Create(t.Context(), ended))
		ended.Status = job.Done
		must(t, h.Jobs.Update(t.Context(), ended.Next(now())))
		must(t, h.Jobs.Create(t.Context(), begun))
		must(t, h.Jobs.Create(t.Context(), other))
		total := 0
		for {
			n, err := h.Erasure.EraseJobs(t.Context(), mine.Tenant, 1, 1)
			must(t, err)
			if n == 0 {
				break
			}
			total += n
		}
		for _, id := range []string{ended.ID, begun.ID} {
			if _, err := h.Jobs.Get(t.Context(), id); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		}
		if _, err := h.Jobs.Get(t.Context(), other.ID); err != nil || total != 2 {
			t.Errorf("erased %d, want 2; the other's job: %v", total, err)
		}
		if got := running(t, h, begun.ID, other.ID); len(got) != 1 {
			t.Errorf("running: %v", got)
		}
	})
	t.Run("EraseStatistics removes the hours of a webhook, deleted or not, and no others", func(t *testing.T) {
		t.Parallel()
		tenant, hour := newTenant(t), newHour()
		for _, id := range []int32{1, 2, 11} {
			for range 3 {
				must(t, h.Statistics.Count(t.Context(), tenant, id, hour))
				hour.From = hour.From.Add(time.Hour)
			}
		}
		total := 0
		for {
			n, err := h.Erasure.EraseStatistics(t.Context(), tenant, 1, 2)
			must(t, err)
			if n == 0 {
				break
			}
			total += n
		}
		if total != 3 {
			t.Errorf("erased %d, want 3", total)
		}
		h.settle()
		for id, want := range map[int32]int{1: 0, 2: 3, 11: 3} {
			if got := hours(t, h, tenant, id, time.Time{}, 10); len(got) != want {
				t.Errorf("webhook %d has %d hours, want %d", id, len(got), want)
			}
		}
	})
	t.Run("erasing absent items is not an error", func(t *testing.T) {
		t.Parallel()
		if n, err := h.Erasure.EraseEvents(t.Context(), newTenant(t), 10); n != 0 || err != nil {
			t.Errorf("events: %d, %v", n, err)
		}
		if n, err := h.Erasure.EraseDeliveries(t.Context(), newTenant(t), 1, 10); n != 0 || err != nil {
			t.Errorf("deliveries: %d, %v", n, err)
		}
		if n, err := h.Erasure.EraseJobs(t.Context(), newTenant(t), 1, 10); n != 0 || err != nil {
			t.Errorf("jobs: %d, %v", n, err)
		}
		if n, err := h.Erasure.EraseHistory(t.Context(), newTenant(t), 1, 10); n != 0 || err != nil {
			t.Errorf("history: %d, %v", n, err)
		}
		if n, err := h.Erasure.EraseSubscriptions(t.Context(), newTenant(t), 10); n != 0 || err != nil {
			t.Errorf("subscriptions: %d, %v", n, err)
		}
		if n, err := h.Erasure.EraseStatistics(t.Context(), newTenant(t), 1, 10); n != 0 || err != nil {
			t.Errorf("statistics: %d, %v", n, err)
		}
	})
}
