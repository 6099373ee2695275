package replay_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// event stores an event of tenant Default, accepted now.
func (b *bench) event(t *testing.T, name string) webhook.Event {
	t.Helper()
	now := b.clock.Now()
	id, err := webhook.NewEventID(now, b.random)
	e := webhook.Event{Tenant: "Default", ID: id, Name: name, PrimaryKey: 7, At: now, ExpiresAt: now.Add(eventLife)}
	if err == nil {
		err = b.db.Events().Put(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sent returns the messages of the queue, in the order in which they become visible,
// and removes them.
func (b *bench) sent(t *testing.T) (sent []delivery.Message) {
	t.Helper()
	for range 200 {
		received, err := b.db.Queue().Receive(t.Context(), 100)
		for _, r := range received {
			sent = append(sent, r.Message)
			if err == nil {
				err = b.db.Queue().Ack(t.Context(), []string{r.Receipt})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(received) == 0 {
			return sent
		}
	}
	t.Fatal("the queue does not end")
	return nil
}

// subscribe stores a webhook of tenant Default with the id 1.
func (b *bench) subscribe(t *testing.T, patterns ...string) webhook.Webhook {
	t.Helper()
	now := b.clock.Now()
	w := webhook.Webhook{
		Tenant: "Default", ID: 1, Name: "w", Events: patterns, TargetURL: "https://example.com/", State: webhook.StateActive, Type: "webhook",
		Revision: 1, Activation: 1, ActivatedAt: now, Registered: now, Updated: now,
	}
	if err := b.db.Webhooks().Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w
}

// stop stops webhook 1.
func (b *bench) stop(t *testing.T) {
	t.Helper()
	w, err := b.db.Webhooks().Get(t.Context(), "Default", 1)
	if err == nil {
		w.State, w.Revision = webhook.StateStopped, w.Revision+1
		err = b.db.Webhooks().Update(t.Context(), w, webhook.Change{Action: webhook.ActionChanged, At: b.clock.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deliver records the first attempt of an event's delivery to webhook 1.
func (b *bench) deliver(t *testing.T, e webhook.Event, status delivery.Status) delivery.Key {
	t.Helper()
	key := delivery.Key{Tenant: e.Tenant, Webhook: 1, Event: e.ID}
	now := b.clock.Now()
	outcome := delivery.Outcome{Attempt: delivery.Attempt{Round: 1, Number: 1, At: now, StatusCode: 200}, Status: status}
	if status != delivery.StatusDelivered {
		outcome.Attempt.StatusCode, outcome.Attempt.Error = 500, failure.Status
	}
	if status == delivery.StatusPending {
		outcome.NextAt, outcome.SweepAt = now.Add(time.Hour), now.Add(time.Hour)
	}
	_, err := b.db.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{Key: key, Now: now, Seed: delivery.NewSeed(e, "", nil, now.Add(rowLife)), Outcome: outcome})
	if err != nil {
		t.Fatal(err)
	}
	return key
}
