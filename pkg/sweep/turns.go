package sweep

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// firstTurns is how many fresh rows of a webhook and shard have a turn: 1,600 of a
	// webhook, more than the thousand that are sent in time whatever else is due.
	firstTurns = 100
	// maxTurns is how many rows of a shard have a turn. All shards together hold what a
	// Run can send, in about 20 MB.
	maxTurns = 6_000
)

// turns are fresh rows in the order in which they are sent: the tenants take turns, and
// so do the webhooks of each. However much is due for one webhook, tenant or shard, the
// first rows of all others come first. turns are collected shard by shard and then taken
// by any number of workers.
type turns struct {
	collected sync.WaitGroup
	ready     chan struct{} // closed after order is set

	mu      sync.Mutex
	kept    []delivery.DueRow
	surplus bool

	order []delivery.DueRow
	has   map[delivery.Key]bool // the rows in order, if there is a surplus
	taken atomic.Int64
}

func newTurns() *turns {
	t := &turns{ready: make(chan struct{})}
	t.collected.Add(delivery.DueShards)
	return t
}

// arrange puts the rows in order once all shards are collected.
func (t *turns) arrange() {
	t.collected.Wait()
	t.order = inTurns(t.kept)
	if t.surplus {
		t.has = make(map[delivery.Key]bool, len(t.order))
		for _, d := range t.order {
			t.has[d.Key] = true
		}
	}
	close(t.ready)
}

// collect adds the rows of a shard, page by page until a page is empty. Whatever cannot
// be read, or has no turn, is surplus.
func (t *turns) collect(next func() ([]delivery.DueRow, error)) error {
	defer t.collected.Done()
	kept, all, err := keep(next)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, kept...)
	t.surplus = t.surplus || !all
	return err
}

// keep returns the rows of a shard that have a turn, and whether they are all.
func keep(next func() ([]delivery.DueRow, error)) (kept []delivery.DueRow, all bool, err error) {
	all = true
	have := map[webhook.Key]int{}
	for {
		var page []delivery.DueRow
		if err := guarded(func() (err error) {
			page, err = next()
			return err
		}); err != nil {
			return inTurns(kept)[:min(len(kept), maxTurns)], false, err
		}
		for _, d := range page {
			if key := keyOf(d.Key); have[key] < firstTurns {
				have[key]++
				kept = append(kept, d)
			} else {
				all = false
			}
		}
		if len(kept) >= 2*maxTurns || len(page) == 0 && len(kept) > maxTurns {
			kept, all = slices.Clone(inTurns(kept)[:maxTurns]), false
		}
		if len(page) == 0 {
			return kept, all, nil
		}
	}
}

// take returns the next rows, at most n, and nothing once all were taken or ctx ends.
func (t *turns) take(ctx context.Context, n int) []delivery.DueRow {
	select {
	case <-t.ready:
	case <-ctx.Done():
		return nil
	}
	end := int(t.taken.Add(int64(n)))
	if end-n >= len(t.order) {
		return nil
	}
	return t.order[end-n : min(end, len(t.order))]
}

// inTurns puts rows in order. It overwrites them.
func inTurns(rows []delivery.DueRow) []delivery.DueRow {
	type turn struct {
		delivery.DueRow
		at int
	}
	byTime := func(a, b turn) int {
		return cmp.Or(a.SweepAt.Compare(b.SweepAt), strings.Compare(string(a.Event), string(b.Event)))
	}
	all := make([]turn, len(rows))
	for i, d := range rows {
		all[i].DueRow = d
	}
	number := func(same func(a, b turn) bool) {
		for i := range all {
			if all[i].at = 0; i > 0 && same(all[i-1], all[i]) {
				all[i].at = all[i-1].at + 1
			}
		}
	}
	slices.SortFunc(all, func(a, b turn) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), cmp.Compare(a.Webhook, b.Webhook), byTime(a, b))
	})
	number(func(a, b turn) bool { return a.Tenant == b.Tenant && a.Webhook == b.Webhook }) // turns of the webhook
	slices.SortFunc(all, func(a, b turn) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), cmp.Compare(a.at, b.at), byTime(a, b), cmp.Compare(a.Webhook, b.Webhook))
	})
	number(func(a, b turn) bool { return a.Tenant == b.Tenant }) // turns of the tenant
	slices.SortFunc(all, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.at, b.at), byTime(a, b), strings.Compare(string(a.Tenant), string(b.Tenant)), cmp.Compare(a.Webhook, b.Webhook))
	})
	for i, d := range all {
		rows[i] = d.DueRow
	}
	return rows
}
