package dynamo_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// manyEvents is an Events table with so many events that only their ids are kept: a
// query makes the items that it returns, at most 1 MB.
type manyEvents struct {
	dynamo.Client
	t       *testing.T
	ids     map[string][]string // by partition key, ascending
	queries atomic.Int64
	items   atomic.Int64
}

// itemBytes is the size of a made item.
const itemBytes = 500

func newManyEvents(t *testing.T, start time.Time, n int) *manyEvents {
	t.Helper()
	m := &manyEvents{t: t, ids: map[string][]string{}}
	random := webhooktest.Random(1)
	for i := range n {
		id, err := webhook.NewEventID(start.Add(time.Duration(i)*time.Second), random)
		if err != nil {
			t.Fatal(err)
		}
		pk := fmt.Sprintf("T#Default#%d", id.Partition(16))
		m.ids[pk] = append(m.ids[pk], string(id))
	}
	return m
}

func (m *manyEvents) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	m.queries.Add(1)
	value := func(name string) string {
		return in.ExpressionAttributeValues[name].(*types.AttributeValueMemberS).Value
	}
	pk, most := value(":pk"), (1<<20)/itemBytes
	if in.Limit != nil {
		most = min(most, int(*in.Limit))
	}
	ids := m.ids[pk]
	first, end := sort.SearchStrings(ids, value(":first")), sort.SearchStrings(ids, value(":last"))
	out := &dynamodb.QueryOutput{}
	for _, id := range slices.Backward(ids[first:end]) {
		if len(out.Items) == most {
			out.LastEvaluatedKey = out.Items[most-1]
			break
		}
		out.Items = append(out.Items, map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: id},
			"name": &types.AttributeValueMemberS{Value: "contact.changed"}, "key": &types.AttributeValueMemberN{Value: id[:1]},
			"data": &types.AttributeValueMemberS{Value: `{"name":"` + strings.Repeat("x", 300) + `"}`},
		})
	}
	m.items.Add(int64(len(out.Items)))
	return out, nil
}

// Each page of a search costs sixteen reads of at most 1 MB, however many events the
// tenant has and wherever the page is.
func TestEvents_ASearchOfAMillionEventsReadsOnePageOfEachPartition(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	const stored = 1_000_000
	m := newManyEvents(t, start, stored)
	events := dynamo.New(m, dynamo.Tables{Events: "events"}, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)}).Events()
	unused := int32(77)
	for name, q := range map[string]webhook.EventQuery{
		"all":            {Limit: 100},
		"none match":     {Limit: 100, Filter: webhook.EventFilter{PrimaryKey: &unused}},
		"all match":      {Limit: 100, Filter: webhook.EventFilter{Name: "contact.*"}},
		"none are seen":  {Limit: 100, Sees: func(webhook.Event) bool { return false }},
		"in the middle":  {Limit: 100, Filter: webhook.EventFilter{PrimaryKey: &unused}, Before: webhook.FirstEventID(start.Add(stored / 2 * time.Second))},
		"at the end":     {Limit: 100, Filter: webhook.EventFilter{PrimaryKey: &unused}, Before: webhook.FirstEventID(start.Add(100 * time.Second))},
		"a narrow range": {Limit: 100, First: webhook.FirstEventID(start.Add(50 * time.Second)), Before: webhook.FirstEventID(start.Add(100 * time.Second))},
	} {
		q.Tenant = "Default"
		for range 3 {
			m.queries.Store(0)
			m.items.Store(0)
			page, err := events.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			most := 16 * (1 << 20) / itemBytes
			if q.All() {
				most = 16 * (2*q.Limit/16 + 1)
			}
			if n, items := m.queries.Load(), m.items.Load(); n != 16 || items > int64(most) {
				t.Errorf("%s: %d queries of %d items, want 16 of at most %d", name, n, items, most)
			}
			if q.Before = page.Next; page.Next == "" {
				break
			}
			if len(page.Events) == 0 && page.Examined < most*3/4 {
				t.Errorf("%s: an empty page examined %d of %d", name, page.Examined, most)
			}
		}
	}
}
