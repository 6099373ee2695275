package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// countingWebhooks implements Epoch and Subscribed by its funcs and counts the calls.
type countingWebhooks struct {
	Webhooks
	epoch      func() int64
	subscribed func(key string) []webhook.Webhook
	epochs     int
	loads      int
}

func (c *countingWebhooks) Epoch(context.Context, webhook.Tenant) (int64, error) {
	c.epochs++
	return c.epoch(), nil
}

func (c *countingWebhooks) Subscribed(_ context.Context, _ webhook.Tenant, key string, each func(webhook.Webhook)) error {
	c.loads++
	for _, w := range c.subscribed(key) {
		each(w)
	}
	return nil
}

func TestView_ReusesListsOnlyUnderTheirEpoch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	epoch := int64(1)
	active := webhook.Webhook{Tenant: "Default", ID: 1, State: webhook.StateActive, Events: []string{"contact.changed"}}
	store := &countingWebhooks{
		epoch: func() int64 { return epoch },
		subscribed: func(key string) []webhook.Webhook {
			if key == "contact.changed" {
				return []webhook.Webhook{active}
			}
			return nil
		},
	}
	lists := newSubscriptions(store)
	event := webhook.Event{Tenant: "Default", Name: "contact.changed"}
	match := func(v *view) []webhook.Webhook {
		t.Helper()
		matches, _, err := v.match(t.Context(), event, now)
		if err != nil {
			t.Fatal(err)
		}
		return matches
	}
	clock := func() time.Time { return now }

	if got := match(newView(lists, clock, webhooktest.Random(1))); len(got) != 1 {
		t.Fatalf("got %d matches, want 1", len(got))
	}
	if store.epochs != 2 || store.loads != 3 {
		t.Errorf("a cold batch: got %d epochs read and %d lists loaded, want 2 and 3", store.epochs, store.loads)
	}
	v := newView(lists, clock, webhooktest.Random(1))
	match(v)
	match(v)
	if store.epochs != 3 || store.loads != 3 {
		t.Errorf("a warm batch: got %d epochs read and %d lists loaded in all, want 3 and 3", store.epochs, store.loads)
	}
	now = now.Add(3 * time.Second)
	match(v)
	if store.epochs != 4 {
		t.Errorf("a view of 3 s: got %d epochs read in all, want 4", store.epochs)
	}
	active.State = webhook.StateStopped
	epoch++
	if got := match(newView(lists, clock, webhooktest.Random(1))); len(got) != 0 {
		t.Errorf("after a change: got %d matches, want none", len(got))
	}
	if store.loads != 6 {
		t.Errorf("after a change: got %d lists loaded in all, want 6", store.loads)
	}
}

func TestView_StartsOverWhenAWebhookMovesBetweenLists(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	epoch := int64(1)
	w := webhook.Webhook{Tenant: "Default", ID: 1, State: webhook.StateActive, Events: []string{"*"}}
	store := &countingWebhooks{epoch: func() int64 { return epoch }}
	store.subscribed = func(key string) []webhook.Webhook {
		if key != w.Events[0] {
			// The exact list was loaded without the webhook, which now moves there.
			w.Events, epoch = []string{"sale.sold"}, 2
			return nil
		}
		return []webhook.Webhook{w}
	}
	lists := newSubscriptions(store)
	event := webhook.Event{Tenant: "Default", Name: "sale.sold"}
	got, _, err := newView(lists, func() time.Time { return now }, webhooktest.Random(1)).match(t.Context(), event, now)
	if err != nil || len(got) != 1 {
		t.Errorf("got %d matches and error %v, want the webhook, which was subscribed at all times", len(got), err)
	}
}

func TestView_GivesUpIfWebhooksKeepChanging(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	epoch := int64(1)
	store := &countingWebhooks{epoch: func() int64 { return epoch }}
	store.subscribed = func(string) []webhook.Webhook {
		epoch++ // a save commits while the list is being loaded
		return nil
	}
	event := webhook.Event{Tenant: "Default", Name: "non"}
	_, _, err := newView(newSubscriptions(store), func() time.Time { return now }, webhooktest.Random(1)).match(t.Context(), event, now)
	if !errors.Is(err, errUnsteady) {
		t.Errorf("got error %v, want %v: lists of several epochs must not be joined", err, errUnsteady)
	}
}
