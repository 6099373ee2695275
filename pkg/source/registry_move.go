package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// WithSecret returns the names of the sources that have a secret, in order: those of a
// tenant, or of all tenants if tenant is empty. Errors: *webhook.UnreadableError with the
// names of the others, webhook.ErrUnavailable.
func (r *Registry) WithSecret(ctx context.Context, tenant webhook.Tenant) (names []string, err error) {
	all, err := r.Sources.List(ctx)
	for _, s := range all {
		if s.Relay != nil && (tenant == "" || s.Tenant == tenant) {
			names = append(names, s.Name)
		}
	}
	return names, err
}

// SecretOf returns a source's tenant and the reference to its secret.
// webhook.ErrNotFound for a source that does not exist or has no secret.
func (r *Registry) SecretOf(ctx context.Context, name string) (webhook.Tenant, webhook.SecretRef, error) {
	s, err := r.Sources.Get(ctx, name)
	if err == nil && s.Relay == nil {
		err = fmt.Errorf("secret of source %s: %w", name, webhook.ErrNotFound)
	}
	if err != nil {
		return "", webhook.SecretRef{}, err
	}
	return s.Tenant, s.Relay.Secret, nil
}

// MoveSecret makes a source that refers to the secret from refer to another one with the
// same document. It counts as a revision, and as no change: who changed the source last,
// and when, stays. webhook.ErrConflict if the source has changed, refers to another
// secret or no longer exists; then nothing changed. The caller creates and deletes the
// secrets, with intents.
func (r *Registry) MoveSecret(ctx context.Context, name string, from, to webhook.SecretRef) error {
	s, err := r.Sources.Get(ctx, name)
	if err == nil && (s.Relay == nil || s.Relay.Secret != from) {
		err = webhook.ErrConflict
	}
	if err == nil {
		relay := *s.Relay
		relay.Secret = to
		s.Relay = &relay
		s.Revision++
		err = r.Sources.Put(ctx, s)
	}
	if errors.Is(err, webhook.ErrNotFound) {
		err = webhook.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("move the secret of source %s: %w", name, err)
	}
	return nil
}
