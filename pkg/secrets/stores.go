package secrets

import (
	"context"
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stores is a webhook.Secrets over two stores: it reads both and writes one. A secret
// of the other store is replaced by one of the written store when it changes. Set its
// fields before use and do not change them afterwards.
type Stores struct {
	// Manager has the secrets that are in Secrets Manager, Sealed those in their
	// references.
	Manager, Sealed webhook.Secrets
	// WriteSealed says which of the two is written.
	WriteSealed bool
}

var _ webhook.Secrets = (*Stores)(nil)

// IsSealed reports whether the secret with this name is sealed in its references.
func IsSealed(name string) bool { return strings.HasPrefix(name, sealedPrefix) }

func (s *Stores) of(name string) webhook.Secrets {
	if IsSealed(name) {
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
	if IsSealed(committed.Name) != s.WriteSealed {
		return webhook.SecretRef{}, fmt.Errorf("secret %s is in the store that is not written: %w", committed.Name, webhook.ErrNotFound)
	}
	return s.of(committed.Name).Put(ctx, committed, doc)
}

// Delete implements webhook.Secrets.
func (s *Stores) Delete(ctx context.Context, name string) error { return s.of(name).Delete(ctx, name) }
