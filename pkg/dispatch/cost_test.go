package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// meter counts the calls of DynamoDB and the cost of their reads in half read units,
// rounded as DynamoDB does.
type meter struct {
	dynamo.Client
	mu        sync.Mutex
	calls     map[string]int
	halfUnits int
}

func (m *meter) count(call string, consistent bool, sizes ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[call]++
	for _, size := range sizes {
		units := max((size+4095)/4096, 1)
		if consistent {
			units *= 2
		}
		m.halfUnits += units
	}
}

// size returns an item's size as DynamoDB counts it, for the types that occur.
func size(item map[string]types.AttributeValue) (n int) {
	for name, v := range item {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += len(v.Value)/2 + 2
		case *types.AttributeValueMemberL:
			for range v.Value {
				n += 40
			}
		default:
			n += 40
		}
	}
	return n
}

func (m *meter) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := m.Client.GetItem(ctx, in, o...)
	if err == nil {
		m.count("GetItem", aws.ToBool(in.ConsistentRead), size(out.Item))
	}
	return out, err
}

func (m *meter) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := m.Client.Query(ctx, in, o...)
	if err == nil {
		all := 0
		for _, item := range out.Items {
			all += size(item)
		}
		m.count("Query", aws.ToBool(in.ConsistentRead), all)
	}
	return out, err
}

func (m *meter) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	out, err := m.Client.BatchGetItem(ctx, in, o...)
	if err == nil {
		for table, asked := range in.RequestItems {
			var sizes []int
			for range len(asked.Keys) - len(out.Responses[table]) {
				sizes = append(sizes, 0) // a read of an absent item costs too
			}
			for _, item := range out.Responses[table] {
				sizes = append(sizes, size(item))
			}
			m.count("BatchGetItem", aws.ToBool(asked.ConsistentRead), sizes...)
		}
	}
	return out, err
}

func (m *meter) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	m.count("PutItem", false)
	return m.Client.PutItem(ctx, in, o...)
}

func (m *meter) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	m.count("UpdateItem", false)
	return m.Client.UpdateItem(ctx, in, o...)
}

func (m *meter) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	m.count("TransactWriteItems", false)
	return m.Client.TransactWriteItems(ctx, in, o...)
}

// spent returns the counts since the last call.
func (m *meter) spent() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := fmt.Sprintf("%v, %.1f read units", m.calls, float64(m.halfUnits)/2)
	m.calls, m.halfUnits = map[string]int{}, 0
	return text
}

// An event's cost does not grow with the webhooks that do not match it: a tenant with
// 10,000 webhooks needs the same number of calls and read units as one with 10.
func TestCost_DoesNotGrowWithWebhooksThatDoNotMatch(t *testing.T) {
	t.Parallel()
	flat(t, "contact.changed", "contact.*", 3, 10, 1_000, 10_000)
}

// A batch of deliveries to one webhook costs a write for each, and two for the
// webhook: its health, and the hour of its statistics.
func TestCost_OfABatch(t *testing.T) {
	t.Parallel()
	spent := costs(t, 10, "contact.changed", "contact.*")
	for size, want := range map[int]string{
		1:   "map[BatchGetItem:1 GetItem:2 PutItem:2 UpdateItem:1], 2.5 read units",
		10:  "map[BatchGetItem:1 GetItem:2 PutItem:11 UpdateItem:1], 2.5 read units",
		100: "map[BatchGetItem:1 GetItem:2 PutItem:101 UpdateItem:1], 2.5 read units",
	} {
		if got := spent[fmt.Sprintf("a batch of %d deliveries", size)]; got != want {
			t.Errorf("%d deliveries cost %s, want %s", size, got, want)
		}
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
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	m := &meter{calls: map[string]int{}, Client: memdb.New(memdb.Config{Now: clock.Now, Tables: []memdb.Table{
		{Name: "webhooks", PK: pk, SK: sk},
		{Name: "events", PK: pk, SK: sk, Stream: true},
		{Name: "deliveries", PK: pk, SK: sk, Indexes: []memdb.Index{{
			Name: "due", PK: memdb.Attribute{Name: "due_shard", Type: types.ScalarAttributeTypeN},
			SK:         memdb.Attribute{Name: "sweep_at", Type: types.ScalarAttributeTypeN},
			Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
		}, {
			Name: "parked", PK: memdb.Attribute{Name: "pk"}, SK: memdb.Attribute{Name: "parked"},
			Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
		}}},
	}})}
	store := dynamo.New(m, dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}, dynamo.Options{Now: clock.Now, Random: webhooktest.Random(1)})
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
		m.spent()
		if err := store.Events().Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		spent["signal"] = m.spent()
		return webhook.Record{Event: e, Accepted: clock.Now(), Sequence: "1"}
	}
	stream := func(what string, records ...webhook.Record) {
		if failed := engine.Stream(t.Context(), records); failed != "" {
			t.Fatalf("%s failed at %q", what, failed)
		}
		spent[what] = m.spent()
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
	spent["a message"] = m.spent()
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
