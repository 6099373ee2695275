package dynamo_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	client := local(t)
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		store := dynamo.New(client, newTables(t, client), dynamo.Options{Now: time.Now})
		return storetest.Harness{
			Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(),
			Tenants: store.Tenants(), Credentials: store.Credentials(), Jobs: store.Jobs(),
		}
	})
}
