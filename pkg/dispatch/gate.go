package dispatch

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// passage is how an attempt passes the gate.
type passage struct {
	probe *probe // nil unless it is the breaker's probe
	// takeover means that the breaker is open, and that the attempt may only be taken
	// over from a consumer that died.
	takeover bool
}

// gate lets an attempt pass unless its webhook's breaker is open. Then one attempt
// per step passes as the probe, and all others are parked. A message that does not pass
// is done, or comes back later; pass is nil then.
//
// [delivery.Message.Gate] decides. A manual attempt, and one whose breaker was
// closed a moment ago, pass before the webhook is read.
func (c *consumer) gate(ctx context.Context, r delivery.Received) (pass *passage, done bool) {
	m := r.Message
	if m.Manual() {
		return &passage{}, false
	}
	known := c.healths.readOne(ctx, webhook.Key{Tenant: m.Tenant, ID: m.Webhook})
	if !known.health.Breaker.Open() {
		return &passage{}, false
	}
	w, _, err := c.subject(ctx, m)
	if err != nil {
		return nil, c.failed(ctx, r, "cannot read webhook", err)
	}
	health := known.health.Under(w.Activation)
	switch m.Gate(w, health, c.Now()) {
	case delivery.GatePass:
		return &passage{}, false
	case delivery.GateProbe:
		health, taken, err := c.probe(ctx, w)
		if err != nil {
			return nil, c.failed(ctx, r, "cannot take probe", err)
		}
		if taken != nil || !health.Breaker.Open() {
			return &passage{probe: taken}, false
		}
	case delivery.GatePark:
	}
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if gone(err) {
		return &passage{}, false // the delivery ends as expired
	}
	if err != nil {
		return nil, c.eventUnread(ctx, r, err)
	}
	row, err := c.park(ctx, m, event)
	if errors.Is(err, delivery.ErrRefused) {
		return c.notParked(ctx, r, row)
	}
	if err != nil {
		return nil, c.failed(ctx, r, "cannot park delivery", err)
	}
	return nil, true
}

// soonest is how soon a message may come back at the earliest.
const soonest = time.Second

// notParked decides about a message whose attempt the row did not let wait.
func (c *consumer) notParked(ctx context.Context, r delivery.Received, row delivery.Row) (pass *passage, done bool) {
	switch {
	case row.Parked: // by another copy of the message, or by the sweep
		return nil, c.conclude(ctx, r, c.refusal(r.Message, row))
	case row.Awaits(r.Message): // its time had not come, though it may have by now
		return nil, c.postpone(ctx, r, max(row.NextAt.Sub(c.Now()), soonest))
	}
	// The lease decides what follows, and is usually refused too: the attempt is over,
	// or another consumer is making it. If that one died, the attempt is taken over
	// although the breaker is open. There are at most as many of these as a process
	// has slots.
	return &passage{takeover: true}, false
}

// probe tries to make the attempt the probe of the webhook's breaker. taken is nil
// if another attempt is. The step of a probe that is not made must be returned.
func (c *consumer) probe(ctx context.Context, w webhook.Webhook) (h webhook.Health, taken *probe, err error) {
	token, err := c.token()
	if err != nil {
		return webhook.Health{}, nil, err
	}
	now, limit, jitter := c.Now(), w.Options.AttemptTimeout()+delivery.LeaseMargin, c.fraction()
	// The store may run the change more than once, the last time on its own write:
	// a write whose response was lost is repeated.
	var before atomic.Pointer[webhook.Breaker]
	h, err = c.healths.update(ctx, webhook.Key{Tenant: w.Tenant, ID: w.ID}, func(h webhook.Health) webhook.Health {
		h = h.Under(w.Activation)
		if found := h.Breaker; found.ProbeBy != token {
			before.Store(&found)
		}
		h.Breaker = h.Breaker.Probe(token, now, limit, jitter)
		return h
	})
	if err == nil && h.Breaker.ProbeBy == token {
		taken = &probe{name: token, before: *before.Load()}
	}
	return h, taken, err
}

// failed logs a fault and leaves the message to a retry.
func (c *consumer) failed(ctx context.Context, r delivery.Received, what string, err error) (done bool) {
	m := r.Message
	c.Logger.WarnContext(ctx, what, "kind", string(m.Kind), "tenant", string(m.Tenant), "webhook_id", m.Webhook, "event_id", string(m.Event), "error", err)
	return c.later(ctx, r)
}
