package embedded

import (
	"fmt"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Tenants with hanging handlers arrive one after another, and each wants
// everything.
func TestAir_LeavesRoomForTheNextTenant(t *testing.T) {
	t.Parallel()
	a := newAir()
	for i, want := range []int{129, 64, 32, 16, 8, 4, 2, 1} {
		n := 0
		m := delivery.Message{Tenant: webhook.Tenant(fmt.Sprint(i)), Webhook: 1}
		for !a.full(m.Group()) {
			a.add([]delivery.Received{{Message: m}}, 1)
			n++
		}
		if n != want {
			t.Errorf("tenant %d has %d in flight, want %d", i, n, want)
		}
	}
}

// The replays of a tenant take a quarter of what it may have, and the rest is left to
// its live events.
func TestAir_LeavesRoomForLiveEvents(t *testing.T) {
	t.Parallel()
	a := newAir()
	n := 0
	for replay := (delivery.Message{Tenant: "A", Replay: "job"}); !a.full(replay.Group()); n++ {
		a.add([]delivery.Received{{Message: replay}}, 1)
	}
	if live := (delivery.Message{Tenant: "A"}); n != 32 || a.full(live.Group()) {
		t.Errorf("%d replays are in flight, want 32; live events are full: %v", n, a.full(live.Group()))
	}
}
