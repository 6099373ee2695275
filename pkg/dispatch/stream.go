package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stream takes a batch of the change feed: every webhook that an event matches
// gets its first attempt, in the fast lane or by the queue, and every outcome
// is written down. It returns the Sequence of the lowest record that it could
// not take responsibility for, from which the feed is to hand over again; ""
// means that all are in good hands.
//
// A record is in good hands when each of its deliveries has a row or a message,
// or the record as a whole has one. What a target answers has no part in that.
func (e *Engine) Stream(ctx context.Context, records []webhook.Record) (failed string) {
	b := &batch{
		Engine: e, records: records, began: e.Now(), view: newView(e.lists, e.Now),
		reports: newReports(), lost: make([]bool, len(records)),
	}
	b.deadline, b.bounded = ctx.Deadline()
	b.run(ctx, b.plan(ctx))
	b.handOver(ctx)
	b.reports.flush(ctx, e)
	return b.checkpoint(ctx)
}

// batch is one call of Stream.
type batch struct {
	*Engine
	records  []webhook.Record
	began    time.Time
	deadline time.Time
	bounded  bool
	view     *view
	reports  *reports

	mu   sync.Mutex
	out  []outgoing
	lost []bool // by record: something of it is in nobody's hands
}

// outgoing is a message and the record it belongs to. A message whose delivery
// has a row already may be lost: the sweep finds the row.
type outgoing struct {
	webhook.Outgoing
	record int
	row    bool
}

// delivery is one first attempt to be made.
type delivery struct {
	record  int
	event   webhook.Event
	webhook webhook.Webhook
	viewed  time.Time // as of when the webhook was read
}

func (d delivery) key() webhook.DeliveryKey {
	return webhook.DeliveryKey{Tenant: d.event.Tenant, Webhook: d.webhook.ID, Event: d.event.ID}
}

func (d delivery) message(attempt int) webhook.Message {
	return webhook.Message{
		Kind: webhook.MessageAttempt, Tenant: d.event.Tenant, Webhook: d.webhook.ID, Event: d.event.ID,
		Round: 1, Attempt: attempt,
	}
}

// plan matches every record and chooses the lane of each delivery. What goes by
// the queue is noted in b.out; what is returned goes by the fast lane.
func (b *batch) plan(ctx context.Context) []delivery {
	var all []delivery
	for i, r := range b.records {
		if r.Undecodable != nil {
			b.bury(ctx, i)
			continue
		}
		matches, viewed, err := b.view.match(ctx, r.Event, r.Accepted)
		if err != nil {
			b.Logger.WarnContext(ctx, "webhooks unreadable: event handed over whole",
				"tenant", string(r.Event.Tenant), "event_id", string(r.Event.ID), "error", err)
			b.expand(i)
			continue
		}
		for _, w := range matches {
			all = append(all, delivery{record: i, event: r.Event, webhook: w, viewed: viewed})
		}
	}
	health := b.health(ctx, all)
	webhooks := map[webhookKey]int{}
	for _, d := range all {
		webhooks[webhookKey{d.event.Tenant, d.webhook.ID}] = 0
	}
	var fast []delivery
	for _, d := range all {
		key := webhookKey{d.event.Tenant, d.webhook.ID}
		h, known := health[key]
		lane := webhook.LaneQuestion{
			Active: true, Known: known, Health: h, InBatch: webhooks[key], Alone: len(webhooks) == 1,
			Age: elapsed(b.records[d.record].Accepted, b.began), TimeShort: b.timeShort(), Now: b.began,
		}.Choose()
		if lane == webhook.LaneFast {
			webhooks[key]++
			fast = append(fast, d)
		} else {
			b.queue(d)
		}
	}
	return fast
}

// health reads the health of all webhooks of a batch. Without it webhooks count
// as unknown, which is the careful side.
func (b *batch) health(ctx context.Context, all []delivery) map[webhookKey]webhook.Health {
	var tenants []webhook.Tenant // in the batch's order, so that a run can be repeated
	ids := map[webhook.Tenant][]int32{}
	seen := map[webhookKey]bool{}
	for _, d := range all {
		key := webhookKey{d.event.Tenant, d.webhook.ID}
		if seen[key] {
			continue
		}
		seen[key] = true
		if ids[key.tenant] == nil {
			tenants = append(tenants, key.tenant)
		}
		ids[key.tenant] = append(ids[key.tenant], key.id)
	}
	out := make(map[webhookKey]webhook.Health, len(seen))
	for _, tenant := range tenants {
		found, err := b.Webhooks.Health(ctx, tenant, ids[tenant])
		if err != nil {
			b.Logger.WarnContext(ctx, "health unreadable", "tenant", string(tenant), "error", err)
			continue
		}
		for id, h := range found {
			out[webhookKey{tenant, id}] = h
		}
	}
	return out
}

// run makes the fast attempts, all at once within the slots.
func (b *batch) run(ctx context.Context, fast []delivery) {
	var wg sync.WaitGroup
	for _, d := range fast {
		wg.Go(func() {
			defer b.recovered(ctx, d)
			b.attempt(ctx, d)
		})
	}
	wg.Wait()
}

// recovered turns a panic into a record that is handed over again.
func (b *batch) recovered(ctx context.Context, d delivery) {
	cause := recover()
	if cause == nil {
		return
	}
	b.Logger.ErrorContext(ctx, "delivery panicked", "event_id", string(d.event.ID), "error", fmt.Sprint(cause))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost[d.record] = true
}

// attempt makes one first attempt in the fast lane, unless the time for it has
// passed while it waited for a slot.
func (b *batch) attempt(ctx context.Context, d delivery) {
	release, ok := b.inFlight.acquire(ctx, webhookKey{d.event.Tenant, d.webhook.ID})
	if !ok {
		b.queue(d)
		return
	}
	defer release()
	if b.timeShort() {
		b.queue(d)
		return
	}
	if elapsed(d.viewed, b.Now()) >= viewLife {
		w, viewed, matches, err := b.view.still(ctx, d.event, b.records[d.record].Accepted, d.webhook.ID)
		switch {
		case err != nil:
			b.queue(d)
			return
		case !matches:
			return // stopped meanwhile: silent, and the event is kept
		}
		d.webhook, d.viewed = w, viewed
	}
	doc, err := b.document(ctx, d.webhook)
	if err != nil || b.timeShort() || elapsed(d.viewed, b.Now()) >= viewLife {
		b.queue(d) // reading may have taken long: the webhook may be stopped by now
		return
	}
	limit := min(webhook.FastTimeout, timeout(d.webhook))
	result := b.send(ctx, webhook.LaneFast, 1, 1, webhook.Post{Webhook: d.webhook, Event: d.event, Secrets: doc, Timeout: limit})
	if result.Error == webhook.AttemptTimeout && limit < timeout(d.webhook) {
		result.Error = webhook.AttemptFast
		b.reports.add(b.Engine, d.webhook, result)
		b.queue(d)
		return
	}
	b.reports.add(b.Engine, d.webhook, result)
	b.record(ctx, d, result)
}

// record writes down the outcome of a first attempt. Row first, message second:
// a written row is a hand-over by itself.
func (b *batch) record(ctx context.Context, d delivery, result webhook.Result) {
	now := b.Now()
	decision := b.policy(d.webhook).Decide(1, result, now, b.fraction())
	if decision.Disable {
		b.reports.disable(d.webhook)
	}
	outcome := result.Outcome(1, decision)
	message, more := next(d.message(1), &outcome, now)
	seed := b.seed(d.event, "", now)
	_, err := b.Deliveries.RecordFirst(ctx, webhook.RecordFirst{Key: d.key(), Now: now, Seed: seed, Outcome: outcome})
	if errors.Is(err, webhook.ErrRefused) && outcome.Succeeded() {
		_, err = b.Deliveries.MarkDelivered(ctx, webhook.MarkDelivered{
			Key: d.key(), Round: 1, Now: now, Seed: seed, Attempt: outcome.Attempt, Response: outcome.Response, ExpiresAt: seed.ExpiresAt,
		})
	}
	switch {
	case errors.Is(err, webhook.ErrRefused):
		// Somebody else has begun this delivery and speaks for it.
	case err == nil:
		if more {
			b.add(outgoing{Outgoing: message, record: d.record, row: true})
		}
	case outcome.Succeeded():
		b.add(outgoing{Outgoing: b.success(d.message(1), outcome.Attempt), record: d.record})
	default:
		b.queue(d)
	}
}

// queue sends a first attempt by the queue: its lease makes the row.
func (b *batch) queue(d delivery) {
	b.add(outgoing{Outgoing: webhook.Outgoing{Message: d.message(1)}, record: d.record})
}

// expand hands an event over whole, to be matched again.
func (b *batch) expand(i int) {
	r := b.records[i]
	b.add(outgoing{record: i, Outgoing: webhook.Outgoing{Message: webhook.Message{
		Kind: webhook.MessageExpand, Tenant: r.Event.Tenant, Event: r.Event.ID, Accepted: r.Accepted,
	}}})
}

func (b *batch) add(o outgoing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = append(b.out, o)
}

// bury puts a record that cannot be read where a person finds it.
func (b *batch) bury(ctx context.Context, i int) {
	b.Logger.ErrorContext(ctx, "record undecodable: sent to the dead letters", "count", 1)
	if err := b.DeadLetters.Bury(ctx, b.records[i].Undecodable); err != nil {
		b.Logger.ErrorContext(ctx, "dead letters unreachable", "error", err)
		b.lost[i] = true
	}
}

// handOver sends all messages.
func (b *batch) handOver(ctx context.Context) {
	if len(b.out) == 0 {
		return
	}
	out := make([]webhook.Outgoing, len(b.out))
	for i, o := range b.out {
		out[i] = o.Outgoing
	}
	for i := range b.sendAll(ctx, out) {
		if !b.out[i].row {
			b.lost[b.out[i].record] = true
		}
	}
}

// checkpoint finds the lowest record that was lost. It reports it only when the
// youngest record from there on is so old that, handed over again, it goes by
// the queue: records that were attempted here must not be attempted twice.
func (b *batch) checkpoint(ctx context.Context) string {
	for i, lost := range b.lost {
		if !lost {
			continue
		}
		youngest := b.records[i].Accepted
		for _, r := range b.records[i:] {
			if r.Accepted.After(youngest) {
				youngest = r.Accepted
			}
		}
		b.wait(ctx, youngestToFail-elapsed(youngest, b.Now()))
		return b.records[i].Sequence
	}
	return ""
}

// wait returns after a time, or when the context ends.
func (b *batch) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// timeShort reports whether no further attempt may start: recording and
// handing over need their time.
func (b *batch) timeShort() bool {
	now := b.Now()
	return elapsed(b.began, now) > startWindow || b.bounded && b.deadline.Sub(now) < handOverReserve
}
