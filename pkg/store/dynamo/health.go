package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// attrGone marks the tombstone of a deleted webhook's health. Late reports must
// not recreate a row that would never be removed.
const attrGone = "gone"

func healthKey(tenant webhook.Tenant, id int32) item {
	return key(fmt.Sprintf("H#%s#%d", tenant, id), "HEALTH")
}

// Health reads the health of several webhooks. The reads are eventually
// consistent, which halves the cost; lanes tolerate health that is a second
// old.
func (s *Webhooks) Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	found := make(map[int32]webhook.Health, len(ids))
	asked := make(map[int32]bool, len(ids))
	var keys []item
	for _, id := range ids {
		if !asked[id] {
			asked[id] = true
			keys = append(keys, healthKey(tenant, id))
		}
	}
	items, err := s.getAll(ctx, keys, false)
	if err != nil {
		return nil, wrap(err, "health of %d webhooks", len(keys))
	}
	var broken unreadable
	for _, it := range items {
		id, h, err := decodeHealth(it)
		switch {
		case err != nil:
			broken.add(it, err)
		case h.Version > 0:
			found[id] = h
		}
	}
	return found, broken.err()
}

// CurrentHealth reads the health of a webhook consistently.
func (s *Webhooks) CurrentHealth(ctx context.Context, key webhook.Key) (webhook.Health, error) {
	it, err := s.get(ctx, healthKey(key.Tenant, key.ID))
	if err == nil {
		var h webhook.Health
		if _, h, err = decodeHealth(it); err == nil {
			return h, nil
		}
	}
	return webhook.Health{}, wrap(err, "health of webhook %d", key.ID)
}

// UpdateHealth replaces a webhook's health. For a deleted webhook it calls
// change but stores nothing.
func (s *Webhooks) UpdateHealth(ctx context.Context, tenant webhook.Tenant, id int32, change func(webhook.Health) webhook.Health) (h webhook.Health, err error) {
	existing, err := s.get(ctx, healthKey(tenant, id))
	if err != nil {
		return webhook.Health{}, wrap(err, "health of webhook %d", id)
	}
	err = contention.Retry(ctx, s.random, overtaken, func() error {
		_, old, err := decodeHealth(existing)
		if err != nil {
			return err
		}
		h = change(old)
		if _, gone := existing[attrGone]; gone {
			return nil
		}
		h.Version = old.Version + 1
		c := absent
		if existing != nil {
			c = condition{text: "version = :seen", values: item{":seen": number(old.Version)}}
		}
		it := encodeHealth(tenant, id, h)
		var ok bool
		if existing, ok, err = s.put(ctx, it, c); err != nil {
			return wrap(err, "put")
		}
		if !ok {
			return errOvertaken
		}
		_, h, err = decodeHealth(it)
		return err
	})
	if err != nil {
		return webhook.Health{}, fmt.Errorf("health of webhook %d: %w", id, err)
	}
	return h, nil
}

func encodeHealth(tenant webhook.Tenant, id int32, h webhook.Health) item {
	it := healthKey(tenant, id)
	it["id"] = number(id)
	it["version"] = number(h.Version)
	it.setInt("total_calls", int64(h.TotalCalls))
	it.setInt("total_errors", int64(h.TotalErrors))
	it.setInt("consecutive_errors", int64(h.ConsecutiveErrors))
	it.setText("last_error", h.LastError)
	it.setInt("activation", h.Activation)
	it.setTime("last_ok", h.LastOK)
	it.setTime("failing_since", h.FailingSince)
	it.setTime("last_counted", h.LastCounted)
	it.setInt("latency_ns", int64(h.Latency))
	it.setTime("fast_timeout", h.FastTimeout)
	if h.Slow {
		it.setInt("slow", 1)
	}
	it.setText("signing", string(h.Signing.Signer))
	it.setText("signing_version", h.Signing.Version)
	it.setInt("failures", int64(h.Breaker.Failures))
	it.setInt("step_ns", int64(h.Breaker.Step))
	it.setTime("probe_at", h.Breaker.ProbeAt)
	it.setText("probe_by", h.Breaker.ProbeBy)
	it.setTime("probe_until", h.Breaker.ProbeUntil)
	return it
}

func decodeHealth(it item) (int32, webhook.Health, error) {
	r := reader{item: it}
	h := webhook.Health{
		TotalCalls: r.int32("total_calls"), TotalErrors: r.int32("total_errors"),
		ConsecutiveErrors: r.int32("consecutive_errors"), LastError: r.text("last_error"),
		Activation: r.int64("activation"), LastOK: r.time("last_ok"), FailingSince: r.time("failing_since"),
		LastCounted: r.time("last_counted"), Latency: time.Duration(r.int64("latency_ns")),
		FastTimeout: r.time("fast_timeout"), Slow: r.int64("slow") == 1, Version: r.int64("version"),
		Signing: webhook.Preference{Version: r.text("signing_version"), Signer: webhook.Signer(r.text("signing"))},
		Breaker: webhook.Breaker{
			Failures: r.int32("failures"), Step: time.Duration(r.int64("step_ns")), ProbeAt: r.time("probe_at"),
			ProbeBy: r.text("probe_by"), ProbeUntil: r.time("probe_until"),
		},
	}
	return r.int32("id"), h, r.err
}
