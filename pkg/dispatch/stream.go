package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// fastTimeout cuts an attempt in the fast lane short, so that a slow target
// holds up nobody. It counts neither as an attempt nor as an error.
const fastTimeout = 1500 * time.Millisecond

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
		Engine: e, records: records, invocation: webhook.Invocation{Began: e.Now()}, view: newView(e.lists, e.Now, e.Random),
		reports: newReports(&e.Config, e.healths, e.notices), lost: make([]bool, len(records)), silent: map[webhook.Key]bool{}, slow: map[webhook.Key]bool{}, refusing: map[webhook.Key]chan struct{}{},
	}
	b.invocation.Deadline, _ = ctx.Deadline()
	b.run(ctx, b.plan(ctx))
	b.handOver(ctx)
	b.reports.flush(ctx)
	b.notices.Flush(ctx)
	return b.checkpoint(ctx)
}

// batch is one call of Stream.
type batch struct {
	*Engine
	records    []webhook.Record
	invocation webhook.Invocation
	view       *view
	reports    *reports

	mu   sync.Mutex
	out  []outgoing
	lost []bool // by record: something of it is in nobody's hands
	// Webhooks that the batch makes no further attempt of: silent ones answered
	// 410 and get nothing, slow ones were cut short and go by the queue.
	silent, slow map[webhook.Key]bool
	slowWebhooks map[webhook.Tenant]int        // how many slow ones a tenant has
	refusing     map[webhook.Key]chan struct{} // each held while the webhook is being disabled
}

// outgoing is a message and the record it belongs to. A message whose delivery
// has a row already may be lost: the sweep finds the row.
type outgoing struct {
	webhook.Outgoing
	record int
	hasRow bool
}

// delivery is one first attempt to be made, or to be put off.
type delivery struct {
	record  int
	event   webhook.Event
	webhook webhook.Webhook // as match gives it; whole once the attempt has a slot
	viewed  time.Time       // as of when the webhook was read
	parked  bool
	breaker webhook.Breaker // of the webhook, if parked
}

func (d delivery) key() webhook.DeliveryKey {
	return webhook.DeliveryKey{Tenant: d.event.Tenant, Webhook: d.webhook.ID, Event: d.event.ID}
}

func (d delivery) webhookKey() webhook.Key {
	return webhook.Key{Tenant: d.event.Tenant, ID: d.webhook.ID}
}

func (d delivery) message() webhook.Message {
	return webhook.AttemptMessage(d.key(), 1, 1, "")
}

// run makes the fast attempts, all at once within the slots, and beside them
// parks what is to be parked.
func (b *batch) run(ctx context.Context, deliveries []delivery) {
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

// putOff parks a first attempt. A row that refuses has been begun by somebody
// else, who speaks for it.
func (b *batch) putOff(ctx context.Context, d delivery) {
	if b.timeShort() {
		b.queue(d)
		return
	}
	if _, err := b.park(ctx, d.message(), d.event, d.breaker); err != nil && !errors.Is(err, webhook.ErrRefused) {
		b.Logger.WarnContext(ctx, "not parked: sent by the queue", "event_id", string(d.event.ID), "error", err)
		b.queue(d)
	}
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

// sincePlanned says what has become of a webhook since the batch was planned.
func (b *batch) sincePlanned(key webhook.Key) (silent, slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.silent[key], b.slow[key] || b.slowWebhooks[key.Tenant] >= slowTenant
}

// attempt makes one first attempt in the fast lane, unless the time for it has
// passed while it waited for a slot.
func (b *batch) attempt(ctx context.Context, d delivery) {
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
		return // disabled meanwhile, and the event is kept
	}
	if slow || b.timeShort() {
		b.queue(d)
		return
	}
	if !webhook.ViewFresh(d.viewed, b.Now()) {
		w, viewed, matches, err := b.view.rematch(ctx, d.event, b.records[d.record].Accepted, d.webhook.ID)
		switch {
		case err != nil:
			b.queue(d)
			return
		case !matches:
			return // stopped meanwhile: silent, and the event is kept
		}
		d.webhook, d.viewed = w, viewed
	}
	whole, err := b.lists.copies.complete(ctx, d.webhook)
	if err != nil {
		b.queue(d) // it changed, or cannot be read: the queue looks at it again
		return
	}
	d.webhook = whole
	doc, err := b.document(ctx, d.webhook)
	if err != nil || b.timeShort() || !webhook.ViewFresh(d.viewed, b.Now()) {
		b.queue(d) // reading may have taken long: the webhook may be stopped by now
		return
	}
	limit := min(fastTimeout, d.webhook.Options.AttemptTimeout())
	result := b.send(ctx, webhook.LaneFast, 1, 1, webhook.Post{
		Webhook: d.webhook, Event: d.event, Secrets: doc, Timeout: limit, First: b.healths.signer(d.webhook), Unchanged: b.unchanged(d),
	})
	switch {
	case result.Interrupted: // by the end of the call: nothing is known of the target
		b.queue(d)
		return
	case result.Undecided:
		b.undecided(ctx, d, result)
		return
	case result.Error == webhook.AttemptTimeout && limit < d.webhook.Options.AttemptTimeout():
		result.Error = webhook.AttemptFast
		b.queue(d)
		b.tooSlow(ctx, d, result)
		return
	}
	if result.Error == webhook.AttemptOK {
		// Slots bound what targets get at once, not what is written. After
		// anything else the slot is held until those who wait for it can see.
		holding = false
		release()
	}
	b.reports.add(d.webhook, result, "")
	b.record(ctx, d, result)
}

// tooSlow notes that a target was cut short. The first time in a batch health
// is written at once, so that no other batch calls it by the fast lane.
func (b *batch) tooSlow(ctx context.Context, d delivery, result webhook.Result) {
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
	if again {
		return
	}
	b.reports.add(d.webhook, result, "")
	b.reports.flushOne(ctx, d.webhookKey())
}

// refusesAll notes that a target answered 410, and disables its webhook at once.
// Only a webhook that is disabled is silent: what was left out for one that is
// active after all would be in nobody's hands.
func (b *batch) refusesAll(ctx context.Context, d delivery) {
	b.mu.Lock()
	turn := b.refusing[d.webhookKey()]
	if turn == nil {
		turn = make(chan struct{}, 1)
		b.refusing[d.webhookKey()] = turn
	}
	b.mu.Unlock()
	if !take(ctx, turn) { // who comes second waits, and finds it done
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

// record writes down the outcome of a first attempt. A row that refuses has been
// begun by another consumer, which speaks for the delivery.
func (b *batch) record(ctx context.Context, d delivery, result webhook.Result) {
	settled := b.settle(ctx, madeAttempt{message: d.message(), webhook: d.webhook, event: d.event, result: result})
	switch {
	case settled.message != nil:
		b.add(outgoing{Outgoing: *settled.message, record: d.record, hasRow: settled.err == nil})
	case settled.err != nil && !errors.Is(settled.err, webhook.ErrRefused):
		b.queue(d)
	}
	if settled.disable {
		b.refusesAll(ctx, d)
	}
}

// queue sends a first attempt by the queue: its lease makes the row.
func (b *batch) queue(d delivery) {
	b.add(outgoing{Outgoing: webhook.Outgoing{Message: d.message()}, record: d.record})
}

// expand is the message that hands an event over whole, to be matched again.
func (b *batch) expand(i int) webhook.Message {
	return webhook.ExpandMessage(b.records[i].Event, b.records[i].Accepted)
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
		return
	}
	b.notices.Add(webhook.Notice{Kind: webhook.NoticeDeadLetter, Error: webhook.NoticeUnreadable, Count: 1})
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
		if !b.out[i].hasRow {
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
		b.wait(ctx, youngestToFail-webhook.Elapsed(youngest, b.Now()))
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

func (b *batch) timeShort() bool { return b.invocation.TimeShort(b.Now()) }
