package embedded

import (
	"strings"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

const (
	inAir         = 256       // queue messages being handled
	inAirOfGroup  = 16        // per webhook; a batch may exceed it
	inAirOfTenant = inAir / 4 // per tenant; a batch may exceed it
	replayShare   = 4         // the part of both that replays may have
)

// air counts the messages held by handlers: in total, per tenant and per group.
// A group whose handlers hang leaves capacity for the tenant's other groups,
// and a tenant for other tenants: a tenant gets more only while it holds less
// than its share and less than is free, like the slots for attempts in package
// dispatch.
type air struct {
	landed *signal // raised when messages come back

	mu      sync.Mutex
	count   int
	tenants map[string]int
	groups  map[string]int
	replays map[string]int // by tenant
}

func newAir() *air {
	return &air{landed: newSignal(), tenants: map[string]int{}, groups: map[string]int{}, replays: map[string]int{}}
}

func (a *air) add(received []delivery.Received, n int) {
	a.mu.Lock()
	for _, r := range received {
		a.count += n
		group := r.Message.Group()
		count(a.groups, group, n)
		count(a.tenants, tenantOf(group), n)
		if isReplay(group) {
			count(a.replays, tenantOf(group), n)
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

func isReplay(group string) bool { return strings.HasSuffix(group, "-replay") }

// tenantOf returns the tenant of a message's group; see delivery.Message.Group.
func tenantOf(group string) string {
	group = strings.TrimSuffix(group, "-replay")
	return group[:max(strings.LastIndexByte(group, '-'), 0)]
}

// full returns a function that reports whether a group or its tenant currently
// has enough messages in flight. The function caches its results per group and
// serves one pass through the queue, which may be long.
func (a *air) full() func(group []byte) bool {
	known := map[string]bool{}
	return func(group []byte) bool {
		full, ok := known[string(group)]
		if !ok {
			a.mu.Lock()
			full = a.groupFull(string(group)) || a.tenantFull(tenantOf(string(group))) || isReplay(string(group)) && a.replaysFull(tenantOf(string(group)))
			a.mu.Unlock()
			known[string(group)] = full
		}
		return full
	}
}

// groupFull, tenantFull and replaysFull must be called with mu held.
func (a *air) groupFull(group string) bool {
	most := inAirOfGroup
	if isReplay(group) {
		most /= replayShare
	}
	return a.groups[group] >= most
}

func (a *air) replaysFull(tenant string) bool { return a.replays[tenant] >= inAirOfTenant/replayShare }

func (a *air) tenantFull(tenant string) bool {
	n := a.tenants[tenant]
	return n >= inAirOfTenant || n >= inAir-a.count
}

// state returns how many more messages may be received, and whether a group or
// tenant is full.
func (a *air) state() (free int, crowded bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for group := range a.groups {
		crowded = crowded || a.groupFull(group)
	}
	for tenant := range a.tenants {
		crowded = crowded || a.tenantFull(tenant) || a.replaysFull(tenant)
	}
	return max(0, inAir-a.count), crowded
}
