package dispatch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// drainTime is how long a drain starts attempts. The next one begins when it ends.
	drainTime = 5 * time.Second
	// drainView is how old the webhook may be when a drain starts an attempt: what is
	// left of delivery.ViewFresh is for its event and its lease.
	drainView = 2 * time.Second
	drainPage = 100 // rows
	// drainCrossings is how many rows of a partition may turn out to be leased by
	// others. Then another drain is at work there, and this one goes on with the next
	// partition.
	drainCrossings = 8
)

// drain is the work of one drain message: attempts of a webhook's parked rows, for
// five seconds. It lists the rows, oldest first, beginning with a partition, and makes
// their attempts as a consumer of messages does. A row that it does not lease stays
// parked and was not written, so a drain may end, or be lost, at any moment: the
// webhook's timer sends others.
type drain struct {
	*consumer
	message delivery.Message
	key     webhook.Key
	began   time.Time
	view    drainSight // used by the goroutine that starts the attempts
	pace    *pace
	running sync.WaitGroup
	crossed atomic.Int32 // rows of the current partition that others had leased
}

// drain handles a drain message. The message is done, whatever becomes of it, except
// for a probe that comes too early.
func (c *consumer) drain(ctx context.Context, r delivery.Received) (done bool) {
	d := &drain{
		consumer: c, message: r.Message, key: webhook.Key{Tenant: r.Message.Tenant, ID: r.Message.Webhook}, began: c.Now(),
	}
	if !d.look(ctx) {
		return true
	}
	defer c.reports.finish(ctx, d.key)
	switch {
	case r.Message.Limit == 1:
		return d.probeParked(ctx, r)
	case !d.view.held():
		d.slice(ctx)
	}
	return true
}

// slice starts attempts until the slice is over or nothing is parked, and returns when
// all have ended.
func (d *drain) slice(ctx context.Context) {
	timer, width := d.width(ctx)
	d.pace = newPace(width, d.message.Limit)
	bounded, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	for row := range d.parked(bounded) {
		leave, ok := d.turn(bounded)
		if !ok {
			break
		}
		if !d.fresh(bounded) {
			leave()
			break
		}
		seen := d.view
		d.running.Go(func() {
			defer leave()
			defer d.recovered(ctx, row)
			d.one(ctx, row, seen)
		})
	}
	d.running.Wait()
	if d.pace.failing() {
		d.narrow(ctx, timer, width)
	}
}

// turn waits until the next attempt may start: until fewer are in flight than the
// pace allows, and then for a slot. The caller calls leave when the attempt has ended.
// Rows of a webhook that is not Active need no slot: no POST is made for them.
func (d *drain) turn(ctx context.Context) (leave func(), ok bool) {
	if !d.pace.enter(ctx) {
		return nil, false
	}
	if !d.view.active() {
		return d.pace.leave, true
	}
	release, ok := d.drains.acquire(ctx, d.key)
	if !ok {
		d.pace.leave()
		return nil, false
	}
	return func() { release(); d.pace.leave() }, true
}

// fresh reports whether another attempt may start now. It looks at the webhook again
// if the last look is too old.
func (d *drain) fresh(ctx context.Context) bool {
	now := d.Now()
	if d.pace.failing() || webhook.Elapsed(d.began, now) >= drainTime {
		return false
	}
	if d.view.active() && d.healths.knownOpen(d.view.webhook) {
		d.pace.stop()
		return false
	}
	if webhook.Elapsed(d.view.read, now) < drainView {
		return true
	}
	if !d.look(ctx) {
		return false
	}
	if d.view.held() {
		d.pace.stop()
	}
	return !d.view.held()
}

// parked yields the parked rows of the message's partition and then of the others,
// oldest first in each. It leaves a partition where another drain is at work, and comes
// back to it at the end, unless the last round led to no attempt. Drains go through the
// partitions in different orders, so that two of them do not meet in each.
func (d *drain) parked(ctx context.Context) iter.Seq[delivery.ParkedRow] {
	stride := 1 + 2*int(d.fraction()*delivery.ParkedPartitions/2)
	return func(yield func(delivery.ParkedRow) bool) {
		for left, made := true, -1; left && d.pace.made() > made; {
			left, made = false, d.pace.made()
			for i := range delivery.ParkedPartitions {
				crossed, ok := d.partition(ctx, (d.message.Partition+i*stride)%delivery.ParkedPartitions, yield)
				if !ok {
					return
				}
				left = left || crossed
			}
		}
	}
}

// partition yields the parked rows of one partition. It reports whether it left the
// partition to another drain, and ok is false if there is nothing more to yield to, or
// the rows cannot be read.
func (d *drain) partition(ctx context.Context, at int, yield func(delivery.ParkedRow) bool) (crossed, ok bool) {
	d.crossed.Store(0)
	var last webhook.EventID
	for {
		page, more, err := d.page(ctx, at, last)
		if err != nil {
			return false, false
		}
		for _, row := range page {
			if d.crossed.Load() >= drainCrossings {
				return true, true
			}
			if last = row.Event; !yield(row) {
				return false, false
			}
		}
		if !more {
			return false, true
		}
	}
}

// page reads up to drainPage rows of a partition, and reports whether there are more.
func (d *drain) page(ctx context.Context, partition int, after webhook.EventID) (rows []delivery.ParkedRow, more bool, err error) {
	rows, err = d.Deliveries.Parked(ctx, d.key, partition, after, drainPage)
	if _, err = webhook.Readable(err); err != nil {
		d.warn(ctx, "cannot list parked deliveries", "error", err)
	}
	return rows, len(rows) == drainPage, err
}

// one ends a row's delivery or makes its attempt.
func (d *drain) one(ctx context.Context, row delivery.ParkedRow, seen drainSight) {
	if !seen.active() {
		d.endRow(ctx, row, delivery.StatusCancelled, "the webhook is "+seen.webhook.State.String())
		return
	}
	event, ok := d.event(ctx, row)
	if !ok {
		return
	}
	m := d.request(row)
	f := d.leased(ctx, m, seen.attempt(event))
	if f.result != nil {
		d.pace.ended(*f.result)
		if d.healths.knownOpen(seen.webhook) {
			d.pace.stop()
		}
	}
	if f.result == nil && !f.leased {
		d.crossed.Add(1)
	}
	d.bringBack(ctx, m, seen.webhook, f)
}

// event reads the event of a row. If it is gone, the delivery has expired. A row whose
// event cannot be read stays parked.
func (d *drain) event(ctx context.Context, row delivery.ParkedRow) (event webhook.Event, ok bool) {
	event, err := d.Events.Get(ctx, row.Tenant, row.Event)
	if gone(err) {
		d.endRow(ctx, row, delivery.StatusExpired, "the event is no longer kept")
		return webhook.Event{}, false
	}
	if err != nil {
		d.warn(ctx, "cannot read event", "event_id", string(row.Event), "error", err)
		return webhook.Event{}, false
	}
	return event, true
}

// request returns the message for the attempt that a row waits for, to be sent only if
// the attempt cannot be finished.
func (d *drain) request(row delivery.ParkedRow) delivery.Message {
	m := row.Message()
	m.Slow = d.message.Slow
	return m
}

// endRow ends a parked delivery without an attempt.
func (d *drain) endRow(ctx context.Context, row delivery.ParkedRow, status delivery.Status, reason string) {
	now := d.Now()
	_, err := d.Deliveries.End(ctx, delivery.End{
		Key: row.Key, Round: row.Round, Status: status, Reason: reason, Seen: true, Now: now, Seed: delivery.Seed{ExpiresAt: now.Add(d.RowLife)},
	})
	if err != nil && !errors.Is(err, delivery.ErrRefused) {
		d.warn(ctx, "cannot end delivery", "event_id", string(row.Event), "error", err)
	}
}

// bringBackTime bounds the send of a message for a row that a drain has leased and
// cannot finish. It is made even if the call's context has ended.
const bringBackTime = time.Second

// bringBack sends the message that takes over an attempt whose row was leased, and
// whose outcome the row does not have, once its lease has expired. If the message is
// lost too, the sweep finds the row five minutes later.
func (d *drain) bringBack(ctx context.Context, m delivery.Message, w webhook.Webhook, f fate) {
	if f.done || !f.leased {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bringBackTime)
	defer cancel()
	limit, _ := m.Lane().Limit(w.Options.AttemptTimeout())
	d.sendAll(ctx, []delivery.Outgoing{{Message: m, Delay: limit + delivery.LeaseMargin + delivery.LeaseSpare}})
}

// recovered logs a panic: one row must not end the others. The row is taken over when
// its lease has expired, or stays parked.
func (d *drain) recovered(ctx context.Context, row delivery.ParkedRow) {
	if cause := recover(); cause != nil {
		d.Logger.ErrorContext(ctx, "drain panicked", "tenant", string(row.Tenant), "webhook_id", row.Webhook, "event_id", string(row.Event), "error", fmt.Sprint(cause))
	}
}

// warn logs a fault of the drain.
func (d *drain) warn(ctx context.Context, what string, values ...any) {
	d.Logger.WarnContext(ctx, what, append([]any{"kind", string(d.message.Kind), "tenant", string(d.key.Tenant), "webhook_id", d.key.ID}, values...)...)
}
