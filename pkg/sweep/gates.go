package sweep

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// gates is what one Run knows of the webhooks whose rows are due. A breaker is read once
// in a Run. If it opens later, the messages' consumers park; if it closes, the rows that
// are parked late have a timer, which is due within a minute.
type gates struct {
	sweeper *Sweeper
	mu      sync.Mutex
	known   map[webhook.Key]*gate
}

// gate is what a Run knows of one webhook.
type gate struct {
	open bool // rows wait behind the breaker

	turn    chan struct{} // held while the timer is read, and while the others are used
	ensured time.Time     // just before the timer was read; zero: never
	looked  bool          // gone is known
	gone    bool          // the webhook is deleted
}

// isGone reports whether the webhook is deleted, which it reads once.
func (g *gate) isGone(ctx context.Context, s *Sweeper, key webhook.Key) (bool, error) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.looked {
		return g.gone, nil
	}
	_, err := s.Webhooks.Get(ctx, key.Tenant, key.ID)
	g.gone = errors.Is(err, webhook.ErrNotFound)
	if err == nil || g.gone {
		g.looked = true
		return g.gone, nil
	}
	return false, err
}

func newGate() *gate { return &gate{turn: make(chan struct{}, 1)} }

func (g *gates) init(s *Sweeper) { g.sweeper, g.known = s, map[webhook.Key]*gate{} }

func keyOf(d delivery.Key) webhook.Key { return webhook.Key{Tenant: d.Tenant, ID: d.Webhook} }

// of returns the gates of the rows' webhooks. Breakers of an older activation, and of
// webhooks that are not Active, hold no rows back. Neither does one that cannot be read,
// which is reported to skip: if it is open, the message's consumer parks.
func (g *gates) of(ctx context.Context, rows []delivery.DueRow, skip func(ctx context.Context, item string, err error)) map[webhook.Key]*gate {
	found := make(map[webhook.Key]*gate, len(rows))
	var tenants []webhook.Tenant
	ids := map[webhook.Tenant][]int32{}
	g.mu.Lock()
	for _, d := range rows {
		key := keyOf(d.Key)
		if found[key] != nil {
			continue
		}
		if found[key] = g.known[key]; found[key] == nil {
			found[key] = newGate()
			if ids[d.Tenant] == nil {
				tenants = append(tenants, d.Tenant)
			}
			ids[d.Tenant] = append(ids[d.Tenant], d.Webhook)
		}
	}
	g.mu.Unlock()
	for _, tenant := range tenants {
		healths, err := g.sweeper.Webhooks.Health(ctx, tenant, ids[tenant])
		if err != nil { // healths holds what could be read
			skip(ctx, "health of webhooks of "+string(tenant), err)
		}
		for _, id := range ids[tenant] {
			key := webhook.Key{Tenant: tenant, ID: id}
			found[key].open = healths[id].Breaker.Open() && g.holds(ctx, key, healths[id])
			if err == nil {
				found[key] = g.learn(key, found[key])
			}
		}
	}
	return found
}

// holds reports whether a webhook's open breaker holds its rows back.
func (g *gates) holds(ctx context.Context, key webhook.Key, h webhook.Health) bool {
	w, err := g.sweeper.Webhooks.Get(ctx, key.Tenant, key.ID)
	return err == nil && w.State == webhook.StateActive && h.Under(w.Activation).Breaker.Open()
}

// learn keeps a gate, unless another worker has kept one already, and returns the one
// that is kept.
func (g *gates) learn(key webhook.Key, is *gate) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.known[key]; known != nil {
		return known
	}
	g.known[key] = is
	return is
}

// ensureTries is how often a timer that changes is read again.
const ensureTries = 5

// ensure makes sure that a webhook has a timer that is not about to be removed.
func (g *gate) ensure(ctx context.Context, s *Sweeper, key webhook.Key) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	if !g.ensured.IsZero() && webhook.Elapsed(g.ensured, s.Now()) < delivery.TimerKnown {
		return nil
	}
	for range ensureTries {
		now := s.Now()
		err := delivery.EnsureTimer(ctx, s.Deliveries, key, now)
		if err == nil {
			g.ensured = now
		}
		if !errors.Is(err, delivery.ErrRefused) {
			return err
		}
	}
	return fmt.Errorf("timer of webhook %d keeps changing: %w", key.ID, webhook.ErrUnavailable)
}

// jitter returns a number in [0, 1) that changes each time a row is due.
func jitter(d delivery.DueRow) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.Event))
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(d.SweepAt.UnixMilli())))
	return float64(h.Sum64()>>11) / (1 << 53)
}
