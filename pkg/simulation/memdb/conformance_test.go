package memdb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// storeTables are the tables of the deployed service.
func storeTables() []memdb.Table {
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	return []memdb.Table{
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
	}
}

// The DynamoDB store passes the conformance suite on memdb, as it does on
// DynamoDB Local.
func TestStoreConformance(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*memdb.Config){
		"plain":            func(*memdb.Config) {},
		"with short pages": func(c *memdb.Config) { c.PageBytes, c.BatchKeys = 1, 40 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(*testing.T) storetest.Harness {
				config := memdb.Config{Tables: storeTables(), Now: time.Now}
				change(&config)
				db := memdb.New(config)
				store := dynamo.New(db, dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)})
				return storetest.Harness{Limited: func(n int) webhook.Webhooks { return store.Webhooks().Limited(n) }, Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(), Jobs: store.Jobs(), Sources: store.Sources(), Statistics: store.Statistics(), Tenants: store.Tenants(), Credentials: store.Credentials(), Erasure: store.Erasure(), Damage: damage(db)}
			})
		})
	}
}

// The item of a source's counts stays small, however often its mapping changes.
func TestSources_CountsDoNotGrow(t *testing.T) {
	t.Parallel()
	db := memdb.New(memdb.Config{Tables: storeTables(), Now: time.Now})
	sources := dynamo.New(db, dynamo.Tables{Webhooks: "webhooks"}, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)}).Sources()
	for i := range 100 {
		if err := sources.Count(t.Context(), "a", source.Counts{Missing: map[string]int64{fmt.Sprint("field", i): 1}}); err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("webhooks"), Key: map[string]types.AttributeValue{"pk": text("SOURCE#a"), "sk": text("COUNTS")},
	})
	if err != nil || len(out.Item) != 52 {
		t.Errorf("the item has %d attributes, %v; want its keys and 50 names", len(out.Item), err)
	}
}

// damage sets an attribute of a stored item to a type that no store writes.
func damage(db *memdb.DB) func(t *testing.T, thing any) {
	return func(t *testing.T, thing any) {
		t.Helper()
		var pk, sk, attribute, also string
		table := "webhooks"
		switch x := thing.(type) {
		case webhook.Webhook:
			pk, sk, attribute = fmt.Sprintf("T#%s", x.Tenant), fmt.Sprintf("W#%010d", x.ID), "rev"
		case webhook.Replaced:
			pk, sk, attribute = fmt.Sprintf("V#%s#%d", x.Webhook.Tenant, x.Webhook.ID), fmt.Sprintf("%019d", x.Webhook.Revision), "rev"
		case webhook.Event:
			pk, sk, attribute = fmt.Sprintf("T#%s#%d", x.Tenant, x.ID.Partition(16)), string(x.ID), "at"
			table = "events"
		case delivery.Row:
			pk, sk, attribute = fmt.Sprintf("T#%s#W#%d#%d", x.Tenant, x.Webhook, x.Event.Partition(8)), string(x.Event), "next_at"
			table, also = "deliveries", "attempt" // one of each index
		case delivery.Timer:
			pk, sk, attribute = fmt.Sprintf("T#%s#W#%d", x.Key.Tenant, x.Key.ID), "TIMER", "width"
			table = "deliveries"
		case storetest.StoredHour:
			pk, sk, attribute = fmt.Sprintf("T#%s#W#%d", x.Tenant, x.Webhook), x.From.Format("HOUR#2006-01-02T15"), "attempts"
		case job.Job:
			pk, sk, attribute = "JOBS", x.ID, "made"
		case webhook.Intent:
			pk, sk, attribute = "O", x.Secret, "at"
		case tenancy.Record:
			pk, sk, attribute = "TENANTS", string(x.Name), "created"
		case tenancy.Credential:
			pk, sk, attribute = fmt.Sprintf("T#%s", x.Principal.Tenant), "C#"+x.ID, "created"
		case source.Source:
			pk, sk, attribute = "SOURCES", x.Name, "doc"
		default:
			t.Fatalf("cannot damage a %T", thing)
		}
		text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
		change, names := "SET #a = :v", map[string]string{"#a": attribute}
		if also != "" {
			change, names["#b"] = change+", #b = :v", also
		}
		_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &table, Key: map[string]types.AttributeValue{"pk": text(pk), "sk": text(sk)},
			UpdateExpression: &change, ConditionExpression: aws.String("attribute_exists(pk)"),
			ExpressionAttributeNames: names, ExpressionAttributeValues: map[string]types.AttributeValue{":v": text("?")},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
