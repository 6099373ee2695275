package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// disable sets a webhook to TooManyErrors if it is still Active under the
// activation whose attempts failed. The change and the event that reports it are
// one transaction.
func (r *reports) disable(ctx context.Context, about *report, health webhook.Health) error {
	attempted := about.webhook
	c := r.config
	overtaken := func(err error) bool { return errors.Is(err, webhook.ErrConflict) }
	return disabling.Retry(ctx, c.Random, overtaken, func() error {
		w, err := c.Webhooks.Get(ctx, attempted.Tenant, attempted.ID)
		if err != nil {
			if gone(err) {
				return nil
			}
			return err
		}
		if w.State != webhook.StateActive || w.Activation != attempted.Activation {
			return nil
		}
		now := c.Now().UTC().Truncate(time.Millisecond)
		w.State, w.Updated, w.Revision = webhook.StateTooManyErrors, now, w.Revision+1
		event, err := webhook.NewStateEvent(w, "errors", now, c.Random, c.EventLife)
		if err != nil {
			return err
		}
		err = c.Webhooks.Update(ctx, w, webhook.Disabling(now, c.RowLife), event)
		switch {
		case err == nil:
			c.Logger.WarnContext(ctx, "webhook disabled after errors", "tenant", string(w.Tenant), "webhook_id", w.ID, "host", targetHost(w.TargetURL))
			r.noteDisabled(about, w, health)
			r.pull(ctx, webhook.Key{Tenant: w.Tenant, ID: w.ID})
			return nil
		case gone(err):
			return nil
		}
		return err
	})
}
