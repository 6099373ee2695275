package sweep

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// breakers keeps the rows of webhooks whose breaker is open from being sent: of
// each webhook one row a Run goes out as the probe when one is due, and all
// others are moved on to a time when the breaker may be closed. It knows nothing
// that is not read anew for each page.
//
// At 5 ms a write the 16 shards together move or send 3,200 rows a second,
// whether they belong to one webhook or to many: that is the rate at which a
// recovered target's rows are released at most. The rows of a dead target hold
// up nobody, see dueRows.
type breakers struct {
	*Sweeper

	mu   sync.Mutex
	sent map[webhookKey]bool // a probe was sent by this Run
}

type webhookKey struct {
	tenant webhook.Tenant
	id     int32
}

func keyOf(d webhook.DeliveryKey) webhookKey { return webhookKey{d.Tenant, d.Webhook} }

// open gives the breakers that are open among those of the rows' webhooks. One
// that belongs to an older activation is not, and neither is that of a webhook
// that is not Active: its rows are to be ended. What cannot be read counts as
// closed, since a message too many is parked by its consumer.
func (b *breakers) open(ctx context.Context, due []webhook.DueDelivery) map[webhookKey]webhook.Breaker {
	var tenants []webhook.Tenant
	ids := map[webhook.Tenant][]int32{}
	seen := map[webhookKey]bool{}
	for _, d := range due {
		if seen[keyOf(d.DeliveryKey)] {
			continue
		}
		seen[keyOf(d.DeliveryKey)] = true
		if ids[d.Tenant] == nil {
			tenants = append(tenants, d.Tenant)
		}
		ids[d.Tenant] = append(ids[d.Tenant], d.Webhook)
	}
	found := map[webhookKey]webhook.Breaker{}
	for _, tenant := range tenants {
		healths, err := b.Webhooks.Health(ctx, tenant, ids[tenant])
		if err != nil { // with what could be read nevertheless
			b.Logger.WarnContext(ctx, "health unreadable", "tenant", string(tenant), "error", err)
		}
		for _, id := range ids[tenant] {
			h := healths[id]
			if !h.Breaker.Open() {
				continue
			}
			w, err := b.Webhooks.Get(ctx, tenant, id)
			if err != nil || w.State != webhook.StateActive || !h.Under(w.Activation).Breaker.Open() {
				continue
			}
			found[webhookKey{tenant, id}] = h.Breaker
		}
	}
	return found
}

// waits reports whether a row's webhook has an open breaker and the row is not
// to go out as the probe.
func (b *breakers) waits(d webhook.DueDelivery, open map[webhookKey]webhook.Breaker) bool {
	breaker, isOpen := open[keyOf(d.DeliveryKey)]
	if !isOpen {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, probe := b.probeAt(d, breaker)
	return !probe
}

// probeAt reports whether a row is to go out as the probe, and when.
func (b *breakers) probeAt(d webhook.DueDelivery, breaker webhook.Breaker) (time.Time, bool) {
	now := b.Now()
	at := later(breaker.ProbeAt, later(d.NextAt, now))
	return at, !b.sent[keyOf(d.DeliveryKey)] && !breaker.Probing(now) && !at.After(now.Add(lookAhead))
}

// free gives the turn as the probe back.
func (b *breakers) free(d webhook.DueDelivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sent, keyOf(d.DeliveryKey))
}

// hold moves a row on if its webhook's breaker is open, and reports whether it
// did. A row that it lets pass goes out at a time not before notBefore.
func (b *breakers) hold(ctx context.Context, d webhook.DueDelivery, open map[webhookKey]webhook.Breaker) (held bool, notBefore time.Time, err error) {
	breaker, isOpen := open[keyOf(d.DeliveryKey)]
	if !isOpen {
		return false, time.Time{}, nil
	}
	now := b.Now()
	b.mu.Lock()
	sent := b.sent[keyOf(d.DeliveryKey)]
	probeAt, probe := b.probeAt(d, breaker)
	if probe {
		b.sent[keyOf(d.DeliveryKey)] = true
	}
	b.mu.Unlock()
	if probe {
		return false, probeAt, nil
	}
	seen := now
	if sent {
		seen = later(now, breaker.ProbeAt) // as of when the probe is due
	}
	_, err = b.Deliveries.Defer(ctx, webhook.Defer{
		Key: d.DeliveryKey, Seen: d.SweepAt, Now: now, Until: breaker.ParkUntil(seen, jitter(d)), ExpiresAt: now.Add(b.RowLife),
	})
	if errors.Is(err, webhook.ErrRefused) {
		// Moved by somebody else, which Claim finds out as well, or leased: the
		// attempt was begun and is to be seen to its end.
		return false, time.Time{}, nil
	}
	return err == nil, time.Time{}, err
}

// jitter is a number in [0, 1) that a row draws anew each time that it comes up.
func jitter(d webhook.DueDelivery) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.Event))
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(d.SweepAt.UnixMilli()))) //nolint:gosec // only its bits matter
	return float64(h.Sum64()>>11) / (1 << 53)
}
