package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	lookAhead = time.Minute // rows due within this are sent now, with a delay exact to the second
	pageSize  = 100
	// firstTurn is how many rows of a webhook a shard processes before it gives
	// later rows of other webhooks their turn.
	firstTurn = 100
	// maxAside is how many rows a shard sets aside until all webhooks have had
	// their first turn: as many as a Run can process at 5 ms a row. All shards
	// together then hold 25 MB.
	maxAside = 10_000
	// sendTime is how long after a Run's end the messages of claimed rows may
	// still be sent.
	sendTime = 5 * time.Second
)

// dueRows is the stage of one Run that processes due rows.
//
// It walks every shard once, in order of time, up to a horizon that is fixed
// when the Run begins; so the end of a walk depends neither on the clock nor on
// the stage's own writes. During the walk each webhook gets a first turn. Its
// other rows, and all rows behind an open breaker, are set aside until the walk
// is over. A webhook's backlog thus costs the others the time to read it, and
// no writes.
type dueRows struct {
	breakers
	skips   skips
	horizon time.Time
	sent    atomic.Int64 // messages
	late    atomic.Int64 // milliseconds since the earliest row was due
}

// sendDue walks all shards of the due index concurrently.
func (s *Sweeper) sendDue(ctx context.Context) error {
	r := &dueRows{
		breakers: breakers{Sweeper: s, sent: map[webhook.Key]bool{}},
		skips:    skips{sweeper: s, what: "due rows"},
		horizon:  s.Now().Add(lookAhead),
	}
	errs := make([]error, delivery.DueShards)
	var wg sync.WaitGroup
	for shard := range delivery.DueShards {
		wg.Go(func() {
			errs[shard] = guarded(func() error { return r.sendShard(ctx, shard) })
		})
	}
	wg.Wait()
	s.Logger.InfoContext(ctx, "due rows sent", "count", r.sent.Load(), "late_ms", r.late.Load())
	return errors.Join(append(errs, r.skips.err())...)
}

// sendShard walks one shard and then processes the rows that were set aside.
func (r *dueRows) sendShard(ctx context.Context, shard int) error {
	aside, err := r.walk(ctx, shard)
	for len(aside) > 0 && err == nil && ctx.Err() == nil {
		page := aside[:min(len(aside), pageSize)]
		aside = aside[len(page):]
		err = r.process(ctx, page, r.open(ctx, page))
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// walk processes the first turn of each webhook in a shard and returns the rows
// that were set aside. Rows beyond maxAside stay for the next Run.
func (r *dueRows) walk(ctx context.Context, shard int) (aside []delivery.DueRow, err error) {
	turns := map[webhook.Key]int{}
	var last delivery.DueRow
	for ctx.Err() == nil {
		due, err := r.Deliveries.Due(ctx, shard, r.horizon, last, pageSize)
		if err = r.skips.readable(ctx, err); err != nil {
			return nil, err
		}
		open := r.open(ctx, due)
		var first []delivery.DueRow
		r.measure(due)
		for _, d := range due {
			key := keyOf(d.Key)
			switch {
			case turns[key] < firstTurn && !r.waits(d, open):
				turns[key]++
				first = append(first, d)
			case len(aside) < maxAside:
				aside = append(aside, d)
			}
			last = d
		}
		if err := r.process(ctx, first, open); err != nil {
			return nil, err
		}
		if len(due) < pageSize {
			break
		}
	}
	return aside, nil
}

// measure notes how late a page's first row is, which is its earliest. A row is sent up
// to a minute before it is due.
func (r *dueRows) measure(due []delivery.DueRow) {
	if len(due) == 0 {
		return
	}
	late := r.Now().Sub(due[0].SweepAt).Milliseconds()
	for was := r.late.Load(); late > was && !r.late.CompareAndSwap(was, late); was = r.late.Load() {
	}
}

// process sends messages for rows, or defers the rows. It sends for claimed
// rows even after the Run's time is over, since a claimed row is due again only
// minutes later.
func (r *dueRows) process(ctx context.Context, due []delivery.DueRow, open map[webhook.Key]webhook.Breaker) error {
	messages := r.claim(ctx, due, open)
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	failed, err := r.Messages.Send(ctx, messages)
	r.sent.Add(int64(len(messages) - len(failed)))
	for _, i := range failed {
		r.skips.skip(ctx, name(messages[i].Message.Key()), errNotSent)
	}
	return err
}

var errNotSent = fmt.Errorf("message not sent: %w", webhook.ErrUnavailable)

// claim claims each row and builds its message, or defers the row. Faulty rows
// are skipped. A row whose message is lost is due again later, at growing
// intervals.
func (r *dueRows) claim(ctx context.Context, due []delivery.DueRow, open map[webhook.Key]webhook.Breaker) (out []delivery.Outgoing) {
	for _, d := range due {
		if ctx.Err() != nil {
			break
		}
		held, notBefore, err := r.hold(ctx, d, open)
		if err == nil && !held {
			var message delivery.Outgoing
			var send bool
			if message, send, err = r.claimRow(ctx, d, notBefore); send {
				out = append(out, message)
			} else if !notBefore.IsZero() {
				r.free(d) // let another row be the probe
			}
		}
		if err != nil {
			r.skips.skip(ctx, name(d.Key), err)
		}
	}
	return out
}

func (r *dueRows) claimRow(ctx context.Context, d delivery.DueRow, notBefore time.Time) (out delivery.Outgoing, send bool, err error) {
	now := r.Now()
	next := later(later(now, notBefore), d.NextAt).Add(resendGap(d.Resends))
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
	return delivery.Outgoing{Message: message(row), Delay: max(later(row.NextAt, notBefore).Sub(now), 0)}, true, nil
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
	now := s.Now()
	_, err = s.Deliveries.End(ctx, delivery.End{
		Key: row.Key, Round: row.Round, Status: delivery.StatusExpired, Reason: "the event is no longer kept",
		Now: now, Seed: delivery.Seed{ExpiresAt: now.Add(s.RowLife)},
	})
	if errors.Is(err, delivery.ErrRefused) {
		err = nil // the row is in use after all
	}
	return true, err
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
