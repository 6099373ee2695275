package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSlots_OneWebhookLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(newShares(8), 2)
		busy, other := webhook.Key{Tenant: "Default", ID: 1}, webhook.Key{Tenant: "Default", ID: 2}
		hold := func(key webhook.Key) func() {
			t.Helper()
			release, ok := s.acquire(t.Context(), key)
			if !ok {
				t.Fatal("no slot")
			}
			return release
		}
		first, second := hold(busy), hold(busy)
		waiting, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, ok := s.acquire(waiting, busy); ok {
			t.Error("a third attempt of the webhook got a slot, want it to wait")
		}
		third := hold(other) // the waiting attempt holds no slot of the process
		first()
		second()
		third()
		if len(s.byWebhook) != 0 || s.shares.free != 8 {
			t.Errorf("%d webhooks are left and %d slots are free, want 0 and 8", len(s.byWebhook), s.shares.free)
		}
	})
}
