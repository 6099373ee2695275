package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	lookAhead = time.Minute // rows due within it are sent now, delayed to the second
	pageSize  = 100
	// firstTurn is how many rows of a webhook a shard sees to before those of
	// other webhooks that come up later.
	firstTurn = 100
	// maxAside is how many rows a shard puts aside until all webhooks had their
	// first turn: what it gets done in a Run at 5 ms a row. All shards together
	// hold 25 MB then.
	maxAside = 10_000
	// sendTime is how long messages of rows that are claimed may still be sent
	// when the Run is over.
	sendTime = 5 * time.Second
)

// dueRows is the stage of one Run that sees to the rows that are due.
//
// Every shard is walked once, from its earliest row on, up to a horizon that is
// fixed when the Run begins: where a walk ends depends neither on the clock nor
// on what it writes. On the way a webhook gets a first turn; its other rows, and
// all rows whose breaker is open, are put aside and seen to when the walk is
// over. So what waits for one webhook costs the others the reading of it, and
// no write.
type dueRows struct {
	breakers
	faults  faults
	horizon time.Time
}

// sendDue walks all shards of the index of due deliveries at once.
func (s *Sweeper) sendDue(ctx context.Context) error {
	r := &dueRows{
		breakers: breakers{Sweeper: s, sent: map[webhookKey]bool{}},
		faults:   faults{sweeper: s, what: "due rows"},
		horizon:  s.Now().Add(lookAhead),
	}
	errs := make([]error, webhook.DueShards)
	var wg sync.WaitGroup
	for shard := range webhook.DueShards {
		wg.Go(func() {
			errs[shard] = guarded(func() error { return r.sendShard(ctx, shard) })
		})
	}
	wg.Wait()
	return errors.Join(append(errs, r.faults.err())...)
}

// sendShard walks one shard and then sees to what was put aside.
func (r *dueRows) sendShard(ctx context.Context, shard int) error {
	aside, err := r.walk(ctx, shard)
	for len(aside) > 0 && err == nil && ctx.Err() == nil {
		page := aside[:min(len(aside), pageSize)]
		aside = aside[len(page):]
		err = r.see(ctx, page, r.open(ctx, page))
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// walk gives each webhook of a shard its first turn and returns the rows that
// were put aside. Rows beyond maxAside are left where they are.
func (r *dueRows) walk(ctx context.Context, shard int) (aside []webhook.DueDelivery, err error) {
	turns := map[webhookKey]int{}
	var last webhook.DueDelivery
	for ctx.Err() == nil {
		due, err := r.Deliveries.Due(ctx, shard, r.horizon, last, pageSize)
		if err = r.faults.readable(ctx, err); err != nil {
			return nil, err
		}
		open := r.open(ctx, due)
		var first []webhook.DueDelivery
		for _, d := range due {
			key := keyOf(d.DeliveryKey)
			switch {
			case turns[key] < firstTurn && !r.waits(d, open):
				turns[key]++
				first = append(first, d)
			case len(aside) < maxAside:
				aside = append(aside, d)
			}
			last = d
		}
		if err := r.see(ctx, first, open); err != nil {
			return nil, err
		}
		if len(due) < pageSize {
			break
		}
	}
	return aside, nil
}

// see sends the messages of rows, or moves the rows on. What was claimed is sent
// even if the Run's time is over by then: it comes up again only minutes later.
func (r *dueRows) see(ctx context.Context, due []webhook.DueDelivery, open map[webhookKey]webhook.Breaker) error {
	messages := r.claim(ctx, due, open)
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	failed, err := r.Messages.Send(ctx, messages)
	for _, i := range failed {
		r.faults.skip(ctx, name(messages[i].Message.Key()), errNotSent)
	}
	return err
}

var errNotSent = fmt.Errorf("the queue did not take its message: %w", webhook.ErrUnavailable)

// claim takes the right to send a message for each row and builds it, or moves
// the row on. A row that has a fault is passed over. One whose message is then
// lost comes up again later, at growing distances.
func (r *dueRows) claim(ctx context.Context, due []webhook.DueDelivery, open map[webhookKey]webhook.Breaker) (out []webhook.Outgoing) {
	for _, d := range due {
		if ctx.Err() != nil {
			break
		}
		held, notBefore, err := r.hold(ctx, d, open)
		if err == nil && !held {
			var message webhook.Outgoing
			var send bool
			if message, send, err = r.claimRow(ctx, d, notBefore); send {
				out = append(out, message)
			} else if !notBefore.IsZero() {
				r.free(d) // another row may be the probe
			}
		}
		if err != nil {
			r.faults.skip(ctx, name(d.DeliveryKey), err)
		}
	}
	return out
}

func (r *dueRows) claimRow(ctx context.Context, d webhook.DueDelivery, notBefore time.Time) (out webhook.Outgoing, send bool, err error) {
	now := r.Now()
	next := later(later(now, notBefore), d.NextAt).Add(resendGap(d.Resends))
	early := d.NextAt.After(now.Add(webhook.MaxDelay))
	if early {
		// Made due by a dead letter that was late. The queue cannot hold a
		// message that long: it would come before its time.
		next = d.NextAt
	}
	row, err := r.Deliveries.Claim(ctx, webhook.Claim{Key: d.DeliveryKey, Seen: d.SweepAt, Now: now, Next: next})
	if errors.Is(err, webhook.ErrRefused) {
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
	return webhook.Outgoing{Message: message(row), Delay: max(later(row.NextAt, notBefore).Sub(now), 0)}, true, nil
}

// name names a delivery in an error.
func name(k webhook.DeliveryKey) string {
	return fmt.Sprintf("%s/%d/%s", k.Tenant, k.Webhook, k.Event)
}

// stuck sees to a row that was sent again and again, and nothing came of it: it
// tells, and ends the row once its event is gone.
func (s *Sweeper) stuck(ctx context.Context, row webhook.Delivery) (over bool, err error) {
	s.Logger.ErrorContext(ctx, "delivery resent again and again",
		"tenant", string(row.Tenant), "webhook_id", row.Webhook, "event_id", string(row.Event), "count", row.Resends)
	if _, err = s.Events.Get(ctx, row.Tenant, row.Event); !errors.Is(err, webhook.ErrNotFound) {
		return false, err
	}
	now := s.Now()
	_, err = s.Deliveries.End(ctx, webhook.End{
		Key: row.DeliveryKey, Round: row.Round, Status: webhook.StatusExpired, Reason: "the event is no longer kept",
		Now: now, Seed: webhook.Seed{ExpiresAt: now.Add(s.RowLife)},
	})
	if errors.Is(err, webhook.ErrRefused) {
		err = nil // somebody is at it after all
	}
	return true, err
}

// message asks for the attempt that a row waits for: the next one, or, where a
// lease is on it, live or not, that very attempt, whose holder may be dead.
func message(row webhook.Delivery) webhook.Message {
	attempt := row.Attempt
	if row.LeaseBy == "" {
		attempt++
	}
	return webhook.AttemptMessage(row.DeliveryKey, row.Round, attempt, row.Replay)
}

func resendGap(resends int) time.Duration {
	gap := resendStep
	for range resends {
		if gap *= 2; gap >= maxResendStep {
			return maxResendStep
		}
	}
	return gap
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
