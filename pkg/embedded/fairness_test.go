package embedded_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The attempts of four tenants with twenty webhooks each all hang; a fifth
// tenant's messages come after all of theirs.
func TestPump_HangingTenantsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	message := func(tenant webhook.Tenant, id int32, n int) delivery.Outgoing {
		return delivery.Outgoing{Message: delivery.Message{
			Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: id, Event: webhook.EventID(fmt.Sprintf("019a0000-0000-7000-8000-%012d", n)), Round: 1, Attempt: 1,
		}}
	}
	for _, tenant := range []webhook.Tenant{"A", "B", "C", "D"} {
		var hanging []delivery.Outgoing
		for n := range 400 {
			hanging = append(hanging, message(tenant, int32(n%20+1), n))
		}
		if _, err := db.Queue().Send(t.Context(), hanging); err != nil {
			t.Fatal(err)
		}
	}
	release, served := make(chan struct{}), make(chan struct{}, 1)
	var mu sync.Mutex
	held := map[webhook.Tenant]int{}
	stop := pumped(t, &embedded.Pump{DB: db, Queue: func(_ context.Context, received []delivery.Received) []string {
		hangs := false
		for _, r := range received {
			if r.Message.Tenant == "Default" {
				served <- struct{}{}
				continue
			}
			hangs = true
			mu.Lock()
			held[r.Message.Tenant]++
			mu.Unlock()
		}
		if hangs {
			<-release
		}
		return nil
	}})
	defer stop()
	defer close(release)
	for n := range 4 {
		if _, err := db.Queue().Send(t.Context(), []delivery.Outgoing{message("Default", 1, n)}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-served:
		case <-time.After(10 * time.Second):
			t.Fatalf("message %d of the other tenant waits for the hanging ones", n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for tenant, n := range held {
		if n > 129+9 {
			t.Errorf("tenant %s has %d messages in flight, want at most half of 256 plus the rest of a batch", tenant, n)
		}
	}
}
