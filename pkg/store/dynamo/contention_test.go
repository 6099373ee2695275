package dynamo_test

import (
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// Every change of a tenant's webhooks updates the same EPOCH, so transactions
// conflict; the store waits and retries.
func TestWebhooks_ChangesOfOneTenantMeetAtItsEpoch(t *testing.T) {
	t.Parallel()
	client := local(t)
	store := dynamo.New(client, newTables(t, client), dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)}).Webhooks()
	const writers = 12
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			id, err := store.NextID(t.Context(), "Default")
			if err != nil {
				t.Error(err)
				return
			}
			w := webhook.Webhook{Tenant: "Default", ID: id, Events: []string{"a"}, Revision: 1}
			if err := store.Create(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, err := store.Epoch(t.Context(), "Default"); err != nil || n != writers {
		t.Errorf("epoch %d, %v, want %d", n, err, writers)
	}
	if found, err := storetest.Subscribed(t.Context(), store, "Default", "a"); err != nil || len(found) != writers {
		t.Errorf("%d subscribed, %v, want %d", len(found), err, writers)
	}
}
