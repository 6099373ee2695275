package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// madeAttempt is an attempt whose POST has a result.
type madeAttempt struct {
	message delivery.Message // asked for the attempt
	webhook webhook.Webhook
	event   webhook.Event
	result  webhook.Result
	token   string // of its lease; empty in the fast lane, which takes no lease
	matches int    // webhooks that the event matched; 0: not known
	drained bool   // the row was parked, and no message asked for the attempt
}

// settled says whether an attempt's outcome was written, and what is to be sent.
type settled struct {
	// message is nil if no message is left to send. With a nil err, a row has the
	// outcome, and the sweep finds the row if the message is lost.
	message *delivery.Outgoing
	// err is why no row has the outcome: ErrRefused if another consumer has taken
	// over the delivery.
	err error
	// row is the row that refused the outcome of a leased attempt.
	row delivery.Row
	// disable is set if the target responded with 410.
	disable bool
	// failed is set if the row says that the delivery has failed.
	failed bool
}

// settle logs an attempt, records its outcome and returns what is to be sent.
// Row first, message second: once the row is written, the delivery is handed off.
func (e *Engine) settle(ctx context.Context, a madeAttempt) settled {
	now := e.Now()
	a.result.Sent.Revision = a.webhook.Revision
	outcome, disable := delivery.Decide(a.webhook.Options.Policy.Or(e.Policy), a.message.Attempt, a.result, now, e.fraction())
	outcome.Attempt.Round, outcome.Attempt.Lane = a.message.Round, a.lane()
	e.logAttempt(ctx, a, outcome.NextAt)
	message, more := next(a.message, &outcome, now)
	message.Message.Slow = e.healths.slow(webhook.Key{Tenant: a.event.Tenant, ID: a.webhook.ID}, a.message.Slow)
	row, err := e.write(ctx, a, outcome, now)
	done := settled{row: row, err: err, disable: disable}
	leased, refused := a.token != "", errors.Is(err, delivery.ErrRefused)
	switch {
	case err == nil:
		done.failed = outcome.Status == delivery.StatusFailed
		e.keepResponse(ctx, row, outcome)
		if more {
			retry := message // allocated only for attempts that have a next one
			done.message = &retry
		}
		return done
	case outcome.Status != delivery.StatusDelivered:
		return done
	case leased || refused:
		done.err = e.markDelivered(ctx, a.message, a.event, outcome.Attempt, outcome.Response)
	}
	if done.err != nil {
		success := e.success(a.message, outcome.Attempt)
		done.message = &success
	}
	return done
}

// lane returns the lane of the attempt: those through a queue have a lease.
func (a madeAttempt) lane() delivery.Lane {
	if a.token == "" {
		return delivery.LaneFast
	}
	return a.message.Lane()
}

// keepResponse stores the response of a failed attempt if the row has no room for all
// of it. Without it the log shows less, so an error is only logged, and a store that
// does not respond is not waited for.
func (e *Engine) keepResponse(ctx context.Context, row delivery.Row, o delivery.Outcome) {
	if o.Status == delivery.StatusDelivered || len(o.Response) <= len(row.Response) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, responseTimeout)
	defer cancel()
	err := e.Deliveries.PutResponse(ctx, delivery.FailureResponse{
		Key: row.Key, Number: o.Attempt.Number, At: o.Attempt.At, Excerpt: o.Response, ExpiresAt: row.ExpiresAt,
	})
	if err != nil {
		e.Logger.WarnContext(ctx, "cannot write response", "event_id", string(row.Event), "error", err)
	}
}

// responseTimeout bounds the write of a response.
const responseTimeout = time.Second

// write writes an outcome where it belongs: to the row that the attempt leased, or
// in the fast lane to a new row.
func (e *Engine) write(ctx context.Context, a madeAttempt, outcome delivery.Outcome, now time.Time) (delivery.Row, error) {
	m := a.message
	if a.token == "" {
		return e.Deliveries.RecordFirst(ctx, delivery.RecordFirst{Key: m.Key(), Now: now, Seed: e.seed(a.event, m, now), Outcome: outcome})
	}
	return e.Deliveries.Finish(ctx, delivery.Finish{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Token: a.token, Now: now, ExpiresAt: now.Add(e.RowLife), Outcome: outcome,
	})
}

// markDelivered writes a success regardless of the attempt that the row is at. A
// row that refuses is already delivered, or in another round.
func (e *Engine) markDelivered(ctx context.Context, m delivery.Message, event webhook.Event, a delivery.Attempt, response string) error {
	now := e.Now()
	seed := e.seed(event, m, now)
	_, err := e.Deliveries.MarkDelivered(ctx, delivery.MarkDelivered{
		Key: m.Key(), Round: m.Round, Now: now, Seed: seed, Attempt: a, Response: response, ExpiresAt: seed.ExpiresAt,
	})
	if errors.Is(err, delivery.ErrRefused) {
		return nil
	}
	return err
}

// next returns the message for the next attempt, and whether there is one. A wait
// longer than the queue's longest is left to the row, and so is a delivery whose
// message has too many hops.
func next(m delivery.Message, outcome *delivery.Outcome, now time.Time) (delivery.Outgoing, bool) {
	delay := outcome.NextAt.Sub(now)
	if outcome.Status != delivery.StatusPending || delay > delivery.MaxDelay || m.Hops+1 >= maxMessageHops {
		return delivery.Outgoing{}, false
	}
	outcome.SweepAt = outcome.NextAt.Add(sweepMargin)
	m.Attempt, m.Hops, m.Fast = m.Attempt+1, m.Hops+1, nil // the row has it by now
	return delivery.Outgoing{Message: m, Delay: delay}, true
}

// success returns the message that writes a success later, because its row could
// not be written now. It is never dropped and never makes a second POST.
func (e *Engine) success(m delivery.Message, a delivery.Attempt) delivery.Outgoing {
	return delivery.Outgoing{Message: delivery.RecordMessage(m, a), Delay: e.successDelay()}
}

// successDelay returns how long a success that could not be written waits for the
// next try: 30 s to 5 min.
func (e *Engine) successDelay() time.Duration {
	return 30*time.Second + time.Duration(e.fraction()*float64(270*time.Second))
}
