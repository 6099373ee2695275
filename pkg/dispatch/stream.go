package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stream consumes a batch of the change feed: every webhook that matches an event
// gets its first attempt, in the fast lane or through the queue, and every outcome
// is recorded. It returns the Sequence of the lowest record that was not handed
// off, from which the feed must send again; "" if all were.
//
// A record is handed off when each of its deliveries has a row or a message, or the
// record as a whole has a message. A target's response does not change that.
func (e *Engine) Stream(ctx context.Context, records []webhook.Record) (failed string) {
	b := &batch{
		Engine: e, records: records, invocation: delivery.Invocation{Began: e.Now()}, view: newView(e.lists, e.Now, e.Random),
		reports: newReports(&e.Config, e.healths, e.notices, e.lists.suppressed), lost: make([]bool, len(records)), silent: map[webhook.Key]bool{}, slow: map[webhook.Key]bool{}, started: map[webhook.Key]int{}, refusing: map[webhook.Key]chan struct{}{},
	}
	b.invocation.Deadline, _ = ctx.Deadline()
	b.run(ctx, b.plan(ctx))
	b.handOff(ctx)
	b.reports.flush(ctx)
	b.notices.Flush(ctx)
	return b.checkpoint(ctx)
}

// batch is one call of Stream.
type batch struct {
	*Engine
	records    []webhook.Record
	invocation delivery.Invocation
	alone      bool // only one webhook matches anything
	view       *view
	reports    *reports

	mu   sync.Mutex
	out  []outgoing
	lost []bool // by record: one of its deliveries was not handed off
	// Webhooks that get no further attempt from the batch: silent ones responded
	// with 410 and get nothing, slow ones were cut short and use the queue.
	silent, slow map[webhook.Key]bool
	started      map[webhook.Key]int           // how many attempts
	slowWebhooks map[webhook.Tenant]int        // how many slow webhooks a tenant has
	refusing     map[webhook.Key]chan struct{} // each held while the webhook is being disabled
}

// outgoing is a message and its record. A message whose delivery already has a row
// may be lost: the sweep finds the row.
type outgoing struct {
	delivery.Outgoing
	record int
	hasRow bool
}

// firstAttempt is a first attempt to be made or parked.
type firstAttempt struct {
	record  int
	event   webhook.Event
	webhook webhook.Webhook // as match returns it; complete once the attempt has a slot
	viewed  time.Time       // when the webhook was read
	matches int             // webhooks that the event matched
	parked  bool
	slow    bool              // through the slow lane, if it goes to a queue
	fast    *delivery.Attempt // cut short, before it goes to the queue; nil: none
}

func (d firstAttempt) key() delivery.Key {
	return delivery.Key{Tenant: d.event.Tenant, Webhook: d.webhook.ID, Event: d.event.ID}
}

func (d firstAttempt) webhookKey() webhook.Key {
	return webhook.Key{Tenant: d.event.Tenant, ID: d.webhook.ID}
}

// made joins the delivery's first attempt and its result.
func (d firstAttempt) made(result webhook.Result) madeAttempt {
	return madeAttempt{message: d.message(), webhook: d.webhook, event: d.event, result: result, matches: d.matches}
}

func (d firstAttempt) message() delivery.Message {
	m := delivery.AttemptMessage(d.key(), 1, 1, "")
	m.Fast, m.Slow = d.fast, d.slow
	return m
}

// run makes the fast attempts concurrently, as slots allow, and meanwhile parks the
// deliveries to be parked.
func (b *batch) run(ctx context.Context, deliveries []firstAttempt) {
	var wg sync.WaitGroup
	parking := make(chan struct{}, maxParking)
	for _, d := range deliveries {
		wg.Go(func() {
			defer b.recovered(ctx, d)
			if !d.parked {
				b.attempt(ctx, d)
				return
			}
			parking <- struct{}{}
			defer func() { <-parking }()
			b.putOff(ctx, d)
		})
	}
	wg.Wait()
}

// putOff parks a first attempt. If the row refuses, another consumer has begun the
// delivery and is responsible for it.
func (b *batch) putOff(ctx context.Context, d firstAttempt) {
	if b.timeShort() {
		b.queue(d)
		return
	}
	if _, err := b.park(ctx, d.message(), d.event); err != nil && !errors.Is(err, delivery.ErrRefused) {
		b.Logger.WarnContext(ctx, "cannot park delivery: enqueued", "event_id", string(d.event.ID), "error", err)
		b.queue(d)
	}
}

// recovered turns a panic into a record that is not handed off.
func (b *batch) recovered(ctx context.Context, d firstAttempt) {
	cause := recover()
	if cause == nil {
		return
	}
	b.Logger.ErrorContext(ctx, "delivery panicked", "event_id", string(d.event.ID), "error", fmt.Sprint(cause))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost[d.record] = true
}

// sincePlanned reports whether a webhook has become silent or slow since the batch
// was planned.
func (b *batch) sincePlanned(key webhook.Key) (silent, slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.silent[key], b.slow[key] || b.slowWebhooks[key.Tenant] >= slowTenant
}

// start reports whether another attempt of a webhook may start, and counts it.
func (b *batch) start(key webhook.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.invocation.Shares(b.started[key], b.alone, b.Now()) {
		return false
	}
	b.started[key]++
	return true
}

// attempt makes a first attempt in the fast lane, or enqueues it if there is no time
// left when it gets a slot.
func (b *batch) attempt(ctx context.Context, d firstAttempt) {
	release, ok := b.inFlight.acquire(ctx, d.webhookKey())
	if !ok {
		b.queue(d)
		return
	}
	holding := true
	defer func() {
		if holding {
			release()
		}
	}()
	silent, slow := b.sincePlanned(d.webhookKey())
	if silent {
		return // disabled in the meantime; the event is kept
	}
	if slow || b.timeShort() || !b.start(d.webhookKey()) {
		b.queue(d)
		return
	}
	if !delivery.ViewFresh(d.viewed, b.Now()) {
		w, viewed, matches, err := b.view.rematch(ctx, d.event, b.records[d.record].Accepted, d.webhook.ID)
		switch {
		case err != nil:
			b.queue(d)
			return
		case !matches:
			return // stopped in the meantime: silent, and the event is kept
		}
		d.webhook, d.viewed = w, viewed
	}
	whole, err := b.lists.copies.complete(ctx, d.webhook)
	if err != nil {
		b.queue(d) // it changed, or cannot be read: the queue consumer reads it again
		return
	}
	d.webhook = whole
	doc, err := b.document(ctx, d.webhook)
	if err != nil || b.timeShort() || !delivery.ViewFresh(d.viewed, b.Now()) {
		b.queue(d) // reading may have taken long: the webhook may be stopped by now
		return
	}
	limit, cuts := delivery.LaneFast.Limit(d.webhook.Options.AttemptTimeout())
	result := b.send(ctx, webhook.Post{
		Webhook: d.webhook, Event: d.event, Secrets: doc, Timeout: limit, First: b.healths.signer(d.webhook), Unchanged: b.unchanged(d),
	})
	switch {
	case result.Interrupted: // by the end of the call: it says nothing about the target
		b.logAttempt(ctx, d.made(result), b.Now())
		b.queue(d)
		return
	case result.Undecided:
		b.logAttempt(ctx, d.made(result), b.Now())
		b.undecided(ctx, d, result)
		return
	case result.Error == failure.Timeout && cuts:
		result.Error = failure.Fast
		b.logAttempt(ctx, d.made(result), b.Now())
		d.fast = &delivery.Attempt{Round: 1, Lane: delivery.LaneFast, At: result.At, Duration: result.Duration, Error: result.Error}
		b.queue(d)
		b.tooSlow(ctx, d, result)
		return
	}
	if result.Error == failure.None {
		// Slots bound concurrent POSTs, not writes. After any other result the slot
		// is held until the attempts that wait for it can see the result.
		holding = false
		release()
	}
	b.reports.add(d.webhook, result)
	b.record(ctx, d, result)
}

// tooSlow reports an attempt that was cut short. The first time in a batch health
// is written at once, so that no other batch calls the target by the fast lane;
// the others, which were in flight by then, count with the batch's last write.
func (b *batch) tooSlow(ctx context.Context, d firstAttempt, result webhook.Result) {
	b.mu.Lock()
	again := b.slow[d.webhookKey()]
	b.slow[d.webhookKey()] = true
	if !again {
		if b.slowWebhooks == nil {
			b.slowWebhooks = map[webhook.Tenant]int{}
		}
		b.slowWebhooks[d.webhookKey().Tenant]++
	}
	b.mu.Unlock()
	b.reports.add(d.webhook, result)
	if !again {
		b.reports.flushOne(ctx, d.webhookKey())
	}
}

// refusesAll disables a webhook at once whose target responded with 410. Only a
// webhook that is disabled becomes silent: deliveries skipped for one that stayed
// active would be lost.
func (b *batch) refusesAll(ctx context.Context, d firstAttempt) {
	b.mu.Lock()
	turn := b.refusing[d.webhookKey()]
	if turn == nil {
		turn = make(chan struct{}, 1)
		b.refusing[d.webhookKey()] = turn
	}
	b.mu.Unlock()
	if !take(ctx, turn) { // a second caller waits, and finds it done
		return
	}
	defer func() { <-turn }()
	if silent, _ := b.sincePlanned(d.webhookKey()); silent {
		return
	}
	b.reports.noteGone(d.webhook)
	if b.reports.flushOne(ctx, d.webhookKey()) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.silent[d.webhookKey()] = true
	}
}

// record records the outcome of a first attempt. If the row refuses, another
// consumer has begun the delivery and is responsible for it.
func (b *batch) record(ctx context.Context, d firstAttempt, result webhook.Result) {
	made := d.made(result)
	settled := b.settle(ctx, made)
	b.reports.counts.add(made, settled.failed)
	switch {
	case settled.message != nil:
		b.add(outgoing{Outgoing: *settled.message, record: d.record, hasRow: settled.err == nil})
	case settled.err != nil && !errors.Is(settled.err, delivery.ErrRefused):
		b.queue(d)
	}
	if settled.disable {
		b.refusesAll(ctx, d)
	}
}

// queue enqueues a first attempt, whose lease creates the row.
func (b *batch) queue(d firstAttempt) {
	b.add(outgoing{Outgoing: delivery.Outgoing{Message: d.message()}, record: d.record})
}

// expand returns the message that enqueues an event whole, to be matched again.
func (b *batch) expand(i int) delivery.Message {
	return delivery.ExpandMessage(b.records[i].Event, b.records[i].Accepted)
}

func (b *batch) add(o outgoing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = append(b.out, o)
}

// bury moves a record that cannot be decoded to the dead-letter queue, where an
// operator finds it.
func (b *batch) bury(ctx context.Context, i int) {
	b.Logger.ErrorContext(ctx, "cannot decode record: moving it to the dead-letter queue", "count", 1)
	if err := b.DeadLetters.Bury(ctx, b.records[i].Undecodable); err != nil {
		b.Logger.ErrorContext(ctx, "cannot send to dead-letter queue", "error", err)
		b.lost[i] = true
		return
	}
	b.notices.Add(notice.Notice{Kind: notice.DeadLetter, Error: notice.Unreadable, Count: 1})
}

func (b *batch) timeShort() bool { return b.invocation.TimeShort(b.Now()) }
