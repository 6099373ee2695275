package embedded

import (
	"context"
	"iter"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// TenantFeed returns the tenant's records in the feed.
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

// Purge removes expired items as the pump does each minute. It returns how many
// items it examined.
func (db *DB) Purge(ctx context.Context) (int, error) { return db.purge(ctx) }

// Damage makes a stored item undecodable.
func (db *DB) Damage(t *testing.T, thing any) {
	t.Helper()
	name, k := "", []byte(nil)
	switch x := thing.(type) {
	case webhook.Webhook:
		name, k = "webhooks", webhookKey(x.Tenant, x.ID)
	case webhook.Replaced:
		name, k = "history", historyKey(x.Webhook.Tenant, x.Webhook.ID, x.Webhook.Revision)
	case webhook.Event:
		name, k = "events", eventKey(x.Tenant, x.ID)
	case delivery.Row:
		name, k = "deliveries", deliveryKey(x.Key)
	case delivery.Timer:
		name, k = "timers", webhookKey(x.Key.Tenant, x.Key.ID)
	case storetest.StoredHour:
		name, k = "statistics", hourKey(x.Tenant, x.Webhook, x.From)
	case job.Job:
		name, k = "jobs", []byte(x.ID)
	case webhook.Intent:
		name, k = "intents", []byte(x.Secret)
	case tenancy.Record:
		name, k = "tenants", []byte(x.Name)
	case tenancy.Credential:
		name, k = "credentials", []byte(x.Hash)
	case source.Source:
		name, k = "sources", []byte(x.Name)
	default:
		t.Fatalf("cannot damage a %T", thing)
	}
	db.Overwrite(t, name, k, []byte("?"))
}

// Overwrite replaces the value stored under a key.
func (db *DB) Overwrite(t *testing.T, name string, k, value []byte) {
	t.Helper()
	err := db.update(t.Context(), func(tx *bbolt.Tx) error { return bucket(tx, name).Put(k, value) })
	if err != nil {
		t.Fatal(err)
	}
}

// Count returns how many items a bucket holds.
func (db *DB) Count(t *testing.T, name string) (n int) {
	t.Helper()
	err := db.view(t.Context(), func(tx *bbolt.Tx) error {
		n = bucket(tx, name).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// PutAll stores many events at once, without their feed entries.
func (db *DB) PutAll(t *testing.T, events iter.Seq[webhook.Event]) {
	t.Helper()
	next, stop := iter.Pull(events)
	defer stop()
	for more := true; more; {
		err := db.bolt.Update(func(tx *bbolt.Tx) error {
			b := bucket(tx, "events")
			b.FillPercent = 1 // in order of key
			for range 100_000 {
				e, ok := next()
				if more = ok; !ok {
					return nil
				}
				text, err := encodeEvent(e)
				if err != nil {
					return err
				}
				if err := b.Put(eventKey(e.Tenant, e.ID), text); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Unseal makes the file one of a version that did not seal its secrets.
func (db *DB) Unseal(t *testing.T) {
	t.Helper()
	err := db.update(t.Context(), func(tx *bbolt.Tx) error {
		b := bucket(tx, "secrets")
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			var stored storedSecret
			if _, err := load(b, k, &stored); err != nil {
				return err
			}
			for version, sealed := range stored.Versions {
				text, err := db.ring.Open(sealed, sealedAt(string(k), version))
				if err != nil {
					return err
				}
				stored.Versions[version] = string(text)
			}
			if err := save(b, k, stored); err != nil {
				return err
			}
		}
		return bucket(tx, "secretkey").Delete([]byte(keyCheck))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// StoredSecrets returns the stored secrets.
func (db *DB) StoredSecrets(t *testing.T) (all string) {
	t.Helper()
	err := db.view(t.Context(), func(tx *bbolt.Tx) error {
		return bucket(tx, "secrets").ForEach(func(k, stored []byte) error { all += string(k) + string(stored) + "\n"; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
