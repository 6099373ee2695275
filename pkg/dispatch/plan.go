package dispatch

import (
	"context"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// plan matches every record and chooses the lane of each delivery. Deliveries for
// the queue go to b.out; those returned take the fast lane or are parked.
func (b *batch) plan(ctx context.Context) []firstAttempt {
	all, matches := b.match(ctx)
	attempted := make([]bool, len(b.records))
	plans := map[webhook.Key]*planned{}
	keys := make([]webhook.Key, 0, len(all))
	for _, d := range all {
		if plans[d.webhookKey()] == nil {
			plans[d.webhookKey()] = &planned{}
			keys = append(keys, d.webhookKey())
		}
	}
	b.alone = len(keys) == 1
	health := b.healths.read(ctx, keys)
	var immediate []firstAttempt
	fast := 0
	for _, d := range all {
		counts, reading := plans[d.webhookKey()], health[d.webhookKey()]
		h := reading.health.Under(d.webhook.Activation)
		lane := delivery.LaneQuestion{
			Known: reading.known, Health: h, InBatch: counts.fast, Probes: counts.probes, Fast: fast, Alone: b.alone,
			Age: webhook.Elapsed(b.records[d.record].Accepted, b.invocation.Began), TimeShort: b.timeShort(), Now: b.invocation.Began,
		}.Choose()
		switch lane {
		case delivery.LaneFast:
			counts.fast++
			fast++
			attempted[d.record] = true
			immediate = append(immediate, d)
		case delivery.LaneParked:
			d.parked = true
			immediate = append(immediate, d)
		case delivery.LaneQueue, delivery.LaneSlow:
			if h.Breaker.Open() {
				counts.probes++
			}
			d.slow = lane == delivery.LaneSlow
			b.queue(d)
		}
	}
	for i, n := range matches {
		if n >= 0 && !attempted[i] {
			b.logDispatched(ctx, b.records[i].Event, n)
		}
	}
	return immediate
}

// planned counts a webhook's deliveries in the batch that take the fast lane, and
// those that go to the queue while its breaker is open.
type planned struct{ fast, probes int }

// match returns the deliveries of every record. Events that cannot be matched now
// are enqueued whole, and those that match more than maxMatches webhooks in ranges.
//
// matches counts, by record, the webhooks that are to get the event; it is
// negative for a record that was not matched.
func (b *batch) match(ctx context.Context) (all []firstAttempt, matches []int) {
	matches = make([]int, len(b.records))
	for i, r := range b.records {
		matches[i] = -1
		if r.Undecodable != nil {
			b.bury(ctx, i)
			continue
		}
		if r.Newer {
			// A function that can read it may take the message; until one does, it
			// comes back.
			b.Logger.WarnContext(ctx, "event stored by a newer version: postponed", "event_id", string(r.Event.ID))
			b.add(outgoing{Outgoing: delivery.Outgoing{Message: b.expand(i), Delay: delivery.MaxDelay}, record: i})
			continue
		}
		if b.timeShort() {
			b.add(outgoing{Outgoing: delivery.Outgoing{Message: b.expand(i)}, record: i})
			continue
		}
		found, viewed, err := b.view.matchFirst(ctx, r.Event, r.Accepted)
		if err == nil {
			matches[i] = len(found)
		}
		switch {
		case err != nil:
			b.Logger.WarnContext(ctx, "cannot read webhooks: event enqueued whole",
				"tenant", string(r.Event.Tenant), "event_id", string(r.Event.ID), "error", err)
			b.add(outgoing{Outgoing: delivery.Outgoing{Message: b.expand(i)}, record: i})
		case len(found) > maxMatches:
			for _, o := range ranges(b.expand(i), idsOf(found)) {
				b.add(outgoing{Outgoing: o, record: i})
			}
		default:
			for _, w := range found {
				all = append(all, firstAttempt{record: i, event: r.Event, webhook: w, viewed: viewed, matches: len(found)})
			}
		}
	}
	return all, matches
}

// idsOf returns the ids of webhooks in ascending order.
func idsOf(webhooks []webhook.Webhook) []int32 {
	ids := make([]int32, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID
	}
	slices.Sort(ids)
	return ids
}
