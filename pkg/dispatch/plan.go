package dispatch

import (
	"context"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// plan matches every record and chooses the lane of each delivery. What goes by
// the queue is noted in b.out; what is returned goes by the fast lane, or is
// parked.
func (b *batch) plan(ctx context.Context) []delivery {
	all := b.match(ctx)
	plans := map[webhook.Key]*planned{}
	keys := make([]webhook.Key, 0, len(all))
	for _, d := range all {
		if plans[d.webhookKey()] == nil {
			plans[d.webhookKey()] = &planned{}
			keys = append(keys, d.webhookKey())
		}
	}
	health := b.healths.read(ctx, keys)
	var immediate []delivery
	for _, d := range all {
		counts, reading := plans[d.webhookKey()], health[d.webhookKey()]
		h := reading.health.Under(d.webhook.Activation)
		lane := webhook.LaneQuestion{
			Known: reading.known, Health: h, InBatch: counts.fast, Probes: counts.probes, Alone: len(keys) == 1,
			Age: webhook.Elapsed(b.records[d.record].Accepted, b.invocation.Began), TimeShort: b.timeShort(), Now: b.invocation.Began,
		}.Choose()
		switch lane {
		case webhook.LaneFast:
			counts.fast++
			immediate = append(immediate, d)
		case webhook.LaneParked:
			d.parked, d.breaker = true, h.Breaker
			immediate = append(immediate, d)
		case webhook.LaneQueue:
			if h.Breaker.Open() {
				counts.probes++
			}
			b.queue(d)
		}
	}
	return immediate
}

// planned counts what a batch makes of one webhook's deliveries.
type planned struct{ fast, probes int }

// match finds the deliveries of every record. Events that cannot be matched now,
// or that more webhooks want than one call should see to, are handed over whole.
func (b *batch) match(ctx context.Context) (all []delivery) {
	for i, r := range b.records {
		if r.Undecodable != nil {
			b.bury(ctx, i)
			continue
		}
		if r.Newer {
			// A function that can read it may take the message; until one does, it
			// comes back.
			b.Logger.WarnContext(ctx, "event stored by a newer version: put off", "event_id", string(r.Event.ID))
			b.add(outgoing{Outgoing: webhook.Outgoing{Message: b.expand(i), Delay: webhook.MaxDelay}, record: i})
			continue
		}
		if b.timeShort() {
			b.add(outgoing{Outgoing: webhook.Outgoing{Message: b.expand(i)}, record: i})
			continue
		}
		matches, viewed, err := b.view.match(ctx, r.Event, r.Accepted)
		switch {
		case err != nil:
			b.Logger.WarnContext(ctx, "webhooks unreadable: event handed over whole",
				"tenant", string(r.Event.Tenant), "event_id", string(r.Event.ID), "error", err)
			b.add(outgoing{Outgoing: webhook.Outgoing{Message: b.expand(i)}, record: i})
		case len(matches) > maxMatches:
			for _, o := range ranges(b.expand(i), idsOf(matches)) {
				b.add(outgoing{Outgoing: o, record: i})
			}
		default:
			for _, w := range matches {
				all = append(all, delivery{record: i, event: r.Event, webhook: w, viewed: viewed})
			}
		}
	}
	return all
}

// idsOf lists the ids of webhooks in ascending order.
func idsOf(webhooks []webhook.Webhook) []int32 {
	ids := make([]int32, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID
	}
	slices.Sort(ids)
	return ids
}
