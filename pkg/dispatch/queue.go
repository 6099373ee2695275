package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Queue takes a batch of the delivery queue and returns the IDs of the messages
// that are not done: these stay in the queue and become visible again. A
// message is done when its row says that its attempt is over, or that the
// delivery has gone past it.
func (e *Engine) Queue(ctx context.Context, received []webhook.Received) (failed []string) {
	c := &consumer{Engine: e, waiting: newSlots(max(len(received), 1), maxQueuePerWebhook)}
	done := make([]bool, len(received))
	var wg sync.WaitGroup
	for i, r := range received {
		wg.Go(func() { done[i] = c.handle(ctx, r) })
	}
	wg.Wait()
	for i, r := range received {
		if !done[i] {
			failed = append(failed, r.ID)
		}
	}
	return failed
}

// consumer is one call of Queue.
type consumer struct {
	*Engine
	waiting *slots // bounds the attempts of one webhook within the batch
}

func (c *consumer) handle(ctx context.Context, r webhook.Received) (done bool) {
	defer func() {
		if cause := recover(); cause != nil {
			c.Logger.ErrorContext(ctx, "message panicked", "error", fmt.Sprint(cause))
			done = c.later(ctx, r)
		}
	}()
	if r.Undecodable != "" {
		// Left where it is: after its last receive the dead-letter queue keeps
		// it for a person to see.
		c.Logger.ErrorContext(ctx, "message undecodable", "count", r.Receives)
		return false
	}
	switch r.Message.Kind {
	case webhook.MessageAttempt:
		return c.attempt(ctx, r)
	case webhook.MessageRecord:
		return c.record(ctx, r)
	case webhook.MessageExpand:
		return c.expand(ctx, r)
	}
	return false
}

// attempt makes one attempt of a delivery under a lease.
func (c *consumer) attempt(ctx context.Context, r webhook.Received) (done bool) {
	m := r.Message
	release, ok := c.waiting.acquire(ctx, webhookKey{m.Tenant, m.Webhook})
	if !ok {
		return c.later(ctx, r)
	}
	defer release()
	leave, ok := c.inFlight.acquire(ctx, webhookKey{m.Tenant, m.Webhook})
	if !ok {
		return c.later(ctx, r)
	}
	defer leave()
	if m.Hops >= maxMessageHops {
		return c.makeDue(ctx, r)
	}
	w, read, err := c.subject(ctx, m)
	if err != nil {
		c.Logger.WarnContext(ctx, "webhook unreadable", "tenant", string(m.Tenant), "webhook_id", m.Webhook, "error", err)
		return c.later(ctx, r)
	}
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if gone(err) {
		return c.end(ctx, r, webhook.Event{ID: m.Event}, webhook.StatusExpired, "the event is no longer kept")
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "event unreadable", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	if w.State != webhook.StateActive {
		return c.end(ctx, r, event, webhook.StatusCancelled, "the webhook is "+w.State.String())
	}
	doc, err := c.document(ctx, w)
	if err != nil && !gone(err) {
		c.Logger.WarnContext(ctx, "secret unreadable", "tenant", string(m.Tenant), "webhook_id", m.Webhook, "error", err)
		return c.postpone(ctx, r, secretRetry)
	}
	unsigned := err != nil
	return c.leased(ctx, r, leasedAttempt{webhook: w, read: read, event: event, document: doc, unsigned: unsigned})
}

// subject reads the webhook that an attempt is for, freshly, and says as of
// when.
func (c *consumer) subject(ctx context.Context, m webhook.Message) (w webhook.Webhook, read time.Time, err error) {
	read = c.Now()
	w, err = c.Webhooks.Get(ctx, m.Tenant, m.Webhook)
	if gone(err) {
		// Cancelled like a stopped one; its rows go with their time.
		return webhook.Webhook{Tenant: m.Tenant, ID: m.Webhook, State: webhook.StateStopped}, read, nil
	}
	return w, read, err
}

// leasedAttempt is all that an attempt needs but its lease.
type leasedAttempt struct {
	webhook  webhook.Webhook
	read     time.Time // as of when webhook was read
	event    webhook.Event
	document webhook.SecretDocument
	// unsigned says that the secret is gone for good: the attempt fails.
	unsigned bool
}

// leased takes the lease, makes the POST and finishes.
func (c *consumer) leased(ctx context.Context, r webhook.Received, a leasedAttempt) (done bool) {
	m := r.Message
	token, err := c.token()
	if err != nil {
		c.Logger.ErrorContext(ctx, "no lease token", "error", err)
		return c.later(ctx, r)
	}
	limit := timeout(a.webhook)
	began := c.Now()
	if deadline, bounded := ctx.Deadline(); bounded && deadline.Sub(began) < limit+leaseMargin {
		return c.postpone(ctx, r, timeRetry)
	}
	row, err := c.Deliveries.Lease(ctx, webhook.Lease{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Token: token,
		Now: began, Until: began.Add(limit + leaseMargin), SweepAt: began.Add(limit + leaseMargin + sweepMargin),
		Seed: c.seed(a.event, m.Replay, began),
	})
	if errors.Is(err, webhook.ErrRefused) {
		return c.refused(ctx, r, row)
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "lease not written", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	if !c.mayStart(a, began) {
		return c.postpone(ctx, r, limit+leaseMargin+leaseSpare)
	}
	post := webhook.Post{
		Webhook: a.webhook, Event: a.event, Secrets: a.document, Retry: m.Attempt - 1, Replay: m.Round > 1, Timeout: limit,
		SignWithPrevious: refusedSignature(row),
	}
	result := webhook.Result{At: began, Error: webhook.AttemptSecret}
	if !a.unsigned {
		result = c.send(ctx, webhook.LaneQueue, m.Round, m.Attempt, post)
	}
	reports := newReports()
	reports.add(c.Engine, a.webhook, result)
	done = c.finish(ctx, r, a, token, result, reports)
	reports.flush(ctx, c.Engine)
	return done
}

// mayStart checks, with the lease in hand, that a POST begun now ends within it
// and that the view of the webhook is fresh enough.
func (c *consumer) mayStart(a leasedAttempt, began time.Time) bool {
	now := c.Now()
	return elapsed(began, now) <= leaseMargin-leaseSpare && elapsed(a.read, now) < viewLife
}

// refusedSignature reports whether the target, during a rotation, answered the
// last attempt as one does to a wrong signature: the next attempt then uses the
// old secret in the header that has room for one.
func refusedSignature(row webhook.Delivery) bool {
	if len(row.Attempts) == 0 {
		return false
	}
	switch row.Attempts[len(row.Attempts)-1].StatusCode {
	case 400, 401, 403:
		return true
	}
	return false
}

// finish writes down what came of a leased attempt and sends the message for
// the next one.
func (c *consumer) finish(ctx context.Context, r webhook.Received, a leasedAttempt, token string, result webhook.Result, reports *reports) (done bool) {
	m, now := r.Message, c.Now()
	decision := c.policy(a.webhook).Decide(m.Attempt, result, now, c.fraction())
	if decision.Disable {
		reports.disable(a.webhook)
	}
	outcome := result.Outcome(m.Attempt, decision)
	message, more := next(m, &outcome, now)
	expires := now.Add(c.RowLife)
	row, err := c.Deliveries.Finish(ctx, webhook.Finish{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Token: token, Now: now, ExpiresAt: expires, Outcome: outcome,
	})
	switch {
	case err == nil:
		if more {
			c.sendAll(ctx, []webhook.Outgoing{message}) // the row is there, whatever comes of it
		}
		return true
	case outcome.Succeeded():
		return c.markDelivered(ctx, r, outcome.Attempt, outcome.Response, a.event)
	case errors.Is(err, webhook.ErrRefused):
		return c.refused(ctx, r, row)
	}
	c.Logger.WarnContext(ctx, "outcome not written", "event_id", string(m.Event), "error", err)
	return c.later(ctx, r)
}

// markDelivered writes down a success whose lease is lost, or hands it on as a
// message: it is never forgotten and never sent again.
func (c *consumer) markDelivered(ctx context.Context, r webhook.Received, a webhook.Attempt, response string, event webhook.Event) (done bool) {
	m, now := r.Message, c.Now()
	seed := c.seed(event, m.Replay, now)
	_, err := c.Deliveries.MarkDelivered(ctx, webhook.MarkDelivered{
		Key: m.Key(), Round: m.Round, Now: now, Seed: seed, Attempt: a, Response: response, ExpiresAt: seed.ExpiresAt,
	})
	if err == nil || errors.Is(err, webhook.ErrRefused) {
		return true
	}
	c.Logger.WarnContext(ctx, "success not written: handed on", "event_id", string(m.Event), "error", err)
	if len(c.sendAll(ctx, []webhook.Outgoing{c.success(m, a)})) > 0 {
		return c.later(ctx, r)
	}
	return true
}

// refused decides about a message whose row was in other hands, by the row as
// it stood at that moment.
func (c *consumer) refused(ctx context.Context, r webhook.Received, row webhook.Delivery) (done bool) {
	m, now := r.Message, c.Now()
	switch {
	case !row.Exists() && (m.Round > 1 || m.Attempt > 1):
		return true // a later attempt whose row is gone has outlived its delivery
	case row.Round > m.Round, row.Round == m.Round && row.Status.Terminal():
		return true
	case row.Round < m.Round:
		return c.later(ctx, r) // the row of the round is not visible yet
	case row.Attempt > m.Attempt, row.Attempt == m.Attempt && row.LeaseBy == "":
		return true
	case row.LeaseBy != "":
		// The holder may be dead: come back when its lease has run out.
		return c.postpone(ctx, r, row.LeaseUntil.Sub(now)+leaseSpare)
	}
	return c.later(ctx, r)
}

// end finishes a delivery without an attempt.
func (c *consumer) end(ctx context.Context, r webhook.Received, event webhook.Event, status webhook.Status, reason string) (done bool) {
	m, now := r.Message, c.Now()
	row, err := c.Deliveries.End(ctx, webhook.End{
		Key: m.Key(), Round: m.Round, Status: status, Reason: reason, Now: now, Seed: c.seed(event, m.Replay, now),
	})
	if errors.Is(err, webhook.ErrRefused) {
		return c.refused(ctx, r, row)
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "end not written", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	return true
}

// makeDue turns a message that has hopped too often into a row that the sweep
// finds: the guard against circling faults of our own.
func (c *consumer) makeDue(ctx context.Context, r webhook.Received) (done bool) {
	m, now := r.Message, c.Now()
	_, err := c.Deliveries.MakeDue(ctx, webhook.MakeDue{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Now: now, SweepAt: now.Add(sweepMargin),
		Seed: webhook.Seed{Replay: m.Replay, ExpiresAt: now.Add(c.RowLife)},
	})
	if err != nil && !errors.Is(err, webhook.ErrRefused) {
		c.Logger.WarnContext(ctx, "row not made due", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	return true
}

// record writes down a success that could not be written when it happened.
func (c *consumer) record(ctx context.Context, r webhook.Received) (done bool) {
	m, now := r.Message, c.Now()
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if err != nil && !gone(err) {
		c.Logger.WarnContext(ctx, "event unreadable", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	event.ID = m.Event
	seed := c.seed(event, m.Replay, now)
	_, err = c.Deliveries.MarkDelivered(ctx, webhook.MarkDelivered{
		Key: m.Key(), Round: m.Round, Now: now, Seed: seed, Attempt: *m.Success, ExpiresAt: seed.ExpiresAt,
	})
	if err == nil || errors.Is(err, webhook.ErrRefused) {
		return true
	}
	c.Logger.WarnContext(ctx, "success still not written", "event_id", string(m.Event), "count", r.Receives, "error", err)
	return c.postpone(ctx, r, 30*time.Second+time.Duration(c.fraction()*float64(270*time.Second)))
}

// expand matches an event again and sends a first attempt to every webhook of
// the message's range that is to get it.
func (c *consumer) expand(ctx context.Context, r webhook.Received) (done bool) {
	m := r.Message
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if gone(err) {
		return true
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "event unreadable", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	matches, _, err := newView(c.lists, c.Now).match(ctx, event, m.Accepted)
	if err != nil {
		c.Logger.WarnContext(ctx, "webhooks unreadable", "tenant", string(m.Tenant), "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	var out []webhook.Outgoing
	for _, w := range matches {
		if w.ID < m.From || m.To != 0 && w.ID > m.To {
			continue
		}
		out = append(out, webhook.Outgoing{Message: webhook.Message{
			Kind: webhook.MessageAttempt, Tenant: m.Tenant, Webhook: w.ID, Event: m.Event, Round: 1, Attempt: 1, Hops: m.Hops + 1,
		}})
	}
	if len(out) > 0 && len(c.sendAll(ctx, out)) > 0 {
		return c.later(ctx, r)
	}
	return true
}

// later leaves a message that met a fault to another try: soon, and at growing
// distances while the fault lasts. Left alone it would stay away for its whole
// visibility, which is many times as long as an attempt.
func (c *consumer) later(ctx context.Context, r webhook.Received) (done bool) {
	gap := firstRetry
	for n := 1; n < r.Receives && gap < lastRetry; n++ {
		gap *= 2
	}
	return c.postpone(ctx, r, min(gap, lastRetry))
}

// postpone leaves a message to a try after d: it is not done. If even that
// fails, the message comes back when its visibility ends.
func (c *consumer) postpone(ctx context.Context, r webhook.Received, d time.Duration) (done bool) {
	if err := c.Visibility.Postpone(ctx, r.Receipt, max(d, 0)); err != nil {
		c.Logger.WarnContext(ctx, "visibility not moved", "error", err)
	}
	return false
}
