package embedded

import (
	"context"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// TenantFeed returns what the feed holds of a tenant.
func (db *DB) TenantFeed(t *testing.T, tenant webhook.Tenant) (records []webhook.Record) {
	t.Helper()
	for partition := range partitions {
		all, err := db.feedRecords(t.Context(), partition, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.Event.Tenant == tenant {
				records = append(records, r)
			}
		}
	}
	return records
}

// Syncs reports whether each commit is synced to the disk.
func (db *DB) Syncs() bool { return !db.bolt.NoSync }

// Purge is what the minute does with what has expired.
func (db *DB) Purge(ctx context.Context) error { return db.purge(ctx) }
