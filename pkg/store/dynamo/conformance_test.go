package dynamo_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	client := local(t)
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		tables := newTables(t, client)
		store := dynamo.New(client, tables, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)})
		return storetest.Harness{
			Limited:  func(n int) webhook.Webhooks { return store.Webhooks().Limited(n) },
			Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(),
			Tenants: store.Tenants(), Credentials: store.Credentials(), Erasure: store.Erasure(), Jobs: store.Jobs(), Sources: store.Sources(),
			Statistics: store.Statistics(),
			Feed:       func(t *testing.T, tenant webhook.Tenant) []webhook.Record { return feed(t, tables.Events, tenant) },
			Stamp:      time.Minute, // DynamoDB Local's; DynamoDB's own is a second
		}
	})
}
