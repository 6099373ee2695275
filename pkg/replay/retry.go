package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Retry begins another round of one delivery on request. Its fields must be set before
// use and not changed afterwards; its methods may be called concurrently.
type Retry struct {
	Webhooks   Webhooks
	Events     Event
	Deliveries Rounds
	Messages   delivery.Queue
	Logger     *slog.Logger
	Now        func() time.Time
	// EventLife is how long an event is kept, RowLife a delivery after its last write.
	EventLife, RowLife time.Duration
}

// Webhooks reads webhooks for a principal; *webhook.Registry implements it.
type Webhooks interface {
	// Get returns webhook.ErrNotFound unless the principal sees the webhook.
	Get(ctx context.Context, who webhook.Principal, id int32) (webhook.Webhook, error)
}

// Event is the part of webhook.Events that reads one event.
type Event interface {
	Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error)
}

// Rounds is the part of delivery.Store that begins rounds.
type Rounds interface {
	Get(ctx context.Context, key delivery.Key) (delivery.Row, error)
	StartRound(ctx context.Context, s delivery.StartRound) (delivery.Row, error)
}

// Why a delivery cannot be retried. Both are webhook.ErrNotFound.
var (
	ErrExpired    = fmt.Errorf("the event has expired: %w", webhook.ErrNotFound)
	ErrNoDelivery = fmt.Errorf("the webhook has no delivery of the event: %w", webhook.ErrNotFound)
)

// InactiveError reports that a webhook is not Active, so that nothing can be sent to
// its target. It is delivery.ErrRefused.
type InactiveError struct{ State webhook.State }

func (e *InactiveError) Error() string { return "the webhook is " + e.State.String() }
func (e *InactiveError) Unwrap() error { return delivery.ErrRefused }

// LeasedError reports that an attempt of the delivery is being made, or that its
// consumer died during the attempt. It is delivery.ErrRefused.
type LeasedError struct{ Until time.Time }

func (e *LeasedError) Error() string {
	return "an attempt is leased until " + e.Until.UTC().Format(time.RFC3339)
}
func (e *LeasedError) Unwrap() error { return delivery.ErrRefused }

const (
	// sweepMargin is how long after its round is due the sweep looks at a row whose
	// message was lost.
	sweepMargin = 5 * time.Minute
	// retryTries bounds how often Start decides again because the row has changed.
	retryTries = 5
)

// Start begins the next round of a delivery, whatever came of the previous one, and
// returns the row. A round that has not begun is returned as it is. The open breaker of
// a webhook does not hold the round's first attempt back.
//
// Errors: webhook.ErrNotFound for a webhook that the principal does not see,
// ErrNoDelivery, ErrExpired, *InactiveError, *LeasedError, webhook.ErrUnavailable.
func (r *Retry) Start(ctx context.Context, who webhook.Principal, id int32, event webhook.EventID) (delivery.Row, error) {
	w, err := r.Webhooks.Get(ctx, who, id)
	if err != nil {
		return delivery.Row{}, err
	}
	if !event.Valid() {
		return delivery.Row{}, ErrNoDelivery
	}
	key := delivery.Key{Tenant: who.Tenant, Webhook: id, Event: event}
	row, err := r.Deliveries.Get(ctx, key)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return delivery.Row{}, err
	}
	e, err := r.Events.Get(ctx, who.Tenant, event)
	switch {
	case errors.Is(err, webhook.ErrNotFound) && (row.Exists() || event < webhook.FirstEventID(r.Now().Add(-r.EventLife))):
		return delivery.Row{}, ErrExpired
	case errors.Is(err, webhook.ErrNotFound):
		return delivery.Row{}, ErrNoDelivery
	case err != nil:
		return delivery.Row{}, err
	case w.State != webhook.StateActive:
		return delivery.Row{}, &InactiveError{w.State}
	}
	for range retryTries {
		now := r.Now()
		switch {
		case !row.Exists():
			return delivery.Row{}, ErrNoDelivery
		case row.Waiting():
			return row, nil
		case row.Leased(now):
			return delivery.Row{}, &LeasedError{row.LeaseUntil}
		}
		row, err = r.Deliveries.StartRound(ctx, delivery.StartRound{
			Key: key, Seen: row.Status, Now: now, Due: now, SweepAt: now.Add(sweepMargin), Seed: delivery.NewSeed(e, "", nil, now.Add(r.RowLife)),
		})
		if err == nil {
			r.send(ctx, row)
			return row, nil
		}
		if !errors.Is(err, delivery.ErrRefused) {
			return delivery.Row{}, err
		}
	}
	return delivery.Row{}, fmt.Errorf("delivery of %s changes all the time: %w", event, webhook.ErrUnavailable)
}

// send enqueues the first attempt of a round. If the message is lost, the sweep finds
// the row.
func (r *Retry) send(ctx context.Context, row delivery.Row) {
	first := delivery.AttemptMessage(row.Key, row.Round, 1, "")
	if err := delivery.SendAll(ctx, r.Messages, []delivery.Outgoing{{Message: first}}); err != nil {
		r.Logger.WarnContext(ctx, "cannot send to queue", "event_id", string(row.Event), "error", err)
	}
}
