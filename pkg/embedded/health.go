package embedded

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Health implements webhook.Webhooks.
func (s Webhooks) Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	healths := make(map[int32]webhook.Health, len(ids))
	var broken webhook.UnreadableError
	err := s.db.view(ctx, func(tx *bbolt.Tx) error {
		for _, id := range ids {
			var h webhook.Health
			found, err := load(bucket(tx, "health"), webhookKey(tenant, id), &h)
			switch {
			case err != nil:
				broken.Add(shown("health", webhookKey(tenant, id)), err)
			case found:
				healths[id] = h
			}
		}
		return broken.Err()
	})
	return healths, err
}

// CurrentHealth implements webhook.Webhooks.
func (s Webhooks) CurrentHealth(ctx context.Context, key webhook.Key) (h webhook.Health, err error) {
	healths, err := s.Health(ctx, key.Tenant, []int32{key.ID})
	return healths[key.ID], err
}

// UpdateHealth implements webhook.Webhooks. It does not store the health of a
// deleted webhook.
func (s Webhooks) UpdateHealth(ctx context.Context, tenant webhook.Tenant, id int32, change func(webhook.Health) webhook.Health) (webhook.Health, error) {
	return commit(ctx, s.db.updateSoon, func(tx *bbolt.Tx) (webhook.Health, error) {
		if bucket(tx, "webhooks").Get(webhookKey(tenant, id)) == nil {
			return webhook.Health{}, fmt.Errorf("webhook %d: %w", id, webhook.ErrNotFound)
		}
		var current webhook.Health
		if _, err := load(bucket(tx, "health"), webhookKey(tenant, id), &current); err != nil {
			return webhook.Health{}, err
		}
		h := change(current)
		h.Version = current.Version + 1
		return h, save(bucket(tx, "health"), webhookKey(tenant, id), h)
	})
}
