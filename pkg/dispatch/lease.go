package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// leasedAttempt holds all that an attempt needs, except its lease.
type leasedAttempt struct {
	webhook  webhook.Webhook
	read     time.Time // when webhook was read
	event    webhook.Event
	document webhook.SecretDocument
	// unsigned means that the secret no longer exists: the attempt fails.
	unsigned bool
	probe    *probe // nil unless the attempt is the breaker's probe
	// parked means that a drain found the row among the parked ones.
	parked bool
	// takeover means that the attempt may only be taken over from a consumer that died.
	takeover bool
}

// leased takes the lease, makes the POST and records the outcome.
func (c *consumer) leased(ctx context.Context, m delivery.Message, a leasedAttempt) fate {
	token, err := c.token()
	if err != nil {
		c.Logger.ErrorContext(ctx, "cannot draw lease token", "error", err)
		return fate{}
	}
	limit, cuts := m.Lane().Limit(a.webhook.Options.AttemptTimeout())
	began := c.Now()
	if !c.invocation.Holds(limit, began) {
		return fate{after: timeRetry}
	}
	row, err := c.Deliveries.Lease(ctx, delivery.Lease{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Token: token, Parked: a.parked, Takeover: a.takeover,
		Now: began, Until: began.Add(limit + delivery.LeaseMargin), SweepAt: began.Add(limit + delivery.LeaseMargin + sweepMargin),
		Seed: c.seed(a.event, m, began),
	})
	if errors.Is(err, delivery.ErrRefused) {
		return c.refusal(m, row)
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "cannot write lease", "event_id", string(m.Event), "error", err)
		return fate{}
	}
	expired := limit + delivery.LeaseMargin + delivery.LeaseSpare
	if !delivery.LeasedMayStart(began, a.read, c.Now()) {
		return fate{leased: true, after: expired}
	}
	// A replay may have begun the round after a live message was sent.
	m.Replay = row.Replay
	post := webhook.Post{
		Webhook: a.webhook, Event: a.event, Secrets: a.document, Retry: m.Attempt - 1, Replay: m.Round > 1 || m.Replay != "", Timeout: limit,
		First: c.healths.signer(a.webhook), Unchanged: c.unchanged(m, a),
	}
	result := webhook.Result{At: began, Error: failure.Secret}
	if !a.unsigned {
		result = c.send(ctx, post)
	}
	if cuts && result.Error == failure.Timeout && !result.Interrupted && !result.Undecided {
		result.Error = failure.Queue
	}
	made := madeAttempt{message: m, webhook: a.webhook, event: a.event, result: result, token: token, drained: a.parked}
	if result.Interrupted {
		c.logAttempt(ctx, made, began.Add(limit+delivery.LeaseMargin))
		return fate{leased: true, after: expired, interrupted: true}
	}
	if result.Error == failure.Queue {
		return c.yield(ctx, made)
	}
	a.probe.done()
	c.reports.observe(a.webhook, result, webhook.HealthReport{Probe: a.probe.id(), Replay: m.Replay != ""})
	f := c.finish(ctx, made)
	f.result = &result
	if result.Error != failure.None || result.Repeats > 0 || a.probe != nil {
		// Other consumers must know at once what opens or closes a breaker, disables
		// a webhook, or shows which secret its target knows. Mere counts are written
		// with the webhook's last message, or soon.
		c.reports.flushOne(ctx, webhook.Key{Tenant: m.Tenant, ID: m.Webhook})
	} else {
		c.noteSoon(ctx, webhook.Key{Tenant: m.Tenant, ID: m.Webhook})
	}
	return f
}

// finish records the outcome of a leased attempt and sends the message for the
// next one.
func (c *consumer) finish(ctx context.Context, a madeAttempt) fate {
	settled := c.settle(ctx, a)
	c.reports.counts.add(a, settled.failed)
	if settled.disable {
		c.reports.noteGone(a.webhook)
	}
	switch {
	case settled.err == nil:
		if settled.message != nil {
			c.sendAll(ctx, []delivery.Outgoing{*settled.message}) // if it is lost, the sweep finds the row
		}
		return fate{done: true}
	case settled.message != nil:
		c.Logger.WarnContext(ctx, "cannot write success: enqueued", "event_id", string(a.message.Event), "error", settled.err)
		return fate{done: len(c.sendAll(ctx, []delivery.Outgoing{*settled.message})) == 0, leased: true}
	case errors.Is(settled.err, delivery.ErrRefused):
		return c.refusal(a.message, settled.row)
	}
	c.Logger.WarnContext(ctx, "cannot write outcome", "event_id", string(a.message.Event), "error", settled.err)
	return fate{leased: true}
}
