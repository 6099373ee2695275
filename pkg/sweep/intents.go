package sweep

import (
	"context"
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// clearIntents deletes secrets that no webhook refers to, among those that were
// about to be created or deleted an hour ago. A faulty intent stays and does
// not block the others.
func (s *Sweeper) clearIntents(ctx context.Context) error {
	failed := skips{sweeper: s, what: "intents"}
	intents, err := s.Webhooks.Intents(ctx, s.Now().Add(-intentAge), intentList)
	if err = failed.readable(ctx, err); err != nil {
		return err
	}
	for cleared, rest := 0, intents; cleared < intentPage && len(rest) > 0 && ctx.Err() == nil; rest = rest[1:] {
		if err := s.clearIntent(ctx, rest[0]); err != nil {
			failed.skip(ctx, rest[0].Secret, err)
		} else {
			cleared++
		}
	}
	return errors.Join(ctx.Err(), failed.err())
}

// clearIntent resolves one intent. It reads the webhook now, so it sees every
// commit up to this moment.
func (s *Sweeper) clearIntent(ctx context.Context, intent webhook.Intent) error {
	w, err := s.Webhooks.Get(ctx, intent.Tenant, intent.Webhook)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	if err != nil || w.Secret.Name != intent.Secret {
		if err := s.Secrets.Delete(ctx, intent.Secret); err != nil {
			return err
		}
	}
	return s.Webhooks.RemoveIntent(ctx, intent)
}
