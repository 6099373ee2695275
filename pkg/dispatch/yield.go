package dispatch

import (
	"context"
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// yield moves an attempt that the queue lane cut short to the slow lane: the lease is
// returned, and the same attempt is requested there. Health records at once that
// the target is slow, so that other attempts begin there. The step of a probe is
// returned, and the attempt may take it again.
//
// Row first, message second: if the message is lost, the sweep finds the row.
func (c *consumer) yield(ctx context.Context, a madeAttempt) fate {
	now := c.Now()
	c.logAttempt(ctx, a, now)
	c.reports.observe(a.webhook, a.result, webhook.HealthReport{Replay: a.message.Replay != ""})
	c.reports.flushOne(ctx, webhook.Key{Tenant: a.message.Tenant, ID: a.message.Webhook})
	row, err := c.Deliveries.Yield(ctx, delivery.Yield{
		Key: a.message.Key(), Round: a.message.Round, Attempt: a.message.Attempt, Token: a.token, Now: now,
		SweepAt: now.Add(sweepMargin), ExpiresAt: now.Add(c.RowLife),
		Cut: delivery.Attempt{Round: a.message.Round, Lane: a.lane(), At: a.result.At, Duration: a.result.Duration, Error: a.result.Error},
	})
	switch {
	case errors.Is(err, delivery.ErrRefused):
		return c.refusal(a.message, row)
	case err != nil:
		c.Logger.WarnContext(ctx, "cannot return lease", "event_id", string(a.message.Event), "error", err)
		return fate{leased: true}
	}
	m := a.message
	m.Slow, m.Fast, m.Hops = true, nil, m.Hops+1 // the row has the fast attempt by now
	c.sendAll(ctx, []delivery.Outgoing{{Message: m}})
	return fate{done: true, leased: true}
}

// toSlowLane forwards the message of an attempt that belongs in the slow lane, because
// its sender did not know that the webhook is slow. It reports whether it did, and
// whether the message is done. An attempt that is about to be parked stays.
func (c *consumer) toSlowLane(ctx context.Context, r delivery.Received) (forwarded, done bool) {
	m := r.Message
	if m.Slow {
		return false, false
	}
	h := c.healths.readOne(ctx, webhook.Key{Tenant: m.Tenant, ID: m.Webhook}).health
	if !h.Slow || h.Breaker.Open() && !h.Breaker.ProbeDue(c.Now()) {
		return false, false
	}
	m.Slow, m.Hops = true, m.Hops+1
	return true, c.sendOr(ctx, r, []delivery.Outgoing{{Message: m}})
}
