package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Statistics is the store of webhooks' statistics of a DB.
type Statistics struct{ db *DB }

var _ statistics.Store = Statistics{}

// Statistics returns the store of webhooks' statistics.
func (db *DB) Statistics() Statistics { return Statistics{db} }

func hourKey(tenant webhook.Tenant, id int32, hour time.Time) []byte {
	return append(webhookKey(tenant, id), key(hour)...)
}

// Count implements statistics.Store.
func (s Statistics) Count(ctx context.Context, tenant webhook.Tenant, id int32, hour statistics.Hour) error {
	if hour.Attempts == 0 {
		return nil
	}
	hour.From, hour.ExpiresAt = milliseconds(hour.From), milliseconds(hour.ExpiresAt)
	return s.db.updateSoon(ctx, func(tx *bbolt.Tx) error {
		b, k := bucket(tx, "statistics"), hourKey(tenant, id, hour.From)
		var have statistics.Hour
		found, err := load(b, k, &have)
		if err != nil {
			return err
		}
		if !found {
			if err := noteExpiry(tx, "statistics", k, hour.ExpiresAt); err != nil {
				return err
			}
		}
		return save(b, k, have.Add(hour))
	})
}

// Hours implements statistics.Store.
func (s Statistics) Hours(ctx context.Context, tenant webhook.Tenant, id int32, from time.Time, limit int) (hours []statistics.Hour, err error) {
	prefix, now := webhookKey(tenant, id), s.db.Now()
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "statistics").Cursor()
		for k, stored := c.Seek(hourKey(tenant, id, from)); bytes.HasPrefix(k, prefix) && len(hours) < limit; k, stored = c.Next() {
			var hour statistics.Hour
			if err := json.Unmarshal(stored, &hour); err != nil {
				broken.Add(shown("statistics", k), fmt.Errorf("read stored item: %w", err))
				continue
			}
			if !expired(hour.ExpiresAt, now) {
				hours = append(hours, hour)
			}
		}
		return broken.Err()
	})
	return hours, err
}
