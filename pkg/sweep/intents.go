package sweep

import (
	"context"
	"errors"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// clearIntents deletes secrets that no webhook or source refers to, among those that were
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

// clearIntent resolves one intent. It reads the webhook or the sources now, so it
// sees every commit up to this moment.
func (s *Sweeper) clearIntent(ctx context.Context, intent webhook.Intent) error {
	refers := s.webhookRefers
	if intent.Webhook == 0 {
		refers = s.sourceRefers
	}
	needed, err := refers(ctx, intent)
	if err != nil {
		return err
	}
	if !needed {
		if err := s.Secrets.Delete(ctx, intent.Secret); err != nil {
			return err
		}
	}
	return s.Webhooks.RemoveIntent(ctx, intent)
}

// webhookRefers reports whether the webhook of an intent refers to its secret.
func (s *Sweeper) webhookRefers(ctx context.Context, intent webhook.Intent) (bool, error) {
	w, err := s.Webhooks.Get(ctx, intent.Tenant, intent.Webhook)
	if errors.Is(err, webhook.ErrNotFound) {
		return false, nil
	}
	return w.Secret.Name == intent.Secret, err
}

// sourceRefers reports whether a source refers to the secret of an intent. A
// source that cannot be read may do so, and is an error.
func (s *Sweeper) sourceRefers(ctx context.Context, intent webhook.Intent) (bool, error) {
	if s.Sources == nil {
		return false, nil
	}
	all, err := s.Sources.List(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(each source.Source) bool {
		return each.Relay != nil && each.Relay.Secret.Name == intent.Secret
	}), nil
}
