package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// healthLife is how old health may be when a lane is chosen by it.
	healthLife = 5 * time.Second
	// maxHealthBytes bounds the memory of a process's readings.
	maxHealthBytes = 4 << 20
	// healthBytes estimates the memory of a reading, without LastError.
	healthBytes = 384
)

// healths caches the health of webhooks across invocations, for a few seconds and
// while the breaker is closed. An open breaker is read again each time, since it
// may have closed, and parking would postpone a delivery by up to an hour.
type healths struct {
	webhooks Webhooks
	logger   *slog.Logger
	now      func() time.Time

	mu         sync.Mutex                       // held while a decision depends on remembered
	remembered *bytecache.Cache[int32, reading] // by tenant and id
}

// reading is a webhook's health as read, without LastError. known is false if it
// has none, or if it could not be read: such a webhook uses the queue.
type reading struct {
	health webhook.Health
	known  bool
	at     time.Time
}

func newHealths(c Config) *healths {
	return &healths{webhooks: c.Webhooks, logger: c.Logger, now: c.Now, remembered: bytecache.New[int32, reading](maxHealthBytes)}
}

// read returns the health of webhooks, with one call per tenant for those that are
// not cached. keys must be distinct. Tenants are read in the order of keys, so that
// a simulated run can be repeated.
func (s *healths) read(ctx context.Context, keys []webhook.Key) map[webhook.Key]reading {
	out := make(map[webhook.Key]reading, len(keys))
	now := s.now()
	var tenants []webhook.Tenant
	var ask map[webhook.Tenant][]int32
	s.mu.Lock()
	for _, key := range keys {
		if r, ok := s.remembered.Get(string(key.Tenant), key.ID); ok && !r.health.Breaker.Open() && webhook.Elapsed(r.at, now) < healthLife {
			out[key] = r
			continue
		}
		if ask == nil {
			ask = map[webhook.Tenant][]int32{}
		}
		if ask[key.Tenant] == nil {
			tenants = append(tenants, key.Tenant)
		}
		ask[key.Tenant] = append(ask[key.Tenant], key.ID)
	}
	s.mu.Unlock()
	for _, tenant := range tenants {
		found, err := s.webhooks.Health(ctx, tenant, ask[tenant])
		if err != nil {
			s.logger.WarnContext(ctx, "cannot read health", "tenant", string(tenant), "error", err)
			continue
		}
		s.mu.Lock()
		for _, id := range ask[tenant] {
			h, known := found[id]
			out[webhook.Key{Tenant: tenant, ID: id}] = s.keep(webhook.Key{Tenant: tenant, ID: id}, reading{health: h, known: known, at: now})
		}
		s.mu.Unlock()
	}
	return out
}

// readOne is read for one webhook.
func (s *healths) readOne(ctx context.Context, key webhook.Key) reading {
	return s.read(ctx, []webhook.Key{key})[key]
}

// slow reports whether attempts of a webhook take the slow lane, by the cached reading;
// unknown without one.
func (s *healths) slow(key webhook.Key, unknown bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.remembered.Get(string(key.Tenant), key.ID); ok {
		return r.health.Slow
	}
	return unknown
}

// current reads the health of a webhook as it is now, and caches it.
func (s *healths) current(ctx context.Context, key webhook.Key) (webhook.Health, error) {
	now := s.now()
	h, err := s.webhooks.CurrentHealth(ctx, key)
	if err != nil {
		return webhook.Health{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(key, reading{health: h, known: h.Version > 0, at: now}).health, nil
}

// knownOpen reports whether this process knows that a webhook's breaker is open.
func (s *healths) knownOpen(w webhook.Webhook) bool {
	known, _ := s.remembered.Get(string(w.Tenant), w.ID)
	return known.health.Under(w.Activation).Breaker.Open()
}

// update changes a webhook's health in the store and caches the result.
func (s *healths) update(ctx context.Context, key webhook.Key, change func(webhook.Health) webhook.Health) (webhook.Health, error) {
	now := s.now()
	h, err := s.webhooks.UpdateHealth(ctx, key.Tenant, key.ID, change)
	if err != nil {
		return webhook.Health{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(key, reading{health: h, known: true, at: now})
	return h, nil
}

// keep caches a reading unless a newer one is cached (a write may overtake a read),
// and returns the cached one. mu must be held.
func (s *healths) keep(key webhook.Key, r reading) reading {
	have, ok := s.remembered.Get(string(key.Tenant), key.ID)
	if ok && have.health.Version > r.health.Version && webhook.Elapsed(have.at, r.at) < healthLife {
		return have
	}
	r.health.LastError = "" // up to 4 KB, and no decision needs it
	s.remembered.Put(string(key.Tenant), key.ID, r, healthBytes)
	return r
}
