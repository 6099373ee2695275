package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// process parks rows, or claims them and sends their messages. It sends for claimed rows
// even after the Run's time is over, since a claimed row is due again only minutes later.
// Faulty rows are skipped.
func (r *dueRows) process(ctx context.Context, rows []delivery.DueRow) {
	gates := r.gates.of(ctx, rows, r.skips.skip)
	var out []delivery.Outgoing
	for _, d := range rows {
		if ctx.Err() != nil {
			break
		}
		message, send, err := r.take(ctx, d, gates[keyOf(d.Key)])
		if err != nil {
			r.skips.skip(ctx, name(d.Key), err)
		}
		if send {
			out = append(out, message)
		}
	}
	if len(out) == 0 {
		return
	}
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	failed, err := r.Messages.Send(sending, out)
	if err != nil {
		failed = failed[:0]
		for i := range out {
			failed = append(failed, i)
		}
	} else {
		err = errNotSent
	}
	r.sent.Add(int64(len(out) - len(failed)))
	for _, i := range failed {
		r.skips.skip(ctx, name(out[i].Message.Key()), err)
	}
}

var errNotSent = fmt.Errorf("message not sent: %w", webhook.ErrUnavailable)

// take parks a row if the breaker of its webhook is open, and otherwise claims it and
// returns its message.
func (r *dueRows) take(ctx context.Context, d delivery.DueRow, g *gate) (out delivery.Outgoing, send bool, err error) {
	if d.Parked {
		gone, err := g.isGone(ctx, r.Sweeper, keyOf(d.Key))
		if err != nil {
			return out, false, err
		}
		if gone {
			return out, false, r.endOrphan(ctx, d)
		}
		if !g.open { // otherwise the outage has lasted that long
			r.caught(ctx, d)
		}
	}
	if g.open && !d.NextAt.After(r.horizon) {
		if d.NextAt.After(r.Now()) {
			return out, false, nil // it can be parked in the next Run
		}
		parked, err := r.park(ctx, d, g)
		if parked || err != nil {
			return out, false, err
		}
	}
	return r.claim(ctx, d)
}

// endOrphan ends a parked row of a deleted webhook. Its timer was removed with the webhook,
// so no drain takes it, and that it surfaced is not a fault.
func (r *dueRows) endOrphan(ctx context.Context, d delivery.DueRow) error {
	now := r.Now()
	row, err := r.Deliveries.Claim(ctx, delivery.Claim{Key: d.Key, Seen: d.SweepAt, Now: now, Next: now.Add(resendStep)})
	if errors.Is(err, delivery.ErrRefused) {
		return nil // it is in use after all
	}
	if err != nil {
		return err
	}
	return r.endRow(ctx, row, delivery.StatusCancelled, "the webhook is deleted")
}

// endRow ends a claimed row without an attempt, unless it is in use or gone by now.
func (s *Sweeper) endRow(ctx context.Context, row delivery.Row, status delivery.Status, reason string) error {
	now := s.Now()
	_, err := s.Deliveries.End(ctx, delivery.End{
		Key: row.Key, Round: row.Round, Status: status, Reason: reason, Seen: true, Now: now, Seed: delivery.Seed{ExpiresAt: now.Add(s.RowLife)},
	})
	if errors.Is(err, delivery.ErrRefused) {
		return nil
	}
	return err
}

// park parks a row and reports whether it did. It does not if another sweep moved the
// row, which Claim finds out too, or if the row is leased: that attempt has begun and
// must be completed, also while the breaker is open.
func (r *dueRows) park(ctx context.Context, d delivery.DueRow, g *gate) (bool, error) {
	if err := g.ensure(ctx, r.Sweeper, keyOf(d.Key)); err != nil {
		return false, err
	}
	now := r.Now()
	_, err := r.Deliveries.Defer(ctx, delivery.Defer{
		Key: d.Key, Seen: d.SweepAt, Now: now, Net: delivery.Net(now, jitter(d)), ExpiresAt: now.Add(r.RowLife),
	})
	if errors.Is(err, delivery.ErrRefused) {
		return false, nil
	}
	if err == nil {
		// If the process froze before the write, the timer may have been removed since.
		err = g.ensure(ctx, r.Sweeper, keyOf(d.Key))
	}
	return err == nil, err
}

// claim claims a row and returns its message. A row whose message is lost is due again
// later, at growing intervals.
func (r *dueRows) claim(ctx context.Context, d delivery.DueRow) (out delivery.Outgoing, send bool, err error) {
	now := r.Now()
	next := later(now, d.NextAt).Add(resendGap(d.Resends))
	early := d.NextAt.After(now.Add(delivery.MaxDelay))
	if early {
		// A late dead letter made the row due early. The queue cannot delay a
		// message that long, so it would arrive too soon.
		next = d.NextAt
	}
	row, err := r.Deliveries.Claim(ctx, delivery.Claim{Key: d.Key, Seen: d.SweepAt, Now: now, Next: next})
	if errors.Is(err, delivery.ErrRefused) {
		return out, false, nil
	}
	if err != nil || early {
		return out, false, err
	}
	if row.Resends >= alarmResends {
		over, err := r.stuck(ctx, row)
		if err != nil || over {
			return out, false, err
		}
	}
	return delivery.Outgoing{Message: message(row), Delay: max(row.NextAt.Sub(now), 0)}, true, nil
}

// name identifies a delivery in an error.
func name(k delivery.Key) string {
	return fmt.Sprintf("%s/%d/%s", k.Tenant, k.Webhook, k.Event)
}

// stuck logs a row that was resent many times without an attempt, and ends it
// if its event is gone.
func (s *Sweeper) stuck(ctx context.Context, row delivery.Row) (over bool, err error) {
	s.Logger.ErrorContext(ctx, "delivery stuck",
		"tenant", string(row.Tenant), "webhook_id", row.Webhook, "event_id", string(row.Event), "count", row.Resends)
	if _, err = s.Events.Get(ctx, row.Tenant, row.Event); !errors.Is(err, webhook.ErrNotFound) {
		return false, err
	}
	return true, s.endRow(ctx, row, delivery.StatusExpired, "the event is no longer kept")
}

// message returns the message for the attempt that a row waits for: the next
// one, or the leased one if there is a lease, live or not, since its holder may
// be dead.
func message(row delivery.Row) delivery.Message {
	attempt := row.Attempt
	if row.LeaseBy == "" {
		attempt++
	}
	return delivery.AttemptMessage(row.Key, row.Round, attempt, row.Replay)
}

func resendGap(resends int) time.Duration {
	delay := resendStep
	for range resends {
		if delay *= 2; delay >= maxResendStep {
			return maxResendStep
		}
	}
	return delay
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
