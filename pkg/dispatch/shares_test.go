package dispatch

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// crowd holds the attempts of tenants, each in a goroutine of its own.
type crowd struct {
	*shares
	t       *testing.T
	begun   map[webhook.Tenant]int // attempts that have a slot
	release map[webhook.Tenant]chan struct{}
	order   []webhook.Tenant
}

func newCrowd(t *testing.T, all int) *crowd {
	return &crowd{shares: newShares(all), t: t, begun: map[webhook.Tenant]int{}, release: map[webhook.Tenant]chan struct{}{}}
}

// want lets a tenant acquire n slots and hold them until end.
func (c *crowd) want(ctx context.Context, tenant webhook.Tenant, n int) {
	if c.release[tenant] == nil {
		c.release[tenant] = make(chan struct{})
	}
	for range n {
		go func() {
			if !c.acquire(ctx, tenant) {
				return
			}
			c.mu.Lock()
			c.begun[tenant]++
			c.order = append(c.order, tenant)
			c.mu.Unlock()
			<-c.release[tenant]
			c.shares.release(tenant)
		}()
		synctest.Wait()
	}
}

// end ends n attempts of a tenant.
func (c *crowd) end(tenant webhook.Tenant, n int) {
	for range n {
		c.release[tenant] <- struct{}{}
		synctest.Wait()
	}
}

func (c *crowd) idle(all int) {
	c.t.Helper()
	if c.free != all || len(c.held) != 0 || len(c.waiting) != 0 || len(c.turns) != 0 {
		c.t.Errorf("%d of %d slots are free, held %v, waiting %v, turns %v", c.free, all, c.held, c.waiting, c.turns)
	}
}

// Tenants whose targets hang want every slot, one tenant after the other. Each gets
// about half of what is free, so the ninth still gets a slot at once.
func TestShares_LeaveASlotForTheNextTenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 512)
		for i, want := range []int{257, 128, 64, 32, 16, 8, 4, 2, 1} {
			tenant := webhook.Tenant(fmt.Sprint(i))
			c.want(t.Context(), tenant, 300)
			if got := c.begun[tenant]; got != want {
				t.Errorf("tenant %d got %d slots at once, want %d", i, got, want)
			}
		}
		for i := range 9 {
			c.end(webhook.Tenant(fmt.Sprint(i)), 300)
		}
		c.idle(512)
	})
}

func TestShares_ATenantHoldsNoMoreThanItsShareWhateverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 8)
		c.want(t.Context(), "a", 10) // five; then it holds more than are free
		c.end("a", 2)                // as many wait
		c.want(t.Context(), "b", 1)
		c.end("a", 1) // now b's slot counts
		if c.begun["a"] != 7 || c.held["a"] != 4 || c.begun["b"] != 1 {
			t.Errorf("a began %d and holds %d, want 7 and 4; b began %d, want 1", c.begun["a"], c.held["a"], c.begun["b"])
		}
		c.end("b", 1)
		c.end("a", 7)
		c.idle(8)
	})
}

func TestShares_WaitingTenantsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 4)
		c.want(t.Context(), "holder", 2)
		c.want(t.Context(), "other", 1)
		c.order = nil
		c.want(t.Context(), "a", 4) // gets the last one
		c.want(t.Context(), "b", 4)
		c.end("holder", 2)
		c.end("other", 1)
		for _, tenant := range []webhook.Tenant{"a", "b", "a", "b", "a", "b", "a", "b"} {
			c.end(tenant, 1)
		}
		got := ""
		for _, tenant := range c.order {
			got += string(tenant)
		}
		if got != "aabbabab" {
			t.Errorf("slots went to %s, want turns", got)
		}
		c.idle(4)
	})
}

func TestShares_GivingUpLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2)
		c.want(t.Context(), "a", 2)
		ctx, cancel := context.WithCancel(t.Context())
		c.want(ctx, "a", 3)
		c.want(t.Context(), "a", 1)
		cancel()
		synctest.Wait()
		if len(c.waiting["a"]) != 1 {
			t.Errorf("%d are waiting, want only the one that did not give up", len(c.waiting["a"]))
		}
		if c.acquire(ctx, "b") {
			t.Error("got a slot after the end of the context")
		}
		c.end("a", 3)
		c.idle(2)
	})
}

// A slot granted to an attempt that is giving up goes to the next one.
func TestShares_GivingUpLosesNoSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShares(1)
		s.acquire(t.Context(), "a")
		ctx, cancel := context.WithCancel(t.Context())
		var impatient, patient bool
		go func() { impatient = s.acquire(ctx, "a") }()
		synctest.Wait()
		go func() { patient = s.acquire(t.Context(), "a") }()
		synctest.Wait()
		s.mu.Lock() // the slot comes before the end of the context is seen
		cancel()
		s.takeBack("a")
		s.mu.Unlock()
		synctest.Wait()
		if impatient || !patient {
			t.Errorf("the one that gave up has a slot: %v; the next has one: %v", impatient, patient)
		}
		s.release("a")
		if s.free != 1 || len(s.held) != 0 || len(s.turns) != 0 {
			t.Errorf("%d slots are free, held %v, turns %v", s.free, s.held, s.turns)
		}
	})
}
