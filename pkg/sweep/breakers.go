package sweep

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// breakers holds back the rows of webhooks whose breaker is open. Per webhook
// and Run one row goes out as the probe, if one is due; the others are deferred
// to a time when the breaker may be closed. Breakers are read again for each
// page.
//
// At 5 ms a write, the 16 shards together defer or send 3,200 rows a second,
// whether they belong to one webhook or many. That bounds the rate at which a
// recovered target gets its rows. A dead target's rows do not delay others; see
// dueRows.
type breakers struct {
	*Sweeper

	mu   sync.Mutex
	sent map[webhook.Key]bool // webhooks whose probe this Run has sent
}

func keyOf(d delivery.Key) webhook.Key { return webhook.Key{Tenant: d.Tenant, ID: d.Webhook} }

// open returns the open breakers of the rows' webhooks. It leaves out breakers
// of an older activation, and of webhooks that are not Active, whose rows must
// end. An unreadable breaker counts as closed: if it is open, the message's
// consumer parks it.
func (b *breakers) open(ctx context.Context, due []delivery.DueRow) map[webhook.Key]webhook.Breaker {
	var tenants []webhook.Tenant
	ids := map[webhook.Tenant][]int32{}
	seen := map[webhook.Key]bool{}
	for _, d := range due {
		if seen[keyOf(d.Key)] {
			continue
		}
		seen[keyOf(d.Key)] = true
		if ids[d.Tenant] == nil {
			tenants = append(tenants, d.Tenant)
		}
		ids[d.Tenant] = append(ids[d.Tenant], d.Webhook)
	}
	found := map[webhook.Key]webhook.Breaker{}
	for _, tenant := range tenants {
		healths, err := b.Webhooks.Health(ctx, tenant, ids[tenant])
		if err != nil { // healths holds what could be read
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
			found[webhook.Key{Tenant: tenant, ID: id}] = h.Breaker
		}
	}
	return found
}

// waits reports whether a row's webhook has an open breaker and the row is not
// its probe.
func (b *breakers) waits(d delivery.DueRow, open map[webhook.Key]webhook.Breaker) bool {
	breaker, isOpen := open[keyOf(d.Key)]
	if !isOpen {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, probe := b.probeAt(d, breaker)
	return !probe
}

// probeAt reports whether a row may go out as the probe, and when.
func (b *breakers) probeAt(d delivery.DueRow, breaker webhook.Breaker) (time.Time, bool) {
	now := b.Now()
	at := later(breaker.ProbeAt, later(d.NextAt, now))
	return at, !b.sent[keyOf(d.Key)] && !breaker.Probing(now) && !at.After(now.Add(lookAhead))
}

// free lets another row be the probe.
func (b *breakers) free(d delivery.DueRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sent, keyOf(d.Key))
}

// hold defers a row if its webhook's breaker is open, and reports whether it
// did. A row that it lets pass must not go out before notBefore.
func (b *breakers) hold(ctx context.Context, d delivery.DueRow, open map[webhook.Key]webhook.Breaker) (held bool, notBefore time.Time, err error) {
	breaker, isOpen := open[keyOf(d.Key)]
	if !isOpen {
		return false, time.Time{}, nil
	}
	now := b.Now()
	b.mu.Lock()
	sent := b.sent[keyOf(d.Key)]
	probeAt, probe := b.probeAt(d, breaker)
	if probe {
		b.sent[keyOf(d.Key)] = true
	}
	b.mu.Unlock()
	if probe {
		return false, probeAt, nil
	}
	seen := now
	if sent {
		seen = later(now, breaker.ProbeAt) // as of when the probe is due
	}
	_, err = b.Deliveries.Defer(ctx, delivery.Defer{
		Key: d.Key, Seen: d.SweepAt, Now: now, Net: delivery.Net(seen, jitter(d)), ExpiresAt: now.Add(b.RowLife),
	})
	if errors.Is(err, delivery.ErrRefused) {
		// Either another sweep moved the row, which Claim finds out too, or it
		// is leased: an attempt has begun and must be completed.
		return false, time.Time{}, nil
	}
	return err == nil, time.Time{}, err
}

// jitter returns a number in [0, 1) that changes each time a row is due.
func jitter(d delivery.DueRow) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.Event))
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(d.SweepAt.UnixMilli())))
	return float64(h.Sum64()>>11) / (1 << 53)
}
