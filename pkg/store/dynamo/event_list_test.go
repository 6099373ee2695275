package dynamo_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// queried counts the items that queries read.
type queried struct {
	dynamo.Client
	read chan int
}

func (q queried) Query(ctx context.Context, in *dynamodb.QueryInput, edit ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := q.Client.Query(ctx, in, edit...)
	if err == nil {
		q.read <- len(out.Items)
	}
	return out, err
}

// Events are large, and a list is merged from sixteen partitions. If each
// partition were read up to the full limit, listing a hundred events would read
// and hold sixteen hundred.
func TestEvents_ListReadsLittleMoreThanItReturns(t *testing.T) {
	t.Parallel()
	clock := webhooktest.NewClock(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	table := memdb.Table{Name: "events", PK: memdb.Attribute{Name: "pk"}, SK: memdb.Attribute{Name: "sk"}}
	client := queried{Client: memdb.New(memdb.Config{Tables: []memdb.Table{table}, Now: clock.Now}), read: make(chan int, 1000)}
	events := dynamo.New(client, dynamo.Tables{Events: "events"}, dynamo.Options{Now: clock.Now, Random: webhooktest.Random(1)}).Events()
	random := webhooktest.Random(1)
	const stored, limit = 1000, 100
	first := webhook.FirstEventID(clock.Now())
	for range stored {
		clock.Advance(time.Millisecond)
		id, err := webhook.NewEventID(clock.Now(), random)
		if err != nil {
			t.Fatal(err)
		}
		err = events.Put(t.Context(), webhook.Event{
			Tenant: "Default", ID: id, Name: "a.b", Data: json.RawMessage(`{"a":"` + strings.Repeat("x", 1000) + `"}`),
			At: clock.Now(), ExpiresAt: clock.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	page, err := events.List(t.Context(), "Default", first, webhook.FirstEventID(clock.Now().Add(time.Second)), limit)
	if err != nil || len(page) != limit {
		t.Fatalf("got %d events, %v", len(page), err)
	}
	close(client.read)
	read := 0
	for n := range client.read {
		read += n
	}
	if read > 3*limit {
		t.Errorf("read %d items for a list of %d", read, limit)
	}
}
