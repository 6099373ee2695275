package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// leasedAttempt is all that an attempt needs but its lease.
type leasedAttempt struct {
	webhook  webhook.Webhook
	read     time.Time // as of when webhook was read
	event    webhook.Event
	document webhook.SecretDocument
	// unsigned says that the secret is gone for good: the attempt fails.
	unsigned bool
	probe    *probe // nil unless the attempt is the breaker's
}

// leased takes the lease, makes the POST and finishes.
func (c *consumer) leased(ctx context.Context, r webhook.Received, a leasedAttempt) (done bool) {
	m := r.Message
	token, err := c.token()
	if err != nil {
		c.Logger.ErrorContext(ctx, "no lease token", "error", err)
		return c.later(ctx, r)
	}
	limit := a.webhook.Options.AttemptTimeout()
	began := c.Now()
	if !c.invocation.Holds(limit, began) {
		return c.postpone(ctx, r, timeRetry)
	}
	row, err := c.Deliveries.Lease(ctx, webhook.Lease{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Token: token,
		Now: began, Until: began.Add(limit + webhook.LeaseMargin), SweepAt: began.Add(limit + webhook.LeaseMargin + sweepMargin),
		Seed: c.seed(a.event, m.Replay, began),
	})
	if errors.Is(err, webhook.ErrRefused) {
		return c.refused(ctx, r, row)
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "lease not written", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	if !webhook.LeasedMayStart(began, a.read, c.Now()) {
		return c.postpone(ctx, r, limit+webhook.LeaseMargin+webhook.LeaseSpare)
	}
	post := webhook.Post{
		Webhook: a.webhook, Event: a.event, Secrets: a.document, Retry: m.Attempt - 1, Replay: m.Round > 1, Timeout: limit,
		First: c.healths.signer(a.webhook), Unchanged: c.unchanged(m, a),
	}
	result := webhook.Result{At: began, Error: webhook.AttemptSecret}
	if !a.unsigned {
		result = c.send(ctx, post)
	}
	made := madeAttempt{message: m, webhook: a.webhook, event: a.event, result: result, token: token}
	if result.Interrupted {
		c.logAttempt(ctx, made, began.Add(limit+webhook.LeaseMargin))
		// The attempt is made again once its lease has run out. The message is
		// left alone: it comes back when its visibility ends.
		return false
	}
	a.probe.done()
	c.reports.add(a.webhook, result, a.probe.id())
	done = c.finish(ctx, r, made)
	if result.Error != webhook.AttemptOK || result.Repeats > 0 || a.probe != nil {
		// What opens or closes a breaker, disables a webhook or says which secret
		// its target knows, is for others to know at once; what only counts is
		// written with the last, or soon.
		c.reports.flushOne(ctx, webhook.Key{Tenant: m.Tenant, ID: m.Webhook})
	} else {
		c.noteSoon(ctx, webhook.Key{Tenant: m.Tenant, ID: m.Webhook})
	}
	return done
}

// finish writes down what came of a leased attempt and sends the message for
// the next one.
func (c *consumer) finish(ctx context.Context, r webhook.Received, a madeAttempt) (done bool) {
	settled := c.settle(ctx, a)
	if settled.disable {
		c.reports.noteGone(a.webhook)
	}
	switch {
	case settled.err == nil:
		if settled.message != nil {
			c.sendAll(ctx, []webhook.Outgoing{*settled.message}) // the row is there, whatever comes of it
		}
		return true
	case settled.message != nil:
		c.Logger.WarnContext(ctx, "success not written: handed on", "event_id", string(r.Message.Event), "error", settled.err)
		return c.sendOr(ctx, r, []webhook.Outgoing{*settled.message})
	case errors.Is(settled.err, webhook.ErrRefused):
		return c.refused(ctx, r, settled.row)
	}
	c.Logger.WarnContext(ctx, "outcome not written", "event_id", string(r.Message.Event), "error", settled.err)
	return c.later(ctx, r)
}

// refused decides about a message whose row was in other hands, by the row as
// it stood at that moment.
func (c *consumer) refused(ctx context.Context, r webhook.Received, row webhook.Delivery) (done bool) {
	now := c.Now()
	switch r.Message.Verdict(row, now) {
	case webhook.VerdictOver:
		return true
	case webhook.VerdictHeld:
		return c.postpone(ctx, r, row.LeaseUntil.Sub(now)+webhook.LeaseSpare)
	case webhook.VerdictEarly:
	}
	return c.later(ctx, r)
}
