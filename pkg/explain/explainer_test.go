package explain_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// bench is an Explainer on the embedded store that counts what it reads.
type bench struct {
	*explain.Explainer
	t     *testing.T
	db    *embedded.DB
	clock *webhooktest.Clock
	who   webhook.Principal
	past  map[int32][]webhook.Replaced

	lists, rows, healths, pasts atomic.Int64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, clock: webhooktest.NewClock(accepted), who: webhook.Principal{Tenant: "Default"}, past: map[int32][]webhook.Replaced{}}
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: b.clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b.db = db
	b.Explainer = &explain.Explainer{
		Webhooks: counted{&webhook.Registry{Webhooks: db.Webhooks()}, b}, Deliveries: b, Now: b.clock.Now,
		Health: func(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
			b.healths.Add(1)
			return db.Webhooks().Health(ctx, tenant, ids)
		},
	}
	return b
}

type counted struct {
	*webhook.Registry
	b *bench
}

func (c counted) List(ctx context.Context, who webhook.Principal, after int32, limit int) ([]webhook.Webhook, int32, error) {
	c.b.lists.Add(1)
	return c.Registry.List(ctx, who, after, limit)
}

func (c counted) History(_ context.Context, _ webhook.Principal, id int32, _ int64, _ int) ([]webhook.Replaced, error) {
	c.b.pasts.Add(1)
	if c.b.past[id] == nil {
		return nil, webhook.ErrNotFound
	}
	return c.b.past[id], nil
}

func (b *bench) Get(ctx context.Context, key delivery.Key) (delivery.Row, error) {
	b.rows.Add(1)
	return b.db.Deliveries().Get(ctx, key)
}

// create stores webhook id, and returns it. It was created before the event.
func (b *bench) create(id int32, change func(*webhook.Webhook), patterns ...string) webhook.Webhook {
	b.t.Helper()
	w := newWebhook(patterns...)
	w.ID, w.Name, w.Revision = id, fmt.Sprint("w", id), 1
	if change != nil {
		change(&w)
	}
	if err := b.db.Webhooks().Create(b.t.Context(), w); err != nil {
		b.t.Fatal(err)
	}
	return w
}

func (b *bench) delivered(e webhook.Event, id int32) {
	b.t.Helper()
	_, err := b.db.Deliveries().RecordFirst(b.t.Context(), delivery.RecordFirst{
		Key: delivery.Key{Tenant: e.Tenant, Webhook: id, Event: e.ID}, Now: b.clock.Now(), Seed: delivery.Seed{ExpiresAt: b.clock.Now().AddDate(0, 1, 0)},
		Outcome: delivery.Outcome{Status: delivery.StatusDelivered, Attempt: delivery.Attempt{Number: 1}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestExplainer_One(t *testing.T) {
	t.Parallel()
	b, e := newBench(t), newEvent(t, "contact.changed")
	b.create(1, nil, "contact.*")
	b.create(2, func(w *webhook.Webhook) { w.App = "crm" }, "contact.*")
	b.delivered(e, 1)
	x, err := b.One(t.Context(), b.who, e, 1)
	if err != nil || x.Webhook != 1 || x.Status != delivery.StatusDelivered || !x.Matches {
		t.Errorf("got %+v, %v", x, err)
	}
	if b.pasts.Load() != 0 {
		t.Error("the past of a webhook was read that has not changed since the event")
	}
	stranger := b.who
	stranger.App = "spy"
	for name, id := range map[string]int32{"no webhook": 9, "another app's": 2} {
		if x, err := b.One(t.Context(), stranger, e, id); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("%s: got %+v, %v", name, x, err)
		}
	}
}

func TestExplainer_ReadsThePastOfAWebhookThatChanged(t *testing.T) {
	t.Parallel()
	b, e := newBench(t), newEvent(t, "contact.changed")
	at := func(revision int64, updated time.Duration, patterns ...string) webhook.Webhook {
		w := newWebhook(patterns...)
		w.ID, w.Revision, w.Updated = 1, revision, accepted.Add(updated)
		return w
	}
	b.create(1, func(w *webhook.Webhook) { w.Updated = accepted.Add(time.Hour) }, "sale.sold")
	b.past[1] = []webhook.Replaced{{Webhook: at(3, time.Minute, "sale.*")}, {Webhook: at(2, -time.Minute, "contact.changed")}, {Webhook: at(1, -time.Hour, "*")}}
	b.clock.Advance(2 * time.Hour)
	x, err := b.One(t.Context(), b.who, e, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]explain.Code{explain.Matched, explain.ChangedMeantime}, codes(x.Reasons)); diff != "" || x.Revision != 2 || x.Pattern != "contact.changed" {
		t.Errorf("revision %d by %q (-want +got):\n%s", x.Revision, x.Pattern, diff)
	}
	// Of a large webhook, history has what changes replaced; the rest is its successor's.
	large := webhook.Change{Action: webhook.ActionChanged, Members: []string{"Name"}}.Replaces(at(0, -time.Minute, strings.Repeat("a", 20<<10)))
	b.create(2, func(w *webhook.Webhook) { w.Updated = accepted.Add(time.Minute) }, "contact.*")
	b.past[2] = []webhook.Replaced{large}
	x, err = b.One(t.Context(), b.who, e, 2)
	if err != nil || !large.Partial || x.Revision != 0 || x.Pattern != "contact.*" {
		t.Errorf("got %+v, %v", x, err)
	}
	// A deleted webhook has a history alone.
	b.past[8] = []webhook.Replaced{{Webhook: at(2, -time.Minute, "contact.*"), Change: webhook.Change{Action: webhook.ActionDeleted, At: accepted.Add(time.Hour)}}}
	x, err = b.One(t.Context(), b.who, e, 8)
	if diff := cmp.Diff([]explain.Code{explain.Matched, explain.Deleted}, codes(x.Reasons)); diff != "" || err != nil {
		t.Errorf("deleted: %v (-want +got):\n%s", err, diff)
	}
	if _, err := b.One(t.Context(), b.who, e, 9); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("without a past: got %v", err)
	}
}

func TestExplainer_AllNamesTheNearest(t *testing.T) {
	t.Parallel()
	b, e := newBench(t), newEvent(t, "contact.changed")
	stop := func(w *webhook.Webhook) { w.State = webhook.StateStopped }
	for id, patterns := range map[int32][]string{1: {"sale.sold"}, 2: {"contact.change"}, 3: {"contacts.changed", "sale.*"}, 6: {"x"}, 7: {"y"}} {
		b.create(id, nil, patterns...)
	}
	b.create(4, stop, "contact.*")
	b.create(5, stop, "sale.sold")
	x, err := b.All(t.Context(), b.who, e, false)
	if err != nil || x.Matches {
		t.Fatalf("got %+v, %v", x, err)
	}
	var got []string
	for _, n := range x.Nearest {
		got = append(got, fmt.Sprintf("%d%s%v", n.Webhook, n.Name, codes(n.Reasons)))
	}
	want := []string{"4w4[stopped]", "2w2[not_subscribed]", "3w3[not_subscribed]", "1w1[not_subscribed]", "6w6[not_subscribed]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.create(8, nil, "*")
	x, err = b.All(t.Context(), b.who, e, false)
	if err != nil || !x.Matches || x.Nearest != nil || x.Reasons[0].Text != "These webhooks match (1 in all): 8." {
		t.Errorf("got %+v, %v", x, err)
	}
	if x, err = b.All(t.Context(), webhook.Principal{Tenant: "Other"}, e, true); err != nil || x.Matches || codes(x.Reasons)[0] != explain.NoWebhooks {
		t.Errorf("a tenant without webhooks: got %+v, %v", x, err)
	}
}

// However many webhooks there are, a call reads a bounded number of them.
func TestExplainer_IsBounded(t *testing.T) {
	t.Parallel()
	b, e := newBench(t), newEvent(t, "contact.changed")
	for id := int32(1); id <= 1100; id++ {
		b.create(id, func(w *webhook.Webhook) { w.Updated = accepted.Add(time.Minute) }, "sale.sold")
		b.past[id] = []webhook.Replaced{{Webhook: newWebhook("sale.sold")}}
	}
	x, err := b.All(t.Context(), b.who, e, false)
	if err != nil || codes(x.Reasons)[1] != explain.NotAll || x.Reasons[1].Text != "Only the first 1000 webhooks were examined: name another one to explain it." {
		t.Errorf("got %+v, %v", x.Reasons, err)
	}
	if lists, pasts := b.lists.Load(), b.pasts.Load(); lists > 8 || pasts != 100 || b.rows.Load() != 0 {
		t.Errorf("%d lists, %d pasts and %d rows were read", lists, pasts, b.rows.Load())
	}
	b.lists.Store(0)
	b.pasts.Store(0)
	b.healths.Store(0)
	_, examined, next, err := b.Outcomes(t.Context(), b.who, e, 0, 25)
	if err != nil || examined != 25 || next != 25 {
		t.Errorf("examined %d, next %d, %v", examined, next, err)
	}
	if lists, rows, pasts, healths := b.lists.Load(), b.rows.Load(), b.pasts.Load(), b.healths.Load(); lists != 1 || rows != 25 || pasts != 25 || healths != 1 {
		t.Errorf("a page of 25 reads %d lists, %d rows, %d pasts, %d healths", lists, rows, pasts, healths)
	}
}

func TestExplainer_OutcomesArePagedByWebhook(t *testing.T) {
	t.Parallel()
	b, e := newBench(t), newEvent(t, "contact.changed")
	for id := int32(1); id <= 10; id++ {
		pattern := "sale.sold"
		if id%3 == 0 {
			pattern = "contact.*"
		}
		b.create(id, nil, pattern)
	}
	b.delivered(e, 3)
	b.delivered(e, 4) // by a replay
	b.clock.Advance(time.Hour)
	got := []string{}
	for after, more := int32(0), true; more; more = after != 0 {
		list, examined, next, err := b.Outcomes(t.Context(), b.who, e, after, 3)
		if err != nil || examined > 3 {
			t.Fatalf("examined %d, %v", examined, err)
		}
		for _, o := range list {
			got = append(got, fmt.Sprintf("%d%s%s%s", o.Webhook, o.Name, o.Status, o.Reasons[len(o.Reasons)-1].Code))
		}
		after = next
	}
	if diff := cmp.Diff([]string{"3w3delivereddelivered", "4w4delivereddelivered", "6w6missing", "9w9missing"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
