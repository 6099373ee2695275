package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// signing returns the secrets of a webhook that was read at a time. If they are gone
// because the webhook names another secret by now, in the same store or in the other,
// it returns the newer webhook with its secrets.
func (c *consumer) signing(ctx context.Context, m delivery.Message, w webhook.Webhook, read time.Time) (webhook.Webhook, time.Time, webhook.SecretDocument, error) {
	doc, err := c.document(ctx, w)
	if !gone(err) {
		return w, read, doc, err
	}
	newer, at, readErr := c.subject(ctx, m)
	if readErr != nil || newer.Secret.Name == w.Secret.Name {
		return w, read, doc, err
	}
	if newer.State != webhook.StateActive { // the next receive cancels the delivery
		return w, read, webhook.SecretDocument{}, fmt.Errorf("webhook %d: %w", w.ID, webhook.ErrConflict)
	}
	doc, err = c.document(ctx, newer)
	return newer, at, doc, err
}
