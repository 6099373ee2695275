package statistics

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Store stores what became of webhooks' attempts, hour by hour, for their owners.
// Nothing decides by it: health is what dispatch reads. The sentences about all stores
// in package webhook (store.go) hold here too.
type Store interface {
	// Count adds to what is stored of an hour of a webhook, whether or not the webhook
	// exists. A call that is repeated counts twice, and one that returned
	// ErrUnavailable may have counted. The hour's ExpiresAt replaces the stored one. An
	// hour without attempts is not stored.
	Count(ctx context.Context, tenant webhook.Tenant, id int32, hour Hour) error

	// Hours returns up to limit stored hours of a webhook that begin at from or later,
	// in ascending order. It omits hours without attempts. The hours may be a few
	// seconds old.
	Hours(ctx context.Context, tenant webhook.Tenant, id int32, from time.Time, limit int) ([]Hour, error)
}

// longest is the largest TimeoutSeconds.
const longest = 100 * time.Second

// Hour is what became of the attempts of a webhook that began in one hour. A
// process that dies loses what it has not stored yet, and a delivery that is sent
// twice counts twice.
type Hour struct {
	From time.Time // a whole hour, UTC
	// Attempts are those with a number: not those that the fast lane cut short, or
	// left undecided.
	Attempts int64
	// Delivered is how many attempts the target accepted, Failed how many deliveries
	// ended with a failed attempt.
	Delivered, Failed int64
	// Suppressed is how many events, at least, the webhook's options left out. They are
	// counted with the attempts after them, in the hour of the last of these.
	Suppressed int64
	// Durations are those of the attempts, up to the largest TimeoutSeconds.
	Durations Histogram
	// Lags are the times from an event's acceptance to the end of the attempt that
	// delivered it, in the delivery's first round: a replay is not late.
	Lags      Histogram
	ExpiresAt time.Time
}

// HourOf returns an attempt as an hour of statistics that is kept for life after the
// hour's end. accepted is when the event was accepted. failed says that the delivery
// has failed and gets no other attempt in this round.
func HourOf(r webhook.Result, accepted time.Time, round int, failed bool, life time.Duration) Hour {
	h := Hour{From: r.At.UTC().Truncate(time.Hour), Attempts: 1}
	h.ExpiresAt = h.From.Add(time.Hour + life)
	h.Durations.Observe(min(r.Duration, longest))
	if failed {
		h.Failed = 1
	}
	if r.Error == failure.None {
		h.Delivered = 1
		if round == 1 {
			h.Lags.Observe(r.At.Add(r.Duration).Sub(accepted))
		}
	}
	return h
}

// Add returns the counts of an hour and those that another has of it. From and
// ExpiresAt are the other's.
func (h Hour) Add(other Hour) Hour {
	h.Attempts += other.Attempts
	h.Delivered += other.Delivered
	h.Failed += other.Failed
	h.Suppressed += other.Suppressed
	h.Durations, h.Lags = h.Durations.Add(other.Durations), h.Lags.Add(other.Lags)
	h.From, h.ExpiresAt = other.From, other.ExpiresAt
	return h
}

// Condition is how a webhook is, in a word. The words are part of the API.
type Condition string

// The conditions.
const (
	ConditionHealthy  Condition = "Healthy"  // its last attempt succeeded, or it has had none
	ConditionFailing  Condition = "Failing"  // its last attempt failed
	ConditionWaiting  Condition = "Waiting"  // it keeps failing: its breaker is open, and deliveries wait
	ConditionDisabled Condition = "Disabled" // by the service
	ConditionStopped  Condition = "Stopped"  // by its owner
)

// ConditionOf returns a webhook's condition by its health.
func ConditionOf(w webhook.Webhook, h webhook.Health) Condition {
	h = h.Under(w.Activation)
	switch {
	case w.State == webhook.StateTooManyErrors:
		return ConditionDisabled
	case w.State != webhook.StateActive:
		return ConditionStopped
	case h.Breaker.Open():
		return ConditionWaiting
	case !h.FailingSince.IsZero():
		return ConditionFailing
	}
	return ConditionHealthy
}

// Fails reports whether the webhook's deliveries do not arrive, by no choice of its
// owner.
func (c Condition) Fails() bool {
	return c == ConditionFailing || c == ConditionWaiting || c == ConditionDisabled
}
