package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Queue consumes a batch of the delivery queue and returns the IDs of the messages
// that are not done: these stay in the queue and become visible again. A message
// is done when its row shows that its attempt is over, or that the delivery has
// moved past it.
func (e *Engine) Queue(ctx context.Context, received []delivery.Received) (failed []string) {
	c := newConsumer(ctx, e, received)
	done := make([]bool, len(received))
	var wg sync.WaitGroup
	for _, turn := range turns(received) {
		wg.Go(func() {
			for _, i := range turn {
				done[i] = c.handle(ctx, received[i])
			}
		})
	}
	wg.Wait()
	c.stopNoting()
	c.reports.flush(ctx)
	c.notices.Flush(ctx)
	for i, r := range received {
		if !done[i] {
			failed = append(failed, r.ID)
		}
	}
	return failed
}

// turns groups the messages of a batch by what is handled one after the other: the
// replays of a webhook, so that they take no time from live events. Messages are named by
// their positions.
func turns(received []delivery.Received) (turns [][]int) {
	replays := map[string]int{}
	for i, r := range received {
		group := r.Message.Group()
		at, known := replays[group]
		if known {
			turns[at] = append(turns[at], i)
			continue
		}
		if r.Message.Kind == delivery.MessageAttempt && r.Message.Replay != "" {
			replays[group] = len(turns)
		}
		turns = append(turns, []int{i})
	}
	return turns
}

func (c *consumer) handle(ctx context.Context, r delivery.Received) (done bool) {
	defer func() {
		if cause := recover(); cause != nil {
			c.Logger.ErrorContext(ctx, "message handler panicked", "kind", string(r.Message.Kind), "error", fmt.Sprint(cause))
			done = c.later(ctx, r)
		}
	}()
	if r.Undecodable != "" {
		// It stays in the queue: after its last receive, hours later, the dead-letter
		// queue keeps it for an operator, or for the sweep of a newer version.
		if r.Newer {
			c.Logger.WarnContext(ctx, "message of a newer version: postponed", "count", r.Receives)
		} else {
			c.Logger.ErrorContext(ctx, "cannot decode message", "count", r.Receives)
		}
		return false
	}
	switch r.Message.Kind {
	case delivery.MessageAttempt:
		return c.attempt(ctx, r)
	case delivery.MessageRecord:
		return c.record(ctx, r)
	case delivery.MessageExpand:
		return c.expand(ctx, r)
	case delivery.MessageDrain:
		return c.drain(ctx, r)
	}
	return false
}

// attempt makes one attempt of a delivery under a lease.
func (c *consumer) attempt(ctx context.Context, r delivery.Received) (done bool) {
	m := r.Message
	key := webhook.Key{Tenant: m.Tenant, ID: m.Webhook}
	defer c.handled(ctx, key)
	if m.Hops >= maxMessageHops {
		return c.makeDue(ctx, r)
	}
	if forwarded, done := c.toSlowLane(ctx, r); forwarded {
		return done
	}
	asked := c.Now()
	pass, done := c.gate(ctx, r)
	if pass == nil {
		return done
	}
	defer func() { c.returnStep(ctx, key, pass.probe) }()
	leave, ok := c.enter(ctx, key, m.Replay != "")
	if !ok {
		return c.postpone(ctx, r, timeRetry)
	}
	defer leave()
	if pass.probe == nil && webhook.Elapsed(asked, c.Now()) >= healthLife {
		// Attempts that it waited for may have opened the breaker.
		again, done := c.gate(ctx, r)
		if again == nil {
			return done
		}
		pass = again
	}
	w, read, err := c.subject(ctx, m)
	if err != nil {
		c.Logger.WarnContext(ctx, "cannot read webhook", "kind", string(m.Kind), "tenant", string(m.Tenant), "webhook_id", m.Webhook, "error", err)
		return c.later(ctx, r)
	}
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if gone(err) {
		if known, erased := c.erased(ctx, m); !known || erased {
			return known || c.later(ctx, r)
		}
		return c.end(ctx, r, webhook.Event{ID: m.Event}, delivery.StatusExpired, "the event is no longer kept")
	}
	if err != nil {
		return c.eventUnread(ctx, r, err)
	}
	if w.State != webhook.StateActive {
		return c.end(ctx, r, event, delivery.StatusCancelled, "the webhook is "+w.State.String())
	}
	w, read, doc, err := c.signing(ctx, m, w, read)
	if err != nil && !gone(err) {
		c.Logger.WarnContext(ctx, "cannot read secret", "tenant", string(m.Tenant), "webhook_id", m.Webhook, "error", err)
		return c.postpone(ctx, r, secretRetries.Wait(c.Random, 1))
	}
	unsigned := err != nil
	return c.conclude(ctx, r, c.leased(ctx, m, leasedAttempt{
		webhook: w, read: read, event: event, document: doc, unsigned: unsigned, probe: pass.probe, takeover: pass.takeover,
	}))
}

// enter waits for a slot of the webhook within the batch and then for one of the
// process, for as long as the invocation has time to wait. A replay takes one of the
// replays' slots instead of the batch's.
func (c *consumer) enter(ctx context.Context, key webhook.Key, replay bool) (leave func(), ok bool) {
	if until := c.invocation.WaitUntil(); !until.IsZero() {
		bounded, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		ctx = bounded
	}
	gates := []*slots{c.waiting, c.inFlight}
	if replay {
		gates = []*slots{c.replays, c.inFlight}
	}
	var held []func()
	leave = func() {
		for _, release := range slices.Backward(held) {
			release()
		}
	}
	for _, gate := range gates {
		release, ok := gate.acquire(ctx, key)
		if !ok {
			leave()
			return nil, false
		}
		held = append(held, release)
	}
	return leave, true
}

// subject reads the webhook of an attempt from the store, and returns when it was
// read. A deleted webhook is returned as a stopped one.
func (c *consumer) subject(ctx context.Context, m delivery.Message) (w webhook.Webhook, read time.Time, err error) {
	read = c.Now()
	w, err = c.Webhooks.Get(ctx, m.Tenant, m.Webhook)
	if gone(err) {
		// Cancelled like a stopped one; its rows expire.
		return webhook.Webhook{Tenant: m.Tenant, ID: m.Webhook, State: webhook.StateStopped}, read, nil
	}
	return forDelivery(w), read, err // it stays in memory for as long as the attempt takes
}

// end finishes a delivery without an attempt.
func (c *consumer) end(ctx context.Context, r delivery.Received, event webhook.Event, status delivery.Status, reason string) (done bool) {
	m, now := r.Message, c.Now()
	row, err := c.Deliveries.End(ctx, delivery.End{
		Key: m.Key(), Round: m.Round, Status: status, Reason: reason, Now: now, Seed: c.seed(event, m, now),
	})
	if errors.Is(err, delivery.ErrRefused) {
		return c.conclude(ctx, r, c.refusal(m, row))
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "cannot end delivery", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	return true
}

// erased reports whether a delivery whose event is gone has neither a webhook nor a
// row, as after its tenant's deletion: a row would be left of the tenant. It is not
// known while one of them cannot be read.
func (c *consumer) erased(ctx context.Context, m delivery.Message) (known, erased bool) {
	w, _, err := c.subject(ctx, m)
	if err != nil || w.Revision > 0 {
		return err == nil, false
	}
	_, err = c.Deliveries.Get(ctx, m.Key())
	return err == nil || gone(err), gone(err)
}

// makeDue turns a message with too many hops into a row that the sweep finds: the
// guard against bugs that make messages circle.
func (c *consumer) makeDue(ctx context.Context, r delivery.Received) (done bool) {
	m, now := r.Message, c.Now()
	_, err := c.Deliveries.MakeDue(ctx, delivery.MakeDue{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Now: now, SweepAt: now.Add(sweepMargin),
		Seed: delivery.Seed{Replay: m.Replay, Fast: m.Fast, ExpiresAt: now.Add(c.RowLife)},
	})
	if err != nil && !errors.Is(err, delivery.ErrRefused) {
		c.Logger.WarnContext(ctx, "cannot make row due", "event_id", string(m.Event), "error", err)
		return c.later(ctx, r)
	}
	return true
}

// record writes a success that could not be written after its attempt.
func (c *consumer) record(ctx context.Context, r delivery.Received) (done bool) {
	m := r.Message
	event, err := c.Events.Get(ctx, m.Tenant, m.Event)
	if err != nil && !gone(err) {
		return c.eventUnread(ctx, r, err)
	}
	if gone(err) {
		if known, erased := c.erased(ctx, m); !known || erased {
			return known || c.later(ctx, r)
		}
	}
	event.ID = m.Event
	if err = c.markDelivered(ctx, m, event, *m.Success, ""); err == nil {
		return true
	}
	level := slog.LevelWarn
	if r.Receives >= loudRecord {
		level = slog.LevelError
	}
	c.Logger.Log(ctx, level, "success still not written", "event_id", string(m.Event), "count", r.Receives, "error", err)
	return c.postpone(ctx, r, c.successDelay())
}

// eventUnread postpones a message whose event cannot be read now. If a newer
// version stored the event, the message is sent again with the longest delay:
// receives would run out before the functions are updated, and the dead-letter
// queue is not for it.
func (c *consumer) eventUnread(ctx context.Context, r delivery.Received, err error) (done bool) {
	if errors.Is(err, webhook.ErrNewer) {
		c.Logger.WarnContext(ctx, "event stored by a newer version: postponed", "event_id", string(r.Message.Event))
		return c.sendOr(ctx, r, []delivery.Outgoing{{Message: r.Message, Delay: delivery.MaxDelay}})
	}
	c.Logger.WarnContext(ctx, "cannot read event", "kind", string(r.Message.Kind), "event_id", string(r.Message.Event), "error", err)
	return c.later(ctx, r)
}

// later leaves a message that met a fault to a retry: soon, and at growing
// intervals while the fault lasts. Untouched, the message would stay hidden for its
// whole visibility timeout, which is many times as long as an attempt.
func (c *consumer) later(ctx context.Context, r delivery.Received) (done bool) {
	return c.postpone(ctx, r, messageRetries.Wait(c.Random, r.Receives))
}

// postpone leaves a message to a retry after d. If even that fails, the message
// comes back when its visibility timeout ends.
func (c *consumer) postpone(ctx context.Context, r delivery.Received, d time.Duration) (done bool) {
	if err := c.Visibility.Postpone(ctx, r, max(d, 0)); err != nil {
		c.Logger.WarnContext(ctx, "cannot change message visibility", "error", err)
	}
	return false
}
