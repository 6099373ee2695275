package embedded

import (
	"fmt"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestTenantOf(t *testing.T) {
	t.Parallel()
	for _, tenant := range []webhook.Tenant{"Default", "a-b", "a-7", "x-replay", "x-7-replay", "-", "_"} {
		for _, m := range []delivery.Message{
			{Tenant: tenant, Webhook: 12}, {Tenant: tenant, Webhook: 12, Replay: "job"}, {Tenant: tenant}, {Tenant: tenant, Replay: "job"},
		} {
			if got := tenantOf(m.Group()); got != string(tenant) {
				t.Errorf("group %s: got tenant %q, want %q", m.Group(), got, tenant)
			}
		}
	}
}

// Tenants with hanging handlers arrive one after another, and each wants
// everything.
func TestAir_LeavesRoomForTheNextTenant(t *testing.T) {
	t.Parallel()
	a := newAir()
	for i, want := range []int{64, 64, 64, 32, 16, 8, 4, 2, 1} {
		n := 0
		for id := int32(1); id <= 40; id++ {
			m := delivery.Message{Tenant: webhook.Tenant(fmt.Sprint(i)), Webhook: id}
			for !a.full()([]byte(m.Group())) {
				a.add([]delivery.Received{{Message: m}}, 1)
				n++
			}
			if a.groups[m.Group()] > inAirOfGroup {
				t.Errorf("group %s has %d in flight", m.Group(), a.groups[m.Group()])
			}
		}
		if n != want {
			t.Errorf("tenant %d has %d in flight, want %d", i, n, want)
		}
	}
}
