package secrets

import (
	"context"
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stores is a webhook.Secrets over two stores: it reads both and writes one. A secret
// of the other store is replaced by one of the written store when it changes. Set its
// fields before use and do not change them afterwards.
type Stores struct {
	// Manager has the secrets that are in Secrets Manager, Sealed those in their
	// references.
	Manager webhook.Secrets
	Sealed  *Sealed
	// Rotate adds a root key. nil: this function does not rotate them.
	Rotate func(ctx context.Context) (keyID string, err error)
	// WriteSealed says which of the two is written.
	WriteSealed bool
}

var (
	_ webhook.Secrets = (*Stores)(nil)
	_ custody.Stores  = (*Stores)(nil)
)

func isSealed(name string) bool { return strings.HasPrefix(name, sealedPrefix) }

func (s *Stores) of(name string) webhook.Secrets {
	if isSealed(name) {
		return s.Sealed
	}
	return s.Manager
}

// Name implements webhook.Secrets. The name says which store the secret is in.
func (s *Stores) Name(tenant webhook.Tenant, id int32) (string, error) {
	if s.WriteSealed {
		return s.Sealed.Name(tenant, id)
	}
	return s.Manager.Name(tenant, id)
}

// Create implements webhook.Secrets, for a name of either store.
func (s *Stores) Create(ctx context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	return s.of(name).Create(ctx, name, doc)
}

// Read implements webhook.Secrets.
func (s *Stores) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	return s.of(ref.Name).Read(ctx, ref)
}

// Put implements webhook.Secrets. webhook.ErrNotFound for a secret of the store that is
// only read.
func (s *Stores) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	if isSealed(committed.Name) != s.WriteSealed {
		return webhook.SecretRef{}, fmt.Errorf("the secret is in the store that is not written: %w", webhook.ErrNotFound)
	}
	return s.of(committed.Name).Put(ctx, committed, doc)
}

// Delete implements webhook.Secrets.
func (s *Stores) Delete(ctx context.Context, name string) error { return s.of(name).Delete(ctx, name) }

// Holder implements custody.Stores.
func (s *Stores) Holder(name string) custody.Store {
	if isSealed(name) {
		return custody.InItems
	}
	return custody.InManager
}

// In implements custody.Stores.
func (s *Stores) In(store custody.Store) webhook.Secrets {
	if store == custody.InItems {
		return s.Sealed
	}
	return s.Manager
}

// Outdated implements custody.Stores.
func (s *Stores) Outdated(ctx context.Context, ref webhook.SecretRef) (bool, error) {
	_, key, err := s.Sealed.ring(ctx)
	return seal.KeyOf(string(ref.Sealed)) != key, err
}

// AddKey implements custody.Stores.
func (s *Stores) AddKey(ctx context.Context) error {
	_, err := s.Rotate(ctx)
	return err
}
