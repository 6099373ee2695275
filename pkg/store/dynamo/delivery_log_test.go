package dynamo_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// reads counts the calls that read, and the items they return.
type reads struct {
	dynamo.Client
	mu           sync.Mutex
	calls, items int
}

func (r *reads) Query(ctx context.Context, in *dynamodb.QueryInput, edit ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := r.Client.Query(ctx, in, edit...)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls++
		r.items += len(out.Items)
	}
	return out, err
}

func (r *reads) GetItem(ctx context.Context, in *dynamodb.GetItemInput, edit ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	r.mu.Lock()
	r.calls++
	r.mu.Unlock()
	return r.Client.GetItem(ctx, in, edit...)
}

// take returns the counts since the last call.
func (r *reads) take() (calls, items int) {
	calls, items = r.calls, r.items
	r.calls, r.items = 0, 0
	return calls, items
}

// Each page of a long log is one query of each partition, at its newest end as at its
// oldest, whether the filter selects all rows or none, and the pages without a filter
// are full.
func TestLog_EachPageCostsTheSame(t *testing.T) {
	t.Parallel()
	const stored = 5000
	clock := webhooktest.NewClock(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	table := memdb.Table{Name: "deliveries", PK: memdb.Attribute{Name: "pk"}, SK: memdb.Attribute{Name: "sk"}}
	client := &reads{Client: memdb.New(memdb.Config{Tables: []memdb.Table{table}, Now: clock.Now})}
	rows := dynamo.New(client, dynamo.Tables{Deliveries: "deliveries"}, dynamo.Options{Now: clock.Now, Random: webhooktest.Random(1)}).Deliveries()
	random := webhooktest.Random(1)
	for range stored {
		clock.Advance(time.Millisecond)
		id, err := webhook.NewEventID(clock.Now(), random)
		if err != nil {
			t.Fatal(err)
		}
		_, err = rows.RecordFirst(t.Context(), delivery.RecordFirst{
			Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: id}, Now: clock.Now(), Seed: delivery.Seed{EventName: "a.b", ExpiresAt: clock.Now().Add(time.Hour)},
			Outcome: delivery.Outcome{Attempt: delivery.Attempt{Number: 1, At: clock.Now(), StatusCode: 200}, Status: delivery.StatusDelivered},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	client.take()
	for _, c := range []struct {
		name     string
		filter   delivery.Filter
		examine  int
		found    int // over all pages
		pages    int // at most
		inMiddle int // deliveries of a page that is not the last, at least
	}{
		{"all", delivery.Filter{}, 196, stored, stored/100 + 1, 99},
		{"no match", delivery.Filter{Event: "c.d"}, 1000, 0, 7, 0},
		{"all match", delivery.Filter{Event: "a.b"}, 1000, stored, stored/100 + 1, 100},
	} {
		q := delivery.LogQuery{Tenant: "Default", Webhook: 1, Filter: c.filter, Limit: 100, Examine: c.examine}
		pages, found, examined := 0, 0, 0
		for more := true; more; pages++ {
			page, err := rows.Log(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if calls, items := client.take(); calls != 8 || items > c.examine+8 {
				t.Errorf("%s, page %d: %d calls that read %d items", c.name, pages, calls, items)
			}
			found, examined = found+len(page.Deliveries), examined+page.Examined
			if q.Before, more = page.Next, page.Next != ""; more && len(page.Deliveries) < c.inMiddle {
				t.Errorf("%s, page %d has %d deliveries", c.name, pages, len(page.Deliveries))
			}
		}
		if found != c.found || examined != stored || pages > c.pages {
			t.Errorf("%s: found %d of %d, examined %d, in %d pages, want at most %d", c.name, found, c.found, examined, pages, c.pages)
		}
	}
	first := delivery.Key{Tenant: "Default", Webhook: 1, Event: webhook.FirstEventID(clock.Now())}
	_, _ = rows.Get(t.Context(), first)
	_, _ = rows.Response(t.Context(), first)
	if calls, _ := client.take(); calls != 2 {
		t.Errorf("one delivery costs %d calls", calls)
	}
}
