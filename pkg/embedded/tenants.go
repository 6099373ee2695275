package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Tenants is the tenant store of a DB.
type Tenants struct{ db *DB }

var _ tenancy.Tenants = Tenants{}

// Tenants returns the tenant store.
func (db *DB) Tenants() Tenants { return Tenants{db} }

func loadTenant(tx *bbolt.Tx, tenant webhook.Tenant) (record tenancy.Record, err error) {
	found, err := load(bucket(tx, "tenants"), []byte(tenant), &record)
	if err == nil && !found {
		err = fmt.Errorf("tenant %s: %w", tenant, webhook.ErrNotFound)
	}
	return record, err
}

// Create implements tenancy.Tenants.
func (s Tenants) Create(ctx context.Context, tenant webhook.Tenant, at time.Time) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		if bucket(tx, "tenants").Get([]byte(tenant)) != nil {
			return fmt.Errorf("tenant %s: %w", tenant, webhook.ErrExists)
		}
		return save(bucket(tx, "tenants"), []byte(tenant), tenancy.Record{Name: tenant, Created: at})
	})
}

// Get implements tenancy.Tenants.
func (s Tenants) Get(ctx context.Context, tenant webhook.Tenant) (record tenancy.Record, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		record, err = loadTenant(tx, tenant)
		return err
	})
	return record, err
}

// List implements tenancy.Tenants.
func (s Tenants) List(ctx context.Context, after webhook.Tenant, limit int) (page []tenancy.Record, err error) {
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "tenants").Cursor()
		k, stored := c.Seek([]byte(after))
		for ; k != nil && len(page) < limit; k, stored = c.Next() {
			if string(k) == string(after) {
				continue
			}
			var record tenancy.Record
			if err := json.Unmarshal(stored, &record); err != nil {
				broken.Add(shown("tenants", k), err)
				continue
			}
			page = append(page, record)
		}
		return broken.Err()
	})
	return page, err
}

// BeginDelete implements tenancy.Tenants.
func (s Tenants) BeginDelete(ctx context.Context, tenant webhook.Tenant, job string) (tenancy.Record, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (tenancy.Record, error) {
		record, err := loadTenant(tx, tenant)
		if err != nil || record.Deleting != "" {
			return record, err
		}
		record.Deleting = job
		return record, save(bucket(tx, "tenants"), []byte(tenant), record)
	})
}

// Forget implements tenancy.Tenants.
func (s Tenants) Forget(ctx context.Context, tenant webhook.Tenant) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		var record tenancy.Record
		found, err := load(bucket(tx, "tenants"), []byte(tenant), &record)
		switch {
		case err != nil || !found:
			return err
		case record.Deleting == "":
			return fmt.Errorf("tenant %s is not being deleted: %w", tenant, webhook.ErrConflict)
		}
		return bucket(tx, "tenants").Delete([]byte(tenant))
	})
}
