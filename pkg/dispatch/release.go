package dispatch

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// firstDrains is how many drains the process that closes a breaker sends, one for each five
// seconds until the sweep visits the webhook's timer.
const firstDrains = 12

// release has the parked rows of a webhook attempted whose breaker has closed. It is
// called after the write that closed it: a visit of the timer that found the breaker
// open is followed by another one. If the process dies before, that one comes at the
// time of the next probe.
func (r *reports) release(ctx context.Context, key webhook.Key, slow bool) {
	c := r.config
	r.pull(ctx, key)
	if _, err := c.Deliveries.Timer(ctx, key); gone(err) {
		return // no row is parked
	}
	out := make([]delivery.Outgoing, firstDrains)
	for i := range out {
		// Every partition has its turn: three and the number of partitions have no common factor.
		out[i].Message = delivery.DrainMessage(key, 3*i%delivery.ParkedPartitions, minWidth)
		out[i].Message.Slow = slow
		out[i].Delay = time.Duration(i) * drainTime
	}
	if err := delivery.SendAll(ctx, c.Messages, out); err != nil {
		c.Logger.WarnContext(ctx, "cannot send drains", "kind", string(delivery.MessageDrain), "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
	}
}

// pull makes the timer of a webhook due: its parked rows can be attempted, or end.
func (r *reports) pull(ctx context.Context, key webhook.Key) {
	if err := r.config.Deliveries.PullTimer(ctx, key, r.config.Now()); err != nil {
		r.config.Logger.WarnContext(ctx, "cannot pull timer", "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
	}
}
