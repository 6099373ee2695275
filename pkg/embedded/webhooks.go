package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Webhooks is the webhook store of a DB.
type Webhooks struct {
	db    *DB
	limit int // webhooks per tenant; 0: unlimited
}

var (
	_ webhook.Webhooks = Webhooks{}
	_ job.Founder      = Webhooks{}
)

// Webhooks returns the webhook store.
func (db *DB) Webhooks() Webhooks { return Webhooks{db: db} }

// Limited returns the store with a limit of webhooks per tenant; 0 means
// unlimited.
func (s Webhooks) Limited(limit int) Webhooks { s.limit = limit; return s }

// storedWebhook is the stored form of a webhook. Absent raw JSON is not stored as null.
type storedWebhook struct {
	webhook.Webhook
	Properties      json.RawMessage `json:",omitempty"`
	ErrorAssociates json.RawMessage `json:",omitempty"`
	Secret          webhook.StoredSecretRef
}

func toStore(w webhook.Webhook) storedWebhook {
	return storedWebhook{w, w.Properties, w.ErrorAssociates, w.Secret.Stored()}
}

func saveWebhook(tx *bbolt.Tx, w webhook.Webhook) error {
	return save(bucket(tx, "webhooks"), webhookKey(w.Tenant, w.ID), toStore(w))
}

func decodeWebhook(stored []byte) (webhook.Webhook, error) {
	var s storedWebhook
	if err := json.Unmarshal(stored, &s); err != nil {
		return webhook.Webhook{}, fmt.Errorf("read stored webhook: %w", err)
	}
	return s.webhook(), nil
}

func (s storedWebhook) webhook() webhook.Webhook {
	w := s.Webhook
	w.Properties, w.ErrorAssociates, w.Secret = s.Properties, s.ErrorAssociates, s.Secret.Ref()
	return w
}

func loadWebhook(tx *bbolt.Tx, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	stored := bucket(tx, "webhooks").Get(webhookKey(tenant, id))
	if stored == nil {
		return webhook.Webhook{}, fmt.Errorf("webhook %d: %w", id, webhook.ErrNotFound)
	}
	return decodeWebhook(stored)
}

func webhookKey(tenant webhook.Tenant, id int32) []byte { return key(string(tenant), id) }

// raiseEpoch counts a change to the tenant's webhooks.
func raiseEpoch(tx *bbolt.Tx, tenant webhook.Tenant) error {
	b := bucket(tx, "epochs")
	return b.Put([]byte(tenant), key(number(b.Get([]byte(tenant)))+1))
}

func number(stored []byte) uint64 {
	if len(stored) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(stored)
}

// NextID implements webhook.Webhooks.
func (s Webhooks) NextID(ctx context.Context, tenant webhook.Tenant) (int32, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (int32, error) {
		b := bucket(tx, "ids")
		last := number(b.Get([]byte(tenant)))
		if last >= math.MaxInt32 {
			return 0, fmt.Errorf("tenant %s: webhook ids exhausted", tenant)
		}
		return int32(last) + 1, b.Put([]byte(tenant), key(last+1))
	})
}

// Create implements webhook.Webhooks.
func (s Webhooks) Create(ctx context.Context, w webhook.Webhook) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error { return s.create(tx, w) })
}

// CreateWith implements job.Founder.
func (s Webhooks) CreateWith(ctx context.Context, w webhook.Webhook, j job.Job) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		if err := s.create(tx, w); err != nil {
			return err
		}
		return createJob(tx, j)
	})
}

func (s Webhooks) create(tx *bbolt.Tx, w webhook.Webhook) error {
	for _, name := range []string{"webhooks", "graves"} {
		if bucket(tx, name).Get(webhookKey(w.Tenant, w.ID)) != nil {
			return fmt.Errorf("webhook %d: %w", w.ID, webhook.ErrExists)
		}
	}
	if err := s.hasRoom(tx, w.Tenant); err != nil {
		return err
	}
	return replace(tx, webhook.Webhook{}, w)
}

// HasRoom implements webhook.Webhooks.
func (s Webhooks) HasRoom(ctx context.Context, tenant webhook.Tenant) error {
	return s.db.view(ctx, func(tx *bbolt.Tx) error { return s.hasRoom(tx, tenant) })
}

// hasRoom counts the tenant's webhooks. No counter is needed: only one process
// has the file open, and its writes are serialized.
func (s Webhooks) hasRoom(tx *bbolt.Tx, tenant webhook.Tenant) error {
	if s.limit <= 0 {
		return nil
	}
	n, prefix := 0, key(string(tenant), "")
	c := bucket(tx, "webhooks").Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if n++; n >= s.limit {
			return &webhook.LimitError{Webhooks: s.limit}
		}
	}
	return nil
}

// Update implements webhook.Webhooks.
func (s Webhooks) Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		current, err := at(tx, w.Tenant, w.ID, w.Revision-1)
		if err != nil {
			return err
		}
		for _, e := range raised {
			if err := putEvent(tx, e, s.db.Now()); err != nil {
				return err
			}
		}
		if err := remember(tx, by.Replaces(current)); err != nil {
			return err
		}
		return replace(tx, current, w)
	})
}

// at returns a webhook and requires it to have this revision.
func at(tx *bbolt.Tx, tenant webhook.Tenant, id int32, revision int64) (webhook.Webhook, error) {
	current, err := loadWebhook(tx, tenant, id)
	if err != nil {
		return webhook.Webhook{}, err
	}
	if current.Revision != revision {
		return webhook.Webhook{}, fmt.Errorf("webhook %d has revision %d, not %d: %w", id, current.Revision, revision, webhook.ErrConflict)
	}
	return current, nil
}

// replace writes a webhook, its pointers and the epoch.
func replace(tx *bbolt.Tx, old, w webhook.Webhook) error {
	pointers := bucket(tx, "pointers")
	for _, k := range old.PointerKeys() {
		if err := pointers.Delete(key(string(w.Tenant), k, w.ID)); err != nil {
			return fmt.Errorf("delete pointer: %w", err)
		}
	}
	for _, k := range w.PointerKeys() {
		if err := pointers.Put(key(string(w.Tenant), k, w.ID), nil); err != nil {
			return fmt.Errorf("write pointer: %w", err)
		}
	}
	if err := saveWebhook(tx, w); err != nil {
		return err
	}
	return raiseEpoch(tx, w.Tenant)
}

// grave prevents the id of a deleted webhook from being reused.
type grave struct{ Expires time.Time }

// Delete implements webhook.Webhooks.
func (s Webhooks) Delete(ctx context.Context, tenant webhook.Tenant, id int32, revision int64, by webhook.Change) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		current, err := at(tx, tenant, id, revision)
		if err != nil {
			return err
		}
		for _, k := range current.PointerKeys() {
			if err := bucket(tx, "pointers").Delete(key(string(tenant), k, id)); err != nil {
				return fmt.Errorf("delete pointer: %w", err)
			}
		}
		for _, name := range []string{"webhooks", "health"} {
			if err := bucket(tx, name).Delete(webhookKey(tenant, id)); err != nil {
				return fmt.Errorf("delete webhook: %w", err)
			}
		}
		if err := remember(tx, by.Replaces(current)); err != nil {
			return err
		}
		until := s.db.Now().Add(webhook.IDLife)
		if err := save(bucket(tx, "graves"), webhookKey(tenant, id), grave{until}); err != nil {
			return err
		}
		if err := noteExpiry(tx, "graves", webhookKey(tenant, id), until); err != nil {
			return err
		}
		return raiseEpoch(tx, tenant)
	})
}

// Get implements webhook.Webhooks.
func (s Webhooks) Get(ctx context.Context, tenant webhook.Tenant, id int32) (w webhook.Webhook, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		w, err = loadWebhook(tx, tenant, id)
		return err
	})
	return w, err
}

// listBytes ends a page of List.
const listBytes = 1 << 20

// List implements webhook.Webhooks.
func (s Webhooks) List(ctx context.Context, tenant webhook.Tenant, after int32, limit int) (page []webhook.Webhook, more bool, err error) {
	prefix := key(string(tenant), "")
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "webhooks").Cursor()
		k, stored := c.Seek(webhookKey(tenant, after+1))
		size := 0
		for ; bytes.HasPrefix(k, prefix); k, stored = c.Next() {
			if more = len(page) >= limit || size >= listBytes; more {
				return nil
			}
			w, err := decodeWebhook(stored)
			if err != nil {
				broken.Add(shown("webhooks", k), err)
				continue
			}
			page, size = append(page, w), size+len(stored)
		}
		return broken.Err()
	})
	return page, more, err
}

// Epoch implements webhook.Webhooks.
func (s Webhooks) Epoch(ctx context.Context, tenant webhook.Tenant) (epoch int64, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		epoch = int64(number(bucket(tx, "epochs").Get([]byte(tenant))))
		return nil
	})
	return epoch, err
}

// Subscribed implements webhook.Webhooks.
func (s Webhooks) Subscribed(ctx context.Context, tenant webhook.Tenant, subscription string, each func(webhook.Webhook)) error {
	prefix := key(string(tenant), subscription, "")
	return s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "pointers").Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			id := int32(binary.BigEndian.Uint32(k[len(prefix):]))
			w, err := loadWebhook(tx, tenant, id)
			if err != nil {
				return err
			}
			each(w)
		}
		return nil
	})
}
