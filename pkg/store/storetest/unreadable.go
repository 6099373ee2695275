package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// testUnreadable damages every third item of a list, including the first and
// the last. It needs a store of its own, since lists over all tenants would
// show the damage to other tests.
func testUnreadable(t *testing.T, h Harness) {
	if h.Damage == nil {
		t.Skip("the store cannot damage its items")
	}
	const things, limit = 10, unreadablePage
	at := now().Add(-2 * time.Hour)
	tenant, searched := newTenant(t), newTenant(t)
	must(t, h.Tenants.Create(t.Context(), tenant, at))
	for _, tt := range []struct {
		name string
		make func(t *testing.T, i int) (thing any, err error)
		// list returns how many items there are, page by page.
		list func(ctx context.Context) (n int, err error)
	}{
		{
			name: "Webhooks.List",
			make: func(t *testing.T, i int) (any, error) {
				w := newWebhook(tenant, "a.b")
				w.ID = int32(i + 1)
				return w, h.Webhooks.Create(t.Context(), w)
			},
			list: func(ctx context.Context) (int, error) {
				last := int32(0)
				return pages(func() (int, bool, error) {
					page, more, err := h.Webhooks.List(ctx, tenant, last, limit)
					for _, w := range page {
						last = w.ID
					}
					return len(page), more, err
				})
			},
		},
		{
			name: "Webhooks.History",
			make: func(t *testing.T, i int) (any, error) {
				w := bareWebhook(tenant, 1000, "a.b")
				w.Revision = int64(i + 1)
				if i == 0 {
					must(t, h.Webhooks.Create(t.Context(), w))
				}
				next := w
				next.Revision++
				change := changedBy()
				return change.Replaces(w), h.Webhooks.Update(t.Context(), next, change)
			},
			list: func(ctx context.Context) (int, error) {
				last := int64(0)
				return pages(func() (int, bool, error) {
					page, err := h.Webhooks.History(ctx, tenant, 1000, last, limit)
					for _, r := range page {
						last = r.Webhook.Revision
					}
					return len(page), len(page) == limit, err
				})
			},
		},
		{
			name: "Statistics.Hours",
			make: func(t *testing.T, i int) (any, error) {
				hour := statistics.Hour{From: at.Truncate(time.Hour).Add(time.Duration(i) * time.Hour), Attempts: 1, ExpiresAt: at.Add(24 * time.Hour)}
				return StoredHour{tenant, 1, hour}, h.Statistics.Count(t.Context(), tenant, 1, hour)
			},
			list: func(ctx context.Context) (int, error) {
				from := time.Time{}
				return pages(func() (int, bool, error) {
					page, err := h.Statistics.Hours(ctx, tenant, 1, from, limit)
					for _, hour := range page {
						from = hour.From.Add(time.Hour)
					}
					return len(page), len(page) == limit, err
				})
			},
		},
		{
			name: "Webhooks.Intents",
			make: func(t *testing.T, i int) (any, error) {
				intent := webhook.Intent{Secret: fmt.Sprintf("p/%s/%d", tenant, i), Tenant: tenant, Webhook: 1, At: at}
				return intent, h.Webhooks.PutIntent(t.Context(), intent)
			},
			list: func(ctx context.Context) (int, error) {
				all, err := h.Webhooks.Intents(ctx, now(), 1000)
				return len(all), err
			},
		},
		{
			name: "Events.List",
			make: func(t *testing.T, i int) (any, error) {
				e := newEvent(t, tenant)
				e.ID = newEventID(t, at.Add(time.Duration(i)*time.Second))
				return e, h.Events.Put(t.Context(), e)
			},
			list: func(ctx context.Context) (int, error) {
				all, err := h.Events.List(ctx, tenant, webhook.FirstEventID(at), webhook.FirstEventID(now()), 1000)
				return len(all), err
			},
		},
		{
			name: "Events.Search",
			make: func(t *testing.T, i int) (any, error) {
				e := newEvent(t, searched)
				e.ID = newEventID(t, at.Add(time.Duration(i)*time.Second))
				return e, h.Events.Put(t.Context(), e)
			},
			list: func(ctx context.Context) (int, error) {
				q := webhook.EventQuery{Tenant: searched, Limit: limit}
				return pages(func() (int, bool, error) {
					page, err := h.Events.Search(ctx, q)
					q.Before = page.Next
					return len(page.Events), page.Next != "", err
				})
			},
		},
		{
			name: "Deliveries.List",
			make: func(t *testing.T, i int) (any, error) {
				key := delivery.Key{Tenant: tenant, Webhook: 1, Event: newEventID(t, at.Add(time.Duration(i)*time.Second))}
				return h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, now().Add(time.Hour)))
			},
			list: func(ctx context.Context) (int, error) {
				last := webhook.EventID("")
				return pages(func() (int, bool, error) {
					page, err := h.Deliveries.List(ctx, tenant, 1, last, limit)
					for _, d := range page {
						last = d.Event
					}
					return len(page), len(page) == limit, err
				})
			},
		},
		{
			name: "Deliveries.Log",
			make: func(t *testing.T, i int) (any, error) {
				key := delivery.Key{Tenant: tenant, Webhook: 3, Event: newEventID(t, at.Add(time.Duration(i)*time.Second))}
				return h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, now().Add(time.Hour)))
			},
			list: func(ctx context.Context) (int, error) {
				q := delivery.LogQuery{Tenant: tenant, Webhook: 3, Limit: limit, Examine: limit}
				return pages(func() (int, bool, error) {
					page, err := h.Deliveries.Log(ctx, q)
					q.Before = page.Next
					return len(page.Deliveries), page.Next != "", err
				})
			},
		},
		{
			name: "Deliveries.Due",
			make: func(t *testing.T, i int) (any, error) {
				key := newKey(t, tenant, 2)
				for delivery.DueShard(key) != 0 {
					key = newKey(t, tenant, 2)
				}
				return h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at.Add(time.Duration(i)*time.Second)))
			},
			list: func(ctx context.Context) (int, error) {
				h.settle()
				last := delivery.DueRow{}
				return pages(func() (int, bool, error) {
					page, err := h.Deliveries.Due(ctx, 0, now(), last, limit)
					for _, d := range page {
						last = d
					}
					return len(page), len(page) == limit, err
				})
			},
		},
		{
			name: "Deliveries.Parked",
			make: func(t *testing.T, _ int) (any, error) {
				key := newKey(t, tenant, 4)
				for key.Event.Partition(delivery.ParkedPartitions) != 3 {
					key = newKey(t, tenant, 4)
				}
				return park(t, h, key), nil
			},
			list: func(ctx context.Context) (int, error) {
				h.settle()
				last := webhook.EventID("")
				return pages(func() (int, bool, error) {
					page, err := h.Deliveries.Parked(ctx, webhook.Key{Tenant: tenant, ID: 4}, 3, last, limit)
					for _, row := range page {
						last = row.Event
					}
					return len(page), len(page) == limit, err
				})
			},
		},
		{
			name: "Jobs.Running",
			make: func(t *testing.T, _ int) (any, error) {
				j, err := job.New(job.Redispatch, tenant, webhook.Associate{}, at, rand.Reader)
				must(t, err)
				return j, h.Jobs.Create(t.Context(), j)
			},
			list: func(ctx context.Context) (int, error) {
				all, err := h.Jobs.Running(ctx, 1000)
				return len(all), err
			},
		},
		{
			name: "Credentials.List",
			make: func(t *testing.T, i int) (any, error) {
				c := tenancy.Credential{ID: fmt.Sprint(i), Hash: fmt.Sprintf("%s%d", tenant, i), Principal: webhook.Principal{Tenant: tenant}, Created: at}
				return c, h.Credentials.Create(t.Context(), c)
			},
			list: func(ctx context.Context) (int, error) {
				last := ""
				return pages(func() (int, bool, error) {
					page, err := h.Credentials.List(ctx, tenant, last, limit)
					for _, c := range page {
						last = c.ID
					}
					return len(page), len(page) == limit, err
				})
			},
		},
		{
			name: "Sources.List",
			make: func(t *testing.T, _ int) (any, error) {
				s := newSource(t)
				return s, h.Sources.Put(t.Context(), s)
			},
			list: func(ctx context.Context) (int, error) {
				all, err := h.Sources.List(ctx)
				return len(all), err
			},
		},
		{
			name: "Tenants.List",
			make: func(t *testing.T, i int) (any, error) {
				record := tenancy.Record{Name: webhook.Tenant(fmt.Sprint(tenant, i)), Created: at}
				return record, h.Tenants.Create(t.Context(), record.Name, at)
			},
			list: func(ctx context.Context) (int, error) {
				last := tenant
				return pages(func() (int, bool, error) {
					page, err := h.Tenants.List(ctx, last, limit)
					for _, record := range page {
						last = record.Name
					}
					return len(page), len(page) == limit, err
				})
			},
		},
	} {
		t.Run(tt.name+" omits undecodable items, reports them, and continues", func(t *testing.T) {
			damaged := 0
			for i := range things {
				thing, err := tt.make(t, i)
				must(t, err)
				if i%3 == 0 {
					damaged++
					h.Damage(t, thing)
				}
			}
			n, err := tt.list(t.Context())
			var unreadable *webhook.UnreadableError
			if !errors.As(err, &unreadable) || unreadable.Count == 0 || len(unreadable.Items) == 0 || n != things-damaged {
				t.Errorf("got %d items and %v, want %d and an *UnreadableError", n, err, things-damaged)
			}
		})
	}
	t.Run("erasing does not decode items", func(t *testing.T) {
		for _, erase := range []func() (int, error){
			func() (int, error) { return h.Erasure.EraseEvents(t.Context(), tenant, 1000) },
			func() (int, error) { return h.Erasure.EraseDeliveries(t.Context(), tenant, 1, 1000) },
			func() (int, error) { return h.Erasure.EraseDeliveries(t.Context(), tenant, 2, 1000) },
			func() (int, error) { return h.Erasure.EraseDeliveries(t.Context(), tenant, 4, 1000) },
			func() (int, error) { return h.Erasure.EraseHistory(t.Context(), tenant, 1000, 1000) },
		} {
			if n, err := erase(); n != things || err != nil {
				t.Errorf("got %d, %v; want all %d erased", n, err, things)
			}
		}
		h.settle()
		if rows, err := h.Deliveries.Due(t.Context(), 0, now(), delivery.DueRow{}, 1000); len(rows) != 0 || err != nil {
			t.Errorf("the index still has %d rows, %v", len(rows), err)
		}
		if n, err := h.Deliveries.Waiting(t.Context(), webhook.Key{Tenant: tenant, ID: 4}, 10); n != 0 || err != nil {
			t.Errorf("the index of parked rows still has %d, %v", n, err)
		}
	})
	t.Run("a damaged timer is an error, and is erased with its index entry", func(t *testing.T) {
		key := webhook.Key{Tenant: tenant, ID: 5}
		stored := setTimer(t, h, delivery.Timer{Key: key, DueAt: at, Width: 16})
		h.Damage(t, stored)
		if _, err := h.Deliveries.Timer(t.Context(), key); err == nil || errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("read: got %v, want that it cannot be decoded", err)
		}
		if n, err := h.Erasure.EraseDeliveries(t.Context(), tenant, 5, 10); n != 0 || err != nil {
			t.Errorf("erased %d, %v", n, err)
		}
		if got := timer(t, h, key); got != (delivery.Timer{}) || len(dueTimers(t, h, tenant, at)) != 0 {
			t.Errorf("left: %+v, %+v", got, dueTimers(t, h, tenant, at))
		}
	})
}

// unreadablePage is the limit of the lists, chosen so that damaged items begin
// and end pages.
const unreadablePage = 2

// pages calls a list until it ends, and returns how many items it had with the
// last page's *UnreadableError, or the first error of another kind.
func pages(next func() (got int, more bool, err error)) (n int, err error) {
	var unreadable error
	for {
		got, more, err := next()
		if found, other := webhook.Readable(err); other != nil {
			return n, other
		} else if found != nil {
			unreadable = found
		}
		if n += got; !more {
			return n, unreadable
		}
	}
}
