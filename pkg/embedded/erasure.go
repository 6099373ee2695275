package embedded

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Erasure removes a tenant's stored data.
type Erasure struct{ db *DB }

var _ tenancy.Erasure = Erasure{}

// Erasure returns the part that removes a tenant's stored data.
func (db *DB) Erasure() Erasure { return Erasure{db} }

// begins returns up to limit keys that begin with a prefix.
func begins(b *bbolt.Bucket, prefix []byte, limit int) (keys [][]byte) {
	c := b.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(keys) < limit; k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// EraseEvents implements tenancy.Erasure. Events that are still in the feed are
// removed from it too.
func (s Erasure) EraseEvents(ctx context.Context, tenant webhook.Tenant, limit int) (int, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (int, error) {
		events, feed := bucket(tx, "events"), bucket(tx, "feed")
		gone := map[string]bool{}
		keys := begins(events, key(string(tenant), ""), limit)
		for _, k := range keys {
			gone[string(k)] = true
			if err := removeItem(tx, events, "events", k); err != nil {
				return 0, err
			}
		}
		var fed [][]byte
		err := feed.ForEach(func(k, v []byte) error {
			if len(v) > 8 && gone[string(v[8:])] {
				fed = append(fed, bytes.Clone(k))
			}
			return nil
		})
		for _, k := range fed {
			if err == nil {
				err = feed.Delete(k)
			}
		}
		if err != nil {
			return 0, fmt.Errorf("erase events from the feed: %w", err)
		}
		return len(keys), nil
	})
}

// EraseDeliveries implements tenancy.Erasure.
func (s Erasure) EraseDeliveries(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	return s.eraseOf(ctx, tenant, id, limit, "deliveries", "responses")
}

// EraseSubscriptions implements tenancy.Erasure.
func (s Erasure) EraseSubscriptions(ctx context.Context, tenant webhook.Tenant, limit int) (int, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (int, error) {
		b := bucket(tx, "pointers")
		keys := begins(b, key(string(tenant), ""), limit)
		for _, k := range keys {
			if err := b.Delete(k); err != nil {
				return 0, fmt.Errorf("erase pointer: %w", err)
			}
		}
		return len(keys), nil
	})
}

// EraseHistory implements tenancy.Erasure.
func (s Erasure) EraseHistory(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	return s.eraseOf(ctx, tenant, id, limit, "history")
}

// EraseStatistics implements tenancy.Erasure.
func (s Erasure) EraseStatistics(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	return s.eraseOf(ctx, tenant, id, limit, "statistics")
}

// eraseOf removes up to limit items of a webhook from some buckets.
func (s Erasure) eraseOf(ctx context.Context, tenant webhook.Tenant, id int32, limit int, buckets ...string) (int, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (int, error) {
		erased := 0
		for _, name := range buckets {
			b := bucket(tx, name)
			keys := begins(b, webhookKey(tenant, id), limit-erased)
			for _, k := range keys {
				if err := removeItem(tx, b, name, k); err != nil {
					return 0, err
				}
			}
			erased += len(keys)
		}
		return erased, nil
	})
}
