package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/api"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// reads counts the calls that read, and the items that they return.
type reads struct {
	dynamo.Client
	mu           sync.Mutex
	calls, items int
}

func (r *reads) count(items int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.items = r.calls+1, r.items+items
}

func (r *reads) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	r.count(1)
	return r.Client.GetItem(ctx, in, o...)
}

func (r *reads) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	items := 0
	for _, asked := range in.RequestItems {
		items += len(asked.Keys)
	}
	r.count(items)
	return r.Client.BatchGetItem(ctx, in, o...)
}

func (r *reads) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := r.Client.Query(ctx, in, o...)
	if err == nil {
		r.count(len(out.Items))
	}
	return out, err
}

// tenantOf is the API on DynamoDB in memory, for a tenant with two webhooks and n
// events, each delivered to the first of them.
type tenantOf struct {
	http.Handler
	t      *testing.T
	reads  *reads
	clock  *webhooktest.Clock
	store  *dynamo.Store
	events []webhook.EventID
}

func newTenantOf(t *testing.T, n int) *tenantOf {
	t.Helper()
	clock, random := webhooktest.NewClock(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)), webhooktest.Random(1)
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	due := memdb.Index{
		Name: "due", PK: memdb.Attribute{Name: "due_shard", Type: types.ScalarAttributeTypeN}, SK: memdb.Attribute{Name: "sweep_at", Type: types.ScalarAttributeTypeN},
		Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
	}
	parked := memdb.Index{
		Name: "parked", PK: pk, SK: memdb.Attribute{Name: "parked"},
		Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
	}
	s := &tenantOf{t: t, clock: clock, reads: &reads{Client: memdb.New(memdb.Config{Now: clock.Now, PageBytes: 40 << 10, Tables: []memdb.Table{
		{Name: "webhooks", PK: pk, SK: sk}, {Name: "events", PK: pk, SK: sk}, {Name: "deliveries", PK: pk, SK: sk, Indexes: []memdb.Index{due, parked}},
	}})}}
	store := dynamo.New(s.reads, dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}, dynamo.Options{Now: clock.Now, Random: random})
	s.store = store
	sender, err := outbound.New(outbound.Config{Now: clock.Now, UserAgent: "Posthaste/test", Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }})
	if err != nil {
		t.Fatal(err)
	}
	secret := func(text string) func(context.Context) (webhook.Secret, error) {
		return func(context.Context) (webhook.Secret, error) { return webhook.NewSecret(text), nil }
	}
	s.Handler = api.New(service.Contracts{
		Logger: slog.New(slog.DiscardHandler), Now: clock.Now, Random: random,
		Delivering: config.Delivering{Policy: webhook.PolicyDurable, EventTTL: 30 * 24 * time.Hour, DeliveryExtra: 3 * 24 * time.Hour},
		Webhooks:   store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(), Tenants: store.Tenants(), Credentials: store.Credentials(),
		Jobs: store.Jobs(), Sources: store.Sources(), Statistics: store.Statistics(),
	}, sender, api.Config{First: secret("tje0:Tje0"), Admin: secret("admin"), AdminUser: "admin"})
	for id := int32(1); id <= 2; id++ {
		created := clock.Now()
		w := webhook.Webhook{
			Tenant: "Default", ID: id, Events: []string{"contact.*"}, TargetURL: "https://receiver.example.net/", State: webhook.StateActive, Type: "webhook",
			Revision: 1, Activation: 1, ActivatedAt: created, Registered: created, Updated: created,
		}
		if err := store.Webhooks().Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(time.Hour)
	for i := range n {
		clock.Advance(time.Second)
		id, err := webhook.NewEventID(clock.Now(), random)
		if err != nil {
			t.Fatal(err)
		}
		e := webhook.Event{Tenant: "Default", ID: id, Name: "contact.changed", PrimaryKey: int32(i % 50), Data: []byte(`{"a":1}`), At: clock.Now(), ExpiresAt: clock.Now().AddDate(0, 1, 0)}
		if err := store.Events().Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		outcome := delivery.Outcome{Status: delivery.StatusDelivered, Attempt: delivery.Attempt{Number: 1, At: clock.Now(), StatusCode: 200, Sent: webhook.Sent{Revision: 1, Body: "x"}}}
		_, err = store.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{
			Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: id}, Now: clock.Now(), Outcome: outcome,
			Seed: delivery.Seed{EventName: "contact.changed", PrimaryKey: e.PrimaryKey, ExpiresAt: e.ExpiresAt},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.events = append(s.events, id)
	}
	clock.Advance(time.Hour)
	return s
}

// cost makes a call, and returns its reads and the cursor of the next page.
func (s *tenantOf) cost(method, path, body string) (calls, items int, cursor string) {
	s.t.Helper()
	s.reads.calls, s.reads.items = 0, 0
	r := httptest.NewRequestWithContext(s.t.Context(), method, "/api/v1/"+path, strings.NewReader(body))
	r.SetBasicAuth("tje0", "Tje0")
	got := httptest.NewRecorder()
	s.ServeHTTP(got, r)
	if got.Code != http.StatusOK {
		s.t.Errorf("%s %s: got %d %s", method, path, got.Code, got.Body)
	}
	var page struct{ Cursor string }
	if strings.HasPrefix(got.Body.String(), "{") {
		if err := json.Unmarshal(got.Body.Bytes(), &page); err != nil {
			s.t.Error(err)
		}
	}
	return s.reads.calls, s.reads.items, page.Cursor
}

// What is read to say what happened does not grow with the events and deliveries that
// a tenant has: each page costs the same calls, at the newest end and after it. One of
// them reads the tenant of the caller.
func TestReads_OfAPageDoNotGrowWithTheTenant(t *testing.T) {
	t.Parallel()
	few, many := newTenantOf(t, 400), newTenantOf(t, 8000)
	const onePage = 5000 // of each of 16 partitions: in DynamoDB 1 MB, here 40 KiB
	usage := url.QueryEscape("webhook_usage.total_calls")
	for _, page := range []struct {
		method, path, body string
		calls              int // that read
		items              int // at most
	}{
		{"GET", "Webhook/1/Deliveries?limit=100", "", 10, 210},
		{"GET", "Webhook/1/Deliveries?limit=100&status=Failed", "", 10, 1010},
		{"GET", "Webhook/1/Deliveries/{event}", "", 4, 4},
		{"GET", "Webhook/1/Deliveries/{event}/Request", "", 5, 5},
		{"GET", "Webhook/1/History", "", 3, 3},
		{"GET", "Webhook/1/LastError", "", 3, 3},
		{"GET", "Webhook/1/Stats", "", 12, 4}, // eight of them count what waits
		{"GET", "Stats", "", 3, 6},
		{"GET", "Events?limit=100", "", 17, 220},
		{"GET", "Events?limit=100&primaryKey=51", "", 17, onePage},
		{"GET", "Events/{event}", "", 6, 8},
		{"GET", "Events/{event}/Explain?webhook=1", "", 5, 5},
		{"GET", "Events/{event}/Explain", "", 3, 6},
		{"POST", "Explain", `{"Event":{"EventId":"{event}"},"Webhook":{"WebhookId":1,"Events":["*"]}}`, 4, 4},
		{"POST", "Webhook/Test?event=contact.changed", `{"WebhookId":1}`, 3, 3},
		{"POST", "Webhook/Test?event=never.raised", `{"WebhookId":1}`, 19, onePage},
		{"GET", "Archive/dynamic?$select=" + usage, "", 3, 6},
		{"GET", "Archive/dynamic?$select=" + usage + "&$filter=webhook_usage.webhook_usage_id+eq+1", "", 3, 3},
	} {
		for _, s := range []*tenantOf{few, many} {
			event := string(s.events[len(s.events)/2])
			fill := strings.NewReplacer("{event}", event).Replace
			cursor := ""
			for n := range 3 {
				calls, items, next := s.cost(page.method, fill(page.path)+cursor, fill(page.body))
				if calls != page.calls || items > page.items {
					t.Errorf("%s %s with %d events, page %d: %d calls read %d items, want %d of at most %d", page.method, page.path, len(s.events), n+1, calls, items, page.calls, page.items)
				}
				if next == "" || !strings.Contains(page.path, "?") {
					break
				}
				cursor = fmt.Sprint("&cursor=", next)
			}
		}
	}
}
