package dispatch

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// expand matches an event again and enqueues a first attempt for every matching
// webhook in the message's range. A message without a range, sent before the
// matches could be counted, is cut into ranges if there are too many for one call;
// a range is never cut again.
func (c *consumer) expand(ctx context.Context, r delivery.Received) (done bool) {
	m := r.Message
	if m.Hops >= maxMessageHops {
		// A bug makes it circle: it is slowed down and never dropped.
		m.Hops = 0
		return c.sendOr(ctx, r, []delivery.Outgoing{{Message: m, Delay: delivery.MaxDelay}})
	}
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if gone(err) {
		return true
	}
	if err != nil {
		return c.eventUnread(ctx, r, err)
	}
	matches, _, err := newView(c.lists, c.Now, c.Random).match(ctx, event, m.Accepted)
	if err != nil {
		c.Logger.WarnContext(ctx, "cannot read webhooks", "tenant", string(m.Tenant), "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	ids := idsOf(slices.DeleteFunc(matches, func(w webhook.Webhook) bool { return !m.Covers(w) }))
	if m.To == 0 {
		c.logDispatched(ctx, event, len(ids)) // a range was logged with the event
	}
	m.Hops++
	if len(ids) > expandRange && m.To == 0 {
		return c.sendOr(ctx, r, ranges(m, ids))
	}
	if m.Missing {
		if ids, err = c.missing(ctx, m, ids); err != nil {
			c.Logger.WarnContext(ctx, "cannot read delivery rows", "tenant", string(m.Tenant), "event_id", string(m.Event), "error", err)
			return c.later(ctx, r)
		}
	}
	out := make([]delivery.Outgoing, len(ids))
	for i, id := range ids {
		first := delivery.AttemptMessage(delivery.Key{Tenant: m.Tenant, Webhook: id, Event: m.Event}, 1, 1, "")
		first.Hops = m.Hops
		out[i].Message = first
	}
	return c.sendOr(ctx, r, out)
}

// ranges cuts a list of webhooks, in ascending order of id, into expand
// messages for at most expandRange of them.
func ranges(m delivery.Message, ids []int32) (out []delivery.Outgoing) {
	for chunk := range slices.Chunk(ids, expandRange) {
		m.From, m.To = chunk[0], chunk[len(chunk)-1]
		out = append(out, delivery.Outgoing{Message: m})
	}
	return out
}

// missing returns the webhooks whose delivery of the event has no row: it was
// never begun, or only by a message that is still in the queue, which the row will
// fence.
func (c *consumer) missing(ctx context.Context, m delivery.Message, ids []int32) ([]int32, error) {
	absent, errs := make([]bool, len(ids)), make([]error, len(ids))
	var wg sync.WaitGroup
	looking := make(chan struct{}, maxLooking)
	for i, id := range ids {
		looking <- struct{}{}
		wg.Go(func() {
			defer func() { <-looking }()
			_, err := c.Deliveries.Get(ctx, delivery.Key{Tenant: m.Tenant, Webhook: id, Event: m.Event})
			if absent[i] = gone(err); !absent[i] {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	var found []int32
	for i, id := range ids {
		if absent[i] {
			found = append(found, id)
		}
	}
	return found, errors.Join(errs...)
}

// sendOr sends the messages that a message turns into. The message is done when
// all of them are sent; otherwise it comes back, and rows fence what is sent twice.
func (c *consumer) sendOr(ctx context.Context, r delivery.Received, out []delivery.Outgoing) (done bool) {
	if len(out) > 0 && len(c.sendAll(ctx, out)) > 0 {
		return c.later(ctx, r)
	}
	return true
}
