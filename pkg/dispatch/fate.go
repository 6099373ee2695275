package dispatch

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// fate is what is left to do about an attempt that a consumer was asked for. The zero
// fate is that of a fault: the attempt is tried again, later each time.
type fate struct {
	// done means that no work is left: the row has the outcome, or another consumer is
	// responsible for it.
	done bool
	// leased means that the row was leased for the attempt: a row that was parked is
	// parked no longer.
	leased bool
	// after is how long to wait before the attempt is tried again. 0 after a fault.
	after time.Duration
	// interrupted means that the consumer's call ended during the attempt.
	interrupted bool
	// result is that of the POST; nil if none was made, or it does not count.
	result *webhook.Result
}

// conclude does what is left to do about the attempt that a message requested.
func (c *consumer) conclude(ctx context.Context, r delivery.Received, f fate) (done bool) {
	switch {
	case f.done:
		return true
	case f.interrupted:
		// The attempt is made again once its lease has expired. The message is not
		// touched: it comes back when its visibility timeout ends.
		return false
	case f.after > 0:
		return c.postpone(ctx, r, f.after)
	}
	return c.later(ctx, r)
}

// refusal returns the fate of an attempt whose write the row refused, by the row as it
// was then.
func (c *consumer) refusal(m delivery.Message, row delivery.Row) fate {
	now := c.Now()
	switch m.Verdict(row, now) {
	case delivery.VerdictOver:
		return fate{done: true}
	case delivery.VerdictHeld:
		return fate{after: row.LeaseUntil.Sub(now) + delivery.LeaseSpare}
	case delivery.VerdictEarly:
	}
	return fate{}
}
