package dynamo_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// counted is a store in memory that counts calls of the database by their kind, and what
// the written items change in the indexes of the table Deliveries.
type counted struct {
	*memdb.DB
	calls map[string]int
}

func newCounted(now time.Time) (*counted, *dynamo.Deliveries) {
	c := &counted{DB: memory(func() time.Time { return now }), calls: map[string]int{}}
	return c, dynamo.New(c, inMemory, dynamo.Options{Now: func() time.Time { return now }, Random: webhooktest.Random(1)}).Deliveries()
}

// take returns the calls since the last time.
func (c *counted) take() string {
	taken := fmt.Sprint(maps.Clone(c.calls))
	clear(c.calls)
	return strings.TrimPrefix(taken, "map")
}

func (c *counted) GetItem(ctx context.Context, in *dynamodb.GetItemInput, edit ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.calls["reads"]++
	return c.DB.GetItem(ctx, in, edit...)
}

func (c *counted) Query(ctx context.Context, in *dynamodb.QueryInput, edit ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	c.calls["queries"]++
	return c.DB.Query(ctx, in, edit...)
}

func (c *counted) PutItem(ctx context.Context, in *dynamodb.PutItemInput, edit ...func(*dynamodb.Options)) (out *dynamodb.PutItemOutput, err error) {
	c.write(ctx, in.Item, func() error {
		out, err = c.DB.PutItem(ctx, in, edit...)
		return err
	})
	return out, err
}

func (c *counted) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, edit ...func(*dynamodb.Options)) (out *dynamodb.UpdateItemOutput, err error) {
	c.write(ctx, in.Key, func() error {
		out, err = c.DB.UpdateItem(ctx, in, edit...)
		return err
	})
	return out, err
}

// write counts a write of an item, and the writes of indexes that follow from it: one for
// an entry that appears, disappears or changes, two for one that moves.
func (c *counted) write(ctx context.Context, key map[string]types.AttributeValue, do func() error) {
	before := c.item(ctx, key)
	if do() != nil {
		c.calls["refused"]++
		return
	}
	c.calls["writes"]++
	after := c.item(ctx, key)
	for index, attributes := range map[string][]string{
		"due":    {"due_shard", "sweep_at", "next_at", "resends", "parked"},
		"parked": {"pk", "parked", "round", "attempt", "count", "replay"},
	} {
		was, is := entry(before, attributes), entry(after, attributes)
		switch {
		case was == is:
		case was != "" && is != "" && !strings.HasPrefix(is, was[:strings.Index(was, "|")+1]):
			c.calls[index] += 2
		default:
			c.calls[index]++
		}
	}
}

func (c *counted) item(ctx context.Context, it map[string]types.AttributeValue) map[string]types.AttributeValue {
	out, err := c.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &inMemory.Deliveries, Key: map[string]types.AttributeValue{"pk": it["pk"], "sk": it["sk"]}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil
	}
	return out.Item
}

// entry returns an item's entry in an index, its two keys before a bar, or "" if it has
// none.
func entry(it map[string]types.AttributeValue, attributes []string) string {
	shown := ""
	for i, name := range attributes {
		if it[name] == nil && i < 2 {
			return ""
		}
		switch v := it[name].(type) {
		case *types.AttributeValueMemberN:
			shown += v.Value
		case *types.AttributeValueMemberS:
			shown += v.Value
		}
		shown += []string{" ", "|"}[min(i, 1)]
	}
	return shown
}

var (
	costAt   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	costSeed = delivery.Seed{EventName: "contact.changed", PrimaryKey: 7, ExpiresAt: costAt.Add(33 * 24 * time.Hour)}
)

func costKey(i int) delivery.Key {
	return delivery.Key{Tenant: "Default", Webhook: 7, Event: webhook.FirstEventID(costAt.Add(time.Duration(i) * time.Millisecond))}
}

func failedFirst(i int) delivery.RecordFirst {
	return delivery.RecordFirst{Key: costKey(i), Now: costAt, Seed: costSeed, Outcome: delivery.Outcome{
		Attempt: delivery.Attempt{Number: 1, At: costAt}, Status: delivery.StatusPending, NextAt: costAt, SweepAt: costAt.Add(time.Minute),
	}}
}

// A delivery that succeeds at once is in no index. A lease changes none, unless the row
// is parked.
func TestDeliveries_Cost(t *testing.T) {
	t.Parallel()
	db, d := newCounted(costAt)
	// The next lease of the row with a key.
	lease := func(i, attempt int, parked bool) error {
		_, err := d.Lease(t.Context(), delivery.Lease{
			Key: costKey(i), Round: 1, Attempt: attempt, Token: "t", Now: costAt, Until: costAt.Add(time.Minute), SweepAt: costAt.Add(6 * time.Minute), Seed: costSeed, Parked: parked,
		})
		return err
	}
	park := func(i, attempt int) error {
		_, err := d.Park(t.Context(), delivery.Park{Key: costKey(i), Round: 1, Attempt: attempt, Now: costAt, Net: delivery.Net(costAt, 0), Seed: costSeed})
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a success at once", func() error {
			first := failedFirst(1)
			first.Outcome.Status, first.Outcome.NextAt, first.Outcome.SweepAt = delivery.StatusDelivered, time.Time{}, time.Time{}
			_, err := d.RecordFirst(t.Context(), first)
			return err
		}, "[writes:1]"},
		{"a failure", func() error { _, err := d.RecordFirst(t.Context(), failedFirst(2)); return err }, "[due:1 writes:1]"},
		{"the lease of the next attempt", func() error { return lease(2, 2, false) }, "[writes:1]"},
		{"its success", func() error {
			_, err := d.Finish(t.Context(), delivery.Finish{
				Key: costKey(2), Round: 1, Attempt: 2, Token: "t", Now: costAt, ExpiresAt: costSeed.ExpiresAt, Outcome: delivery.Outcome{Attempt: delivery.Attempt{Number: 2, At: costAt}, Status: delivery.StatusDelivered},
			})
			return err
		}, "[due:1 reads:1 writes:1]"},
		{"parking a delivery before its first attempt", func() error { return park(3, 1) }, "[due:1 parked:1 writes:1]"},
		{"the lease of a row that was seen parked", func() error { return lease(3, 1, true) }, "[due:2 parked:1 writes:1]"},
		{"a failure", func() error { _, err := d.RecordFirst(t.Context(), failedFirst(4)); return err }, "[due:1 writes:1]"},
		{"parking it", func() error { return park(4, 2) }, "[due:2 parked:1 reads:1 writes:1]"},
		{"the lease of a parked row that was not seen parked", func() error { return lease(4, 2, false) }, "[due:2 parked:1 refused:1 writes:1]"},
		{"a failure", func() error { _, err := d.RecordFirst(t.Context(), failedFirst(5)); return err }, "[due:1 writes:1]"},
		{"deferring it", func() error {
			_, err := d.Defer(t.Context(), delivery.Defer{Key: costKey(5), Seen: costAt.Add(time.Minute), Now: costAt, Net: delivery.Net(costAt, 0), ExpiresAt: costSeed.ExpiresAt})
			return err
		}, "[due:2 parked:1 writes:1]"},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := db.take(); got != step.want {
			t.Errorf("%s costs %s, want %s", step.name, got, step.want)
		}
	}
}

// A thousand parked rows are a thousand writes. In the day after that only the webhook's
// timer is written, however many rows wait.
func TestDeliveries_WaitingIsFree(t *testing.T) {
	t.Parallel()
	const rows = 1000
	db, d := newCounted(costAt)
	key := webhook.Key{Tenant: "Default", ID: 7}
	var err error
	for i := range rows {
		if i%2 == 0 {
			_, err = d.Park(t.Context(), delivery.Park{Key: costKey(i), Round: 1, Attempt: 1, Now: costAt, Net: delivery.Net(costAt, float64(i)/rows), Seed: costSeed})
		} else if _, err = d.RecordFirst(t.Context(), failedFirst(i)); err == nil {
			db.take()
			_, err = d.Defer(t.Context(), delivery.Defer{Key: costKey(i), Seen: costAt.Add(time.Minute), Now: costAt, Net: delivery.Net(costAt, float64(i)/rows)})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := db.calls["writes"]; got != 1 || len(db.calls) != 3 { // and both indexes
			t.Fatalf("parking row %d costs %s", i, db.take())
		}
		db.take()
	}
	timer, err := d.SetTimer(t.Context(), delivery.Timer{Key: key, DueAt: costAt})
	for at := costAt; err == nil && at.Before(costAt.Add(24*time.Hour)); at = at.Add(15 * time.Minute) {
		for shard := range delivery.DueShards {
			if due, err := d.Due(t.Context(), shard, at, delivery.DueRow{}, 100); err != nil || len(due) > 0 {
				t.Fatalf("%v later %d rows are due, %v", at.Sub(costAt), len(due), err)
			}
		}
		due, _ := d.DueTimers(t.Context(), delivery.TimerShard(key), at, delivery.DueTimer{}, 10)
		if len(due) != 1 {
			t.Fatalf("%v later %d timers are due", at.Sub(costAt), len(due))
		}
		if timer, err = d.SetTimer(t.Context(), timer.Claimed(at)); err == nil {
			timer.DueAt = at.Add(15 * time.Minute)
			timer, err = d.SetTimer(t.Context(), timer)
		}
	}
	if got := db.calls["writes"]; err != nil || got != 1+2*4*24 || db.calls["parked"] != 0 {
		t.Errorf("a day costs %s, %v; want two writes per visit", db.take(), err)
	}
	if n, err := d.Waiting(t.Context(), key, 10_000); n != rows || err != nil {
		t.Errorf("%d rows wait, %v; want %d", n, err, rows)
	}
}

// An item in a timer's place that no store writes is reported and hides no timer.
func TestDueTimers_PassOverMalformedItems(t *testing.T) {
	t.Parallel()
	db, d := newCounted(costAt)
	key := webhook.Key{Tenant: "Default", ID: 7}
	shard := delivery.TimerShard(key)
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	for i, pk := range []string{"T#Default", "T#Default#W#x", "T#Default#W#99999999999", "T#Default#W#1#2"} {
		_, err := db.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &inMemory.Deliveries, Item: map[string]types.AttributeValue{
			"pk": text(pk), "sk": text("TIMER"), "due_shard": number(int64(delivery.DueShards + shard)), "sweep_at": number(costAt.UnixMilli() - int64(i)),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.SetTimer(t.Context(), delivery.Timer{Key: key, DueAt: costAt}); err != nil {
		t.Fatal(err)
	}
	due, err := d.DueTimers(t.Context(), shard, costAt, delivery.DueTimer{}, 1)
	if diff := cmp.Diff([]delivery.DueTimer{{Key: key, DueAt: costAt}}, due); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if found, other := webhook.Readable(err); other != nil || found == nil || found.Count == 0 {
		t.Errorf("got %v, want an *UnreadableError", err)
	}
}
