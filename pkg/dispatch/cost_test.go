package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/simulation/meter"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// An event's cost does not grow with the webhooks that do not match it: a tenant with
// 10,000 webhooks needs the same number of calls and read units as one with 10.
func TestCost_DoesNotGrowWithWebhooksThatDoNotMatch(t *testing.T) {
	t.Parallel()
	flat(t, "contact.changed", "contact.*", 3, 10, 1_000, 10_000)
}

// A batch of deliveries to one webhook costs a write for each, and two for the
// webhook: its health, and the hour of its statistics. `make cost` prices the same calls.
func TestCost_OfABatch(t *testing.T) {
	t.Parallel()
	spent := costs(t, 10, "contact.changed", "contact.*")
	text, err := os.ReadFile("testdata/batches.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[int]string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for size, want := range want {
		if got := spent[fmt.Sprintf("a batch of %d deliveries", size)]; got != want {
			t.Errorf("%d deliveries cost %s, want %s", size, got, want)
		}
	}
	if len(want) != 3 {
		t.Errorf("got %d sizes, want 3", len(want))
	}
}

// The most that a name can cost: it is looked up by itself, by a prefix at each of
// its first six dots, and by *.
func TestCost_OfANameWithManyDots(t *testing.T) {
	t.Parallel()
	flat(t, "a.b.c.d.e.f.g.h.changed", "a.b.c.d.e.f.*", 8, 10, 1_000)
}

// Nor does it grow with those that match it by name and whose filters do not: beyond
// the one read of their list, a tenant with 1,000 of them needs the same calls, read
// units and messages as one with 10.
func TestCost_DoesNotGrowWithFilteredWebhooks(t *testing.T) {
	t.Parallel()
	few, many := filtered(t, 10), filtered(t, 1_000)
	delete(few, "first batch of a process") // the list is longer
	delete(many, "first batch of a process")
	if diff := cmp.Diff(few, many); diff != "" || len(many) < 5 {
		t.Errorf("1,000 webhooks (-of 10 +of these):\n%s", diff)
	}
}

// filtered returns the cost of an event for a tenant with n webhooks that match it by
// name, two of which its filter lets through.
func filtered(t *testing.T, n int32) map[string]string {
	t.Helper()
	return costsOf(t, n, "contact.changed", func(w *webhook.Webhook) {
		w.Events = []string{"contact.changed"}
		key := 8
		if w.ID == 3 || w.ID == 7 {
			key = 7
		}
		w.Options.Filter = fmt.Appendf(nil, `{"PrimaryKey":[%d],"$or":[{"Entity":["contact"]},{"FieldValues":{"name":[{"prefix":"%d"}]}}]}`, key, w.ID)
	})
}

// flat holds the cost of an event for tenants of several sizes against each other,
// and against the number of its lookups.
func flat(t *testing.T, name, pattern string, lookups int, sizes ...int32) {
	t.Helper()
	var want map[string]string
	for _, n := range sizes {
		got := costs(t, n, name, pattern)
		if first, most := got["first batch of a process"], fmt.Sprintf("Query:%d ", lookups); !strings.Contains(first, most) {
			t.Errorf("%s: the first batch made %s, want %s", name, first, most)
		}
		if want == nil {
			want = got
			t.Log(want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d webhooks (-of 10 +of these):\n%s", n, diff)
		}
	}
}

// costs returns the cost of one event for a tenant with n webhooks, two of which
// match it: by name and by pattern.
func costs(t *testing.T, n int32, name, pattern string) map[string]string {
	t.Helper()
	return costsOf(t, n, name, func(w *webhook.Webhook) {
		w.Events = []string{"contact.created", "person.*", "a.b.c.d.e.other.*", fmt.Sprintf("custom.%d", w.ID)}
		switch w.ID {
		case 3:
			w.Events = []string{name}
		case 7:
			w.Events = []string{pattern}
		}
	})
}

// costsOf returns the cost of one event for a tenant with n webhooks, of which it
// reaches 3 and 7.
func costsOf(t *testing.T, n int32, name string, each func(*webhook.Webhook)) map[string]string {
	t.Helper()
	clock := webhooktest.NewClock(start)
	m := meter.New(clock.Now, nil)
	store := dynamo.New(m, meter.Tables, dynamo.Options{Now: clock.Now, Random: webhooktest.Random(1)})
	for id := int32(1); id <= n; id++ {
		w := webhook.Webhook{
			Tenant: tenant, ID: id, TargetURL: "https://example.com/in", State: webhook.StateActive, Revision: 1, Activation: 1,
		}
		each(&w)
		if err := store.Webhooks().Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []int32{3, 5, 7} { // these have earned the fast lane
		_, err := store.Webhooks().UpdateHealth(t.Context(), tenant, id, func(h webhook.Health) webhook.Health {
			return h.Observe(webhook.HealthReport{Activation: 1, At: clock.Now(), Duration: 10 * time.Millisecond})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sent := &messages{}
	config := dispatch.Config{
		Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(), Statistics: store.Statistics(), Sender: answering{clock}, Messages: sent, Visibility: sent,
		Logger: webhooktest.Logger(t), Now: clock.Now, Random: webhooktest.Random(1), Policy: webhook.PolicyDurable,
		EventLife: 30 * 24 * time.Hour, RowLife: 33 * 24 * time.Hour,
	}
	engine, spent := dispatch.New(config), map[string]string{}
	event := func(name string) webhook.Record {
		clock.Advance(time.Millisecond)
		id, err := webhook.NewEventID(clock.Now(), webhooktest.Random(uint64(clock.Now().UnixNano())))
		if err != nil {
			t.Fatal(err)
		}
		e := webhook.Event{Tenant: tenant, ID: id, Name: name, PrimaryKey: 7, At: clock.Now()}
		m.Spent()
		if err := store.Events().Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		spent["signal"] = m.Spent().String()
		return webhook.Record{Event: e, Accepted: clock.Now(), Sequence: "1"}
	}
	stream := func(what string, records ...webhook.Record) {
		if failed := engine.Stream(t.Context(), records); failed != "" {
			t.Fatalf("%s failed at %q", what, failed)
		}
		spent[what] = m.Spent().String()
	}
	stream("first batch of a process", event(name))
	clock.Advance(time.Minute)
	stream("next batch", event(name))
	record := event(name)
	stream("within five seconds", record)
	if len(sent.all) > 0 {
		t.Errorf("%d deliveries of %d webhooks were enqueued", len(sent.all), n)
	}
	clock.Advance(time.Minute)
	stream("a redelivery", record)
	if len(sent.all) != 2 {
		t.Fatalf("got %d messages for the redelivery, want 2", len(sent.all))
	}
	engine.Queue(t.Context(), []delivery.Received{{ID: "1", Message: sent.all[0]}})
	spent["a message"] = m.Spent().String()
	for _, size := range []int{1, 1, 10, 100} { // the first reads the webhook
		clock.Advance(time.Minute)
		var records []webhook.Record
		for range size {
			records = append(records, event("custom.5"))
		}
		stream(fmt.Sprintf("a batch of %d deliveries", size), records...)
	}
	return spent
}

// messages holds the messages that were sent.
type messages struct{ all []delivery.Message }

func (m *messages) Send(_ context.Context, out []delivery.Outgoing) ([]int, error) {
	for _, o := range out {
		m.all = append(m.all, o.Message)
	}
	return nil, nil
}

func (m *messages) Postpone(context.Context, delivery.Received, time.Duration) error { return nil }

// answering is a target that responds quickly with 200.
type answering struct{ clock *webhooktest.Clock }

func (a answering) Send(context.Context, webhook.Post) webhook.Result {
	return webhook.Result{At: a.clock.Now(), Duration: 10 * time.Millisecond, StatusCode: 200}
}
