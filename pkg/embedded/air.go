package embedded

import (
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

const (
	inAir       = 256 // messages of a lane being handled
	replayShare = 4   // the part of a tenant's messages that may be replays: 1/4
)

// air counts the messages of a lane held by handlers: in total and per tenant. A tenant
// gets more only while it holds no more than are free, like the slots for attempts in
// package dispatch. So one tenant whose handlers hang holds half of them, and leaves the
// other half.
type air struct {
	landed *signal // raised when messages come back

	mu      sync.Mutex
	count   int
	tenants map[string]int
	replays map[string]int // by tenant
}

func newAir() *air {
	return &air{landed: newSignal(), tenants: map[string]int{}, replays: map[string]int{}}
}

func (a *air) add(received []delivery.Received, n int) {
	a.mu.Lock()
	for _, r := range received {
		a.count += n
		tenant, replays := delivery.ReplayGroup(r.Message.Group())
		count(a.tenants, tenant, n)
		if replays {
			count(a.replays, tenant, n)
		}
	}
	a.mu.Unlock()
	if n < 0 {
		a.landed.raise()
	}
}

func count(in map[string]int, key string, n int) {
	if in[key] += n; in[key] == 0 {
		delete(in, key)
	}
}

// full reports whether a group's tenant has enough messages in flight.
func (a *air) full(group string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	tenant, replays := delivery.ReplayGroup(group)
	return a.tenantFull(tenant) || replays && a.replaysFull(tenant)
}

// tenantFull and replaysFull must be called with mu held.
func (a *air) tenantFull(tenant string) bool { return a.tenants[tenant] > inAir-a.count }

func (a *air) replaysFull(tenant string) bool {
	return a.replays[tenant] >= inAir/2/replayShare
}

// state returns how many more messages may be received, and whether a tenant is full.
func (a *air) state() (free int, crowded bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for tenant := range a.tenants {
		crowded = crowded || a.tenantFull(tenant) || a.replaysFull(tenant)
	}
	return max(0, inAir-a.count), crowded
}
