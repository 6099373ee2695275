package dispatch

import (
	"context"
	"slices"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// shares distributes the slots of a process among tenants. A tenant gets a slot only
// while it holds no more than are free. So one tenant can have half of them, and k
// tenants 1/(k+1) each, and the next one finds a slot at once, however many tenants
// have targets that hang, and for however long: an attempt that has begun is never
// taken back, so slots for other tenants must be free before they come.
//
// Waiting tenants take turns, one slot each.
type shares struct {
	mu      sync.Mutex
	free    int
	held    map[webhook.Tenant]int
	waiting map[webhook.Tenant][]chan struct{} // closed when the slot is theirs
	turns   []webhook.Tenant                   // waiting tenants, the next one first
}

func newShares(all int) *shares {
	return &shares{free: all, held: map[webhook.Tenant]int{}, waiting: map[webhook.Tenant][]chan struct{}{}}
}

// acquire waits for a slot. It returns false when the context has ended, even if a
// slot is free at that moment. After true, release must be called.
func (s *shares) acquire(ctx context.Context, tenant webhook.Tenant) bool {
	s.mu.Lock()
	if ctx.Err() != nil {
		s.mu.Unlock()
		return false
	}
	if len(s.waiting[tenant]) == 0 && s.grant(tenant) {
		s.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	if len(s.waiting[tenant]) == 0 {
		s.turns = append(s.turns, tenant)
	}
	s.waiting[tenant] = append(s.waiting[tenant], mine)
	s.mu.Unlock()
	select {
	case <-mine:
		if ctx.Err() == nil {
			return true
		}
	case <-ctx.Done():
	}
	s.giveUp(tenant, mine)
	return false
}

// grant takes a slot for the tenant if it may have one. mu must be held.
func (s *shares) grant(tenant webhook.Tenant) bool {
	if s.free == 0 || s.held[tenant] > s.free {
		return false
	}
	s.held[tenant]++
	s.free--
	return true
}

// release returns a slot.
func (s *shares) release(tenant webhook.Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeBack(tenant)
}

// takeBack is release. mu must be held.
func (s *shares) takeBack(tenant webhook.Tenant) {
	s.free++
	if s.held[tenant]--; s.held[tenant] == 0 {
		delete(s.held, tenant)
	}
	s.serve()
}

// serve grants free slots to waiting tenants until none of them may have another.
// mu must be held.
func (s *shares) serve() {
	for refused := 0; refused < len(s.turns); {
		tenant := s.turns[0]
		s.turns = s.turns[1:]
		if !s.grant(tenant) {
			s.turns = append(s.turns, tenant)
			refused++
			continue
		}
		refused = 0
		close(s.waiting[tenant][0])
		if s.waiting[tenant] = s.waiting[tenant][1:]; len(s.waiting[tenant]) > 0 {
			s.turns = append(s.turns, tenant)
		} else {
			delete(s.waiting, tenant)
		}
	}
}

// giveUp ends a wait. A slot granted in the meantime is released.
func (s *shares) giveUp(tenant webhook.Tenant, mine chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting[tenant], mine)
	if i < 0 {
		s.takeBack(tenant)
		return
	}
	if s.waiting[tenant] = slices.Delete(s.waiting[tenant], i, i+1); len(s.waiting[tenant]) == 0 {
		delete(s.waiting, tenant)
		s.turns = slices.DeleteFunc(s.turns, func(t webhook.Tenant) bool { return t == tenant })
	}
}
