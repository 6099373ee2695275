package memdb_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
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
			Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends"},
		}}},
	}
}

// The DynamoDB store passes the conformance suite on memdb as it does on
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
				store := dynamo.New(memdb.New(config), dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}, dynamo.Options{Now: time.Now})
				return storetest.Harness{Limited: func(n int) webhook.Webhooks { return store.Webhooks().Limited(n) }, Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(), Jobs: store.Jobs(), Tenants: store.Tenants(), Credentials: store.Credentials(), Erasure: store.Erasure()}
			})
		})
	}
}
