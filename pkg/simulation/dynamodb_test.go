package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	tableWebhooks   = "webhooks"
	tableEvents     = "events"
	tableDeliveries = "deliveries"
)

// database simulates DynamoDB: the client used by the processes' stores passes
// every call through a gate and reports commits to the ledger. peek is a store
// without gates, for the ledger.
type database struct {
	*memdb.DB
	w    *world
	lag  atomic.Int64 // of the current eventually consistent read
	peek *dynamo.Store
}

var tables = dynamo.Tables{Webhooks: tableWebhooks, Events: tableEvents, Deliveries: tableDeliveries}

func newDatabase(w *world) *database {
	d := &database{w: w}
	key := func(name string) memdb.Attribute { return memdb.Attribute{Name: name} }
	num := func(name string) memdb.Attribute {
		return memdb.Attribute{Name: name, Type: types.ScalarAttributeTypeN}
	}
	d.DB = memdb.New(memdb.Config{
		Tables: []memdb.Table{
			{Name: tableWebhooks, PK: key("pk"), SK: key("sk")},
			{Name: tableEvents, PK: key("pk"), SK: key("sk")},
			{Name: tableDeliveries, PK: key("pk"), SK: key("sk"), Indexes: []memdb.Index{{
				Name: "due", PK: num("due_shard"), SK: num("sweep_at"),
				Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
			}, {
				Name: "parked", PK: memdb.Attribute{Name: "pk"}, SK: memdb.Attribute{Name: "parked"},
				Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
			}}},
		},
		Now:       time.Now,
		Lag:       func(string) int { return int(d.lag.Load()) },
		IndexLag:  func(string, string) int { return max(int(d.lag.Load()), w.lag.now()) },
		PageBytes: 4 << 10,
		History:   w.lag.history,
	})
	d.peek = dynamo.New(d.DB, tables, dynamo.Options{Now: time.Now, Random: &randomness{w: w, process: "ledger"}})
	return d
}

// throttled returns the error of a call that DynamoDB throttles, or responds to too
// late.
func throttled() error {
	return &types.ProvisionedThroughputExceededException{Message: aws.String("injected")}
}

// call passes a call through its gate. After a lost response the SDK sometimes
// repeats the call, which then sees the effect of the first one.
func call[O any](ctx context.Context, d *database, k kind, about, label string, again bool, do func() (O, error), committed func()) (out O, err error) {
	effect := func(v verdict) error {
		if v == stale {
			behind := 1 + int64(d.w.luck(label, time.Since(d.w.began).String())(0)*40)
			d.lag.Store(min(behind, int64(d.w.lag.stale())))
			defer d.lag.Store(0)
		}
		out, err = do()
		d.w.lag.committed(d.Commits())
		if err == nil && committed != nil {
			committed()
		}
		if again && err == nil && v == proceed && processOf(ctx) != nil && !d.w.calm &&
			d.w.luck("again", label, time.Since(d.w.began).String())(0) < d.w.weather.repeat {
			d.w.tracef(processOf(ctx).name, "%s  *** response lost, the SDK repeats the call", label)
			out, err = do()
			d.doubt(ctx, label, about)
		}
		return err
	}
	err = d.w.effect(ctx, k, about, label, throttled, effect)
	if err != nil {
		d.doubt(ctx, label, about)
		var none O
		return none, err
	}
	return out, err
}

// doubt records that a process does not know whether its write took effect.
func (d *database) doubt(ctx context.Context, label, about string) {
	if p := processOf(ctx); p != nil {
		d.w.witness.unsureOf(about)
		var id hook
		if n, _ := fmt.Sscanf(label, "put health w%d", &id); n == 1 {
			d.w.mu.Lock()
			p.doubts[id] = append(p.doubts[id], p.reported[id])
			d.w.mu.Unlock()
		}
		kind, rest, _ := strings.Cut(label, " ")
		if n, _ := fmt.Sscanf(rest, "row w%d/", &id); n == 1 && (kind == "put" || kind == "update") {
			d.w.witness.rowUnsure(id)
		}
		var sk string
		if n, _ := fmt.Sscanf(label, "update statistics w%d %s", &id, &sk); n == 2 {
			d.w.witness.hourRepeated(context.WithoutCancel(ctx), hourOf{id, hourOfKey(sk)})
		}
	}
}

func str(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// place describes the item of a key, and returns the delivery that it belongs
// to, if any.
func (d *database) place(table *string, key map[string]types.AttributeValue) (text, about string) {
	pk, sk := str(key["pk"]), str(key["sk"])
	switch *table {
	case tableEvents:
		if strings.HasPrefix(pk, "K#") {
			return "idempotency key of " + string(tenantOf(pk)), ""
		}
		return "event " + d.w.witness.name(webhook.EventID(sk)), ""
	case tableDeliveries:
		if sk == "TIMER" { // pk has no partition
			return fmt.Sprintf("timer w%d", webhookOf(pk+"#")), ""
		}
		id := webhookOf(pk)
		return fmt.Sprintf("row w%d/%s", id, d.w.witness.name(webhook.EventID(sk))), d.w.witness.about(id, webhook.EventID(sk))
	}
	if strings.HasPrefix(sk, "W#") {
		return fmt.Sprintf("webhook w%d", hookOf(tenantOf(pk), lastNumber(sk))), ""
	}
	if strings.HasPrefix(sk, "S#") {
		return fmt.Sprintf("pointer %s w%d", strings.Split(sk, "#")[1], hookOf(tenantOf(pk), lastNumber(sk))), ""
	}
	if strings.HasPrefix(sk, "HOUR#") {
		return fmt.Sprintf("statistics w%d %s", hookOf(tenantOf(pk), lastNumber(pk)), sk), ""
	}
	if pk == "JOBS" {
		return "running job", ""
	}
	if strings.HasPrefix(pk, "J#") {
		return "ended job", ""
	}
	if pk == "O" {
		return "intent " + sk, ""
	}
	if strings.HasPrefix(pk, "H#") {
		return fmt.Sprintf("health w%d", hookOf(tenantOf(pk), lastNumber(pk))), ""
	}
	return fmt.Sprintf("%s of %s", sk, tenantOf(pk)), ""
}

// webhookOf returns the webhook of a delivery's partition,
// T#<tenant>#W#<id>#<n>.
func webhookOf(pk string) hook {
	parts := strings.Split(pk, "#")
	n, _ := strconv.Atoi(parts[len(parts)-2])
	return hookOf(tenantOf(pk), int32(n))
}

// rowKey returns the key of a row's item.
func rowKey(it map[string]types.AttributeValue) delivery.Key {
	of := webhookOf(str(it["pk"]))
	return delivery.Key{Tenant: of.tenant(), Webhook: of.id(), Event: webhook.EventID(str(it["sk"]))}
}

// hourOfKey returns the hour of a sort key of statistics.
func hourOfKey(sk string) time.Time {
	at, _ := time.Parse("HOUR#2006-01-02T15", sk)
	return at
}

func lastNumber(key string) int32 {
	n, _ := strconv.Atoi(key[strings.LastIndexByte(key, '#')+1:])
	return int32(n)
}

// committed reports a possibly changed item to the ledger.
func (d *database) committed(ctx context.Context, table *string, key map[string]types.AttributeValue) {
	ctx = context.WithoutCancel(ctx) // the ledger must see it even if the caller stopped waiting
	pk, sk := str(key["pk"]), str(key["sk"])
	switch {
	case *table == tableEvents && !strings.HasPrefix(pk, "K#"):
		d.w.witness.eventStored(ctx, tenantOf(pk), webhook.EventID(sk))
	case *table == tableDeliveries && sk == "TIMER":
		d.w.witness.timerWritten(ctx, webhookOf(pk+"#"))
	case *table == tableDeliveries:
		d.w.witness.rowWritten(ctx, delivery.Key{Tenant: tenantOf(pk), Webhook: webhookOf(pk).id(), Event: webhook.EventID(sk)})
	case *table == tableWebhooks && strings.HasPrefix(sk, "W#"):
		d.w.witness.webhookWritten(ctx, hookOf(tenantOf(pk), lastNumber(sk)))
	case *table == tableWebhooks && strings.HasPrefix(sk, "S#"):
		d.w.witness.pointerChanged(ctx, hookOf(tenantOf(pk), lastNumber(sk)))
	case *table == tableWebhooks && strings.HasPrefix(sk, "HOUR#"):
		d.w.witness.hourWritten(ctx, hourOf{hookOf(tenantOf(pk), lastNumber(pk)), hourOfKey(sk)})
	case *table == tableWebhooks && strings.HasPrefix(pk, "H#"):
		d.w.witness.healthWritten(ctx, hookOf(tenantOf(pk), lastNumber(pk)))
	case *table == tableWebhooks && pk == "JOBS":
		d.w.witness.jobChanged(ctx)
	case *table == tableWebhooks && pk == "SOURCES":
		d.w.ingestion.committed(ctx, sk)
	case *table == tableWebhooks && pk == "TENANTS":
		d.w.doom.committed(ctx)
	case *table == tableWebhooks && pk == "O":
		d.w.witness.intentChanged(ctx)
	}
}

func readKind(consistent *bool) kind {
	if aws.ToBool(consistent) {
		return kindStore
	}
	return kindStale
}

func (d *database) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	d.authorize(ctx, in.TableName, in.Key)
	place, about := d.place(in.TableName, in.Key)
	if strings.HasPrefix(place, "COUNTS ") && d.idle(ctx) { // a sweep reads those of each source
		return d.DB.GetItem(ctx, in)
	}
	return call(ctx, d, readKind(in.ConsistentRead), about, "get "+place, false, func() (*dynamodb.GetItemOutput, error) {
		out, err := d.DB.GetItem(ctx, in)
		if err == nil {
			d.w.damage.read(ctx, in.TableName, about, out.Item)
		}
		return out, err
	}, nil)
}

func (d *database) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	d.authorize(ctx, in.TableName, in.Item)
	place, about := d.place(in.TableName, in.Item)
	return call(ctx, d, kindStore, about, "put "+place, true, func() (*dynamodb.PutItemOutput, error) {
		out, err := d.DB.PutItem(ctx, in)
		d.w.damage.written(ctx, in.TableName, "put "+place, about, nil, err)
		return out, err
	}, func() { d.committed(ctx, in.TableName, in.Item) })
}

func (d *database) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	d.authorize(ctx, in.TableName, in.Key)
	place, about := d.place(in.TableName, in.Key)
	return call(ctx, d, kindStore, about, "update "+place, true, func() (*dynamodb.UpdateItemOutput, error) {
		out, err := d.DB.UpdateItem(ctx, in)
		var now map[string]types.AttributeValue
		if err == nil {
			now = out.Attributes
		}
		d.w.damage.written(ctx, in.TableName, "update "+place, about, now, err)
		return out, err
	}, func() { d.committed(ctx, in.TableName, in.Key) })
}

func (d *database) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	d.authorize(ctx, in.TableName, in.Key)
	place, about := d.place(in.TableName, in.Key)
	return call(ctx, d, kindStore, about, "delete "+place, true, func() (*dynamodb.DeleteItemOutput, error) {
		return d.DB.DeleteItem(ctx, in)
	}, func() { d.committed(ctx, in.TableName, in.Key) })
}

func (d *database) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if in.IndexName == nil {
		d.authorize(ctx, in.TableName, map[string]types.AttributeValue{"pk": in.ExpressionAttributeValues[":pk"]})
	}
	if out := d.idleQuery(ctx, in); out != nil {
		return out, nil
	}
	var values []string
	for name, v := range in.ExpressionAttributeValues {
		values = append(values, name+"="+str(v))
	}
	slices.Sort(values)
	label := "query " + *in.TableName + " " + strings.Join(values, " ")
	if in.ExclusiveStartKey != nil {
		from, _ := d.place(in.TableName, in.ExclusiveStartKey)
		label += " from " + from
	}
	return call(ctx, d, readKind(in.ConsistentRead), "", label, false, func() (*dynamodb.QueryOutput, error) {
		out, err := d.DB.Query(ctx, in)
		d.w.damage.listed(ctx, in.TableName, out)
		return out, err
	}, nil)
}

// idleQuery returns the response to a query of the sweep that finds nothing once the
// weather is calm, and nil otherwise. That is not a step of the run: it cannot go wrong any more,
// and each of a week's sweeps makes some forty of them.
func (d *database) idleQuery(ctx context.Context, in *dynamodb.QueryInput) *dynamodb.QueryOutput {
	if !d.idle(ctx) {
		return nil
	}
	if out, err := d.DB.Query(ctx, in); err == nil && len(out.Items) == 0 {
		return out
	}
	return nil
}

// idle reports whether the sweep makes a call that nothing can go wrong with any more.
func (d *database) idle(ctx context.Context) bool {
	p := processOf(ctx)
	if p == nil || !strings.HasPrefix(p.name, "sweep") || ctx.Err() != nil {
		return false
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.w.calm && !p.dead && !p.frozen
}

func (d *database) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	label, k := "get", kindStore
	for table, request := range in.RequestItems {
		if !aws.ToBool(request.ConsistentRead) {
			k = kindStale
		}
		for _, key := range request.Keys {
			d.authorize(ctx, &table, key)
			place, _ := d.place(&table, key)
			label += " " + place
		}
	}
	return call(ctx, d, k, "", label, false, func() (*dynamodb.BatchGetItemOutput, error) {
		return d.DB.BatchGetItem(ctx, in)
	}, nil)
}

func (d *database) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	type target struct {
		table *string
		key   map[string]types.AttributeValue
	}
	var written []target
	label := "transact"
	for _, it := range in.TransactItems {
		var t target
		switch {
		case it.Put != nil:
			t = target{it.Put.TableName, it.Put.Item}
		case it.Update != nil:
			t = target{it.Update.TableName, it.Update.Key}
		case it.Delete != nil:
			t = target{it.Delete.TableName, it.Delete.Key}
		default:
			t = target{it.ConditionCheck.TableName, it.ConditionCheck.Key}
		}
		written = append(written, t)
		d.authorize(ctx, t.table, t.key)
		place, _ := d.place(t.table, t.key)
		label += ", " + place
	}
	return call(ctx, d, kindStore, "", label, false, func() (*dynamodb.TransactWriteItemsOutput, error) {
		return d.DB.TransactWriteItems(ctx, in)
	}, func() {
		for _, t := range written {
			d.committed(ctx, t.table, t.key)
		}
	})
}

// image returns an event's item as the stream carries it.
func (d *database) image(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) map[string]types.AttributeValue {
	out, err := d.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(tableEvents), ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: fmt.Sprintf("T#%s#%d", tenant, id.Partition(16))}, "sk": &types.AttributeValueMemberS{Value: string(id)},
		},
	})
	if err != nil || out.Item == nil {
		d.w.violated("store", "the item of event %s cannot be read: %v", id, err)
		return nil
	}
	return out.Item
}

// put stores an item behind the backs of the processes.
func (d *database) put(ctx context.Context, table string, it map[string]types.AttributeValue) {
	if _, err := d.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: it}); err != nil {
		d.w.violated("store", "cannot put an item: %v", err)
	}
}
