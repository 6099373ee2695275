package embedded

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Credentials is the credential store of a DB.
type Credentials struct{ db *DB }

var _ tenancy.Credentials = Credentials{}

// Credentials returns the credential store.
func (db *DB) Credentials() Credentials { return Credentials{db} }

func issuedKey(tenant webhook.Tenant, id string) []byte { return key(string(tenant), id) }

// loadCredential reads a credential that has not expired.
func (s Credentials) loadCredential(tx *bbolt.Tx, hash []byte) (c tenancy.Credential, found bool, err error) {
	if hash == nil {
		return c, false, nil
	}
	found, err = load(bucket(tx, "credentials"), hash, &c)
	return c, found && c.Valid(s.db.Now()), err
}

// Create implements tenancy.Credentials.
func (s Credentials) Create(ctx context.Context, c tenancy.Credential) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		tenant := c.Principal.Tenant
		record, err := loadTenant(tx, tenant)
		if err != nil {
			return err
		}
		if record.Deleting != "" {
			return fmt.Errorf("tenant %s is being deleted: %w", tenant, webhook.ErrNotFound)
		}
		k := issuedKey(tenant, c.ID)
		for _, hash := range [][]byte{[]byte(c.Hash), bucket(tx, "issued").Get(k)} {
			_, taken, err := s.loadCredential(tx, hash)
			if err != nil {
				return err
			}
			if taken {
				return fmt.Errorf("credential of %s: %w", tenant, webhook.ErrExists)
			}
		}
		if err := dropCredential(tx, []byte(c.Hash)); err != nil { // an expired one, perhaps another tenant's
			return err
		}
		if err := bucket(tx, "issued").Put(k, []byte(c.Hash)); err != nil {
			return fmt.Errorf("list credential: %w", err)
		}
		if err := noteExpiry(tx, "credentials", []byte(c.Hash), c.ExpiresAt); err != nil {
			return err
		}
		return save(bucket(tx, "credentials"), []byte(c.Hash), c)
	})
}

// dropCredential removes the credential stored under a hash, if any, from both
// buckets.
func dropCredential(tx *bbolt.Tx, hash []byte) error {
	var c tenancy.Credential
	found, err := load(bucket(tx, "credentials"), hash, &c)
	if err != nil || !found {
		return err
	}
	if err := bucket(tx, "issued").Delete(issuedKey(c.Principal.Tenant, c.ID)); err != nil {
		return fmt.Errorf("remove credential from list: %w", err)
	}
	if err := bucket(tx, "credentials").Delete(hash); err != nil {
		return fmt.Errorf("remove credential: %w", err)
	}
	return forgetExpiry(tx, "credentials", hash, c.ExpiresAt)
}

// Find implements tenancy.Credentials.
func (s Credentials) Find(ctx context.Context, hash string) (c tenancy.Credential, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		found := false
		if c, found, err = s.loadCredential(tx, []byte(hash)); err == nil && !found {
			err = fmt.Errorf("credential: %w", webhook.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return tenancy.Credential{}, err
	}
	return c, nil
}

// List implements tenancy.Credentials.
func (s Credentials) List(ctx context.Context, tenant webhook.Tenant, after string, limit int) (page []tenancy.Credential, err error) {
	prefix := issuedKey(tenant, "")
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		cursor := bucket(tx, "issued").Cursor()
		k, hash := cursor.Seek(issuedKey(tenant, after))
		for ; bytes.HasPrefix(k, prefix) && len(page) < limit; k, hash = cursor.Next() {
			c, found, err := s.loadCredential(tx, hash)
			if err != nil {
				broken.Add(shown("issued", k), err)
				continue
			}
			if found && c.ID != after {
				page = append(page, c)
			}
		}
		return broken.Err()
	})
	return page, err
}

// Revoke implements tenancy.Credentials.
func (s Credentials) Revoke(ctx context.Context, tenant webhook.Tenant, id string) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		k := issuedKey(tenant, id)
		c, found, err := s.loadCredential(tx, bucket(tx, "issued").Get(k))
		if err != nil {
			return err
		}
		if !found || c.ID != id {
			return fmt.Errorf("credential of %s: %w", tenant, webhook.ErrNotFound)
		}
		return dropCredential(tx, []byte(c.Hash))
	})
}
