package dispatch

import (
	"context"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// countingWebhooks answers Epoch and Subscribed from func fields and counts the
// calls.
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

func (c *countingWebhooks) Subscribed(_ context.Context, _ webhook.Tenant, key string) ([]webhook.Webhook, error) {
	c.loads++
	return c.subscribed(key), nil
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

	if got := match(newView(lists, clock)); len(got) != 1 {
		t.Fatalf("got %d matches, want 1", len(got))
	}
	if store.epochs != 1 || store.loads != 3 {
		t.Errorf("a cold batch: got %d epochs read and %d lists loaded, want 1 and 3", store.epochs, store.loads)
	}
	v := newView(lists, clock)
	match(v)
	match(v)
	if store.epochs != 2 || store.loads != 3 {
		t.Errorf("a warm batch: got %d epochs read and %d lists loaded in all, want 2 and 3", store.epochs, store.loads)
	}
	now = now.Add(viewLife)
	match(v)
	if store.epochs != 3 {
		t.Errorf("a view of 3 s: got %d epochs read in all, want 3", store.epochs)
	}
	active.State = webhook.StateStopped
	epoch++
	if got := match(newView(lists, clock)); len(got) != 0 {
		t.Errorf("after a change: got %d matches, want none", len(got))
	}
	if store.loads != 6 {
		t.Errorf("after a change: got %d lists loaded in all, want 6", store.loads)
	}
}

func TestView_LabelsListsWithTheEpochReadBefore(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	epoch := int64(1)
	old := []webhook.Webhook{{Tenant: "Default", ID: 1, State: webhook.StateActive, Events: []string{"non"}}}
	store := &countingWebhooks{epoch: func() int64 { return epoch }}
	store.subscribed = func(string) []webhook.Webhook {
		epoch = 2 // a save commits while the list is being loaded
		return old
	}
	lists := newSubscriptions(store)
	event := webhook.Event{Tenant: "Default", Name: "non"}
	for range 2 {
		if _, _, err := newView(lists, func() time.Time { return now }).match(t.Context(), event, now); err != nil {
			t.Fatal(err)
		}
	}
	if store.loads != 4 {
		t.Errorf("got %d lists loaded, want 4: what was loaded during a save must not outlive it", store.loads)
	}
}
