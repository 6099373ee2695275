package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// drainSight is what a drain knows of its webhook, from one moment.
type drainSight struct {
	webhook  webhook.Webhook
	read     time.Time // just before webhook was read
	breaker  webhook.Breaker
	document webhook.SecretDocument
	unsigned bool
}

// active reports whether attempts are made. If not, the rows end.
func (s drainSight) active() bool { return s.webhook.State == webhook.StateActive }

// attempt returns what an attempt of a parked row needs.
func (s drainSight) attempt(event webhook.Event) leasedAttempt {
	return leasedAttempt{webhook: s.webhook, read: s.read, event: event, document: s.document, unsigned: s.unsigned, parked: true}
}

// held reports whether attempts must wait, because the breaker is open.
func (s drainSight) held() bool { return s.active() && s.breaker.Open() }

// look reads the webhook, its secrets and its breaker. It returns false if one of them
// cannot be read, or if the webhook is deleted: its rows expire, and nothing is written.
func (d *drain) look(ctx context.Context) bool {
	w, read, err := d.subject(ctx, d.message)
	if err != nil {
		d.warn(ctx, "cannot read webhook", "error", err)
		return false
	}
	if w.Revision == 0 {
		return false
	}
	seen := drainSight{webhook: w, read: read}
	if seen.active() {
		h, err := d.healths.current(ctx, d.key)
		if err != nil {
			d.warn(ctx, "cannot read health", "error", err)
			return false
		}
		seen.breaker = h.Under(w.Activation).Breaker
		w, read, doc, err := d.signing(ctx, d.message, w, read)
		if err != nil && !gone(err) {
			d.warn(ctx, "cannot read secret", "error", err)
			return false
		}
		seen.webhook, seen.read, seen.document, seen.unsigned = w, read, doc, err != nil
	}
	d.view = seen
	return true
}

// minWidth is the least number of attempts that a drain has in flight.
const minWidth = 16

// width returns how many attempts the drain has in flight, and the webhook's timer;
// the zero Timer if it cannot be read. A drain that met failures since the message was
// sent has narrowed the timer.
func (d *drain) width(ctx context.Context) (delivery.Timer, int) {
	timer, err := d.Deliveries.Timer(ctx, d.key)
	if err != nil && !gone(err) {
		d.warn(ctx, "cannot read timer", "error", err)
	}
	if err == nil && timer.Width > 0 {
		return timer, min(d.message.Width, timer.Width)
	}
	return timer, d.message.Width
}

// narrow halves the width of the webhook's later drains. If the timer has changed
// meanwhile, the next drain that meets failures does it.
func (d *drain) narrow(ctx context.Context, timer delivery.Timer, width int) {
	if timer.Version == 0 {
		return
	}
	timer.Width = max(width/2, minWidth)
	if _, err := d.Deliveries.SetTimer(ctx, timer); err != nil && !errors.Is(err, delivery.ErrRefused) {
		d.warn(ctx, "cannot write timer", "error", err)
	}
}
