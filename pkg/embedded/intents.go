package embedded

import (
	"context"
	"encoding/json"
	"sort"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// PutIntent implements webhook.Webhooks.
func (s Webhooks) PutIntent(ctx context.Context, intent webhook.Intent) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		return save(bucket(tx, "intents"), []byte(intent.Secret), intent)
	})
}

// RemoveIntent implements webhook.Webhooks.
func (s Webhooks) RemoveIntent(ctx context.Context, intent webhook.Intent) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		var existing webhook.Intent
		b := bucket(tx, "intents")
		if found, err := load(b, []byte(intent.Secret), &existing); err != nil || !found || existing.At.UnixMilli() != intent.At.UnixMilli() {
			return err
		}
		return b.Delete([]byte(intent.Secret))
	})
}

// Intents implements webhook.Webhooks.
func (s Webhooks) Intents(ctx context.Context, before time.Time, limit int) (found []webhook.Intent, err error) {
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "intents").Cursor()
		for k, stored := c.First(); k != nil; k, stored = c.Next() {
			var intent webhook.Intent
			if err := json.Unmarshal(stored, &intent); err != nil {
				broken.Add(shown("intents", k), err)
				continue
			}
			if intent.At.Before(before) {
				found = append(found, intent)
			}
		}
		return broken.Err()
	})
	sort.SliceStable(found, func(i, j int) bool { return found[i].At.Before(found[j].At) })
	return found[:min(limit, len(found))], err
}
