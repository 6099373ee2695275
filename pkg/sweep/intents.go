package sweep

import (
	"context"
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// clearIntents looks at secrets that were about to be made or deleted an hour
// ago: one that no webhook names is deleted. The webhook is read again only
// now, so that whatever was committed meanwhile counts.
func (s *Sweeper) clearIntents(ctx context.Context) error {
	intents, err := s.Webhooks.Intents(ctx, s.Now().Add(-intentAge), intentPage)
	if err != nil {
		return err
	}
	for _, intent := range intents {
		w, err := s.Webhooks.Get(ctx, intent.Tenant, intent.Webhook)
		if err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return err
		}
		if err != nil || w.Secret.Name != intent.Secret {
			if err := s.Secrets.Delete(ctx, intent.Secret); err != nil {
				return err
			}
		}
		if err := s.Webhooks.RemoveIntent(ctx, intent); err != nil {
			return err
		}
	}
	return nil
}
