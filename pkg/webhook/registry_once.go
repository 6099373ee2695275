package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// CreateOnce is Create with the caller's idempotency key: for 24 h the same key
// creates only one webhook. Its id is stored in the claim of the key, so that the
// next call completes a create that died after the claim. repeated says that the
// webhook already existed; it is returned in its current state. If it was deleted
// in the meantime, the call creates a new webhook under a new id, which replaces
// the claim.
//
// Errors: as for Create, ErrIdempotencyKeyReused if the key was used for a
// different draft, and ErrConflict if the key's webhooks are deleted as fast as
// they are created. Drafts that differ only in secrets are the same.
func (r *Registry) CreateOnce(ctx context.Context, who Principal, key string, d Draft, ownHosts ...string) (w Webhook, repeated bool, err error) {
	if len(key) > maxIdempotencyKey {
		return Webhook{}, false, invalidMember("Idempotency-Key", "must be at most %d characters", maxIdempotencyKey)
	}
	doc, err := r.newDocument(d, ownHosts)
	if err != nil {
		return Webhook{}, false, err
	}
	if r.Events == nil {
		return Webhook{}, false, fmt.Errorf("claim idempotency key: %w", ErrUnavailable)
	}
	key = hexHash(who.App, "create", key)
	claim := func(claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error) {
		return r.Events.Remember(ctx, who.Tenant, key, claim, now)
	}
	deleted := func(err error) bool { return errors.Is(err, errDeleted) }
	err = saving.Retry(ctx, r.Random, deleted, func() error {
		id, existing, err := r.claimID(ctx, who.Tenant, d, claim)
		if err != nil {
			return err
		}
		claim = func(claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error) {
			return r.Events.Reclaim(ctx, who.Tenant, key, existing.Webhook, claim, now)
		}
		w, repeated, err = r.createClaimed(ctx, who, id, existing, d, doc)
		return err
	})
	if deleted(err) {
		err = fmt.Errorf("create webhook: %w", ErrConflict)
	}
	return w, repeated, err
}

// errDeleted reports that the webhook of a claim was created and deleted: its id
// must not be used again.
var errDeleted = errors.New("the webhook of this key was deleted")

// claimID draws an id and claims it. existing is the claim in force, of this id or of
// another.
func (r *Registry) claimID(ctx context.Context, tenant Tenant, d Draft, put func(claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error)) (id int32, existing IdempotencyClaim, err error) {
	if id, err = r.Webhooks.NextID(ctx, tenant); err != nil {
		return 0, IdempotencyClaim{}, fmt.Errorf("create webhook: %w", err)
	}
	now := r.Now().UTC()
	claim := IdempotencyClaim{Webhook: id, Body: d.hash(), Expires: now.Add(idempotencyLife)}
	if existing, err = put(claim, now); err != nil {
		return 0, IdempotencyClaim{}, fmt.Errorf("claim idempotency key: %w", err)
	}
	if existing.Body != claim.Body {
		return 0, IdempotencyClaim{}, fmt.Errorf("create webhook: %w", ErrIdempotencyKeyReused)
	}
	return id, existing, nil
}

// createClaimed finds or creates the webhook of a claim. id is the id that this
// call drew. errDeleted if the webhook no longer exists.
func (r *Registry) createClaimed(ctx context.Context, who Principal, id int32, existing IdempotencyClaim, d Draft, doc SecretDocument) (w Webhook, repeated bool, err error) {
	if existing.Webhook != id {
		w, err = r.Get(ctx, who, existing.Webhook)
		if !errors.Is(err, ErrNotFound) {
			return w, err == nil, err
		}
	}
	w, err = r.create(ctx, who, existing.Webhook, d, doc)
	if !errors.Is(err, ErrExists) {
		return w, false, err
	}
	// Another call with the same key was faster, and perhaps a deletion too.
	w, err = r.Get(ctx, who, existing.Webhook)
	if errors.Is(err, ErrNotFound) {
		return Webhook{}, false, errDeleted
	}
	return w, err == nil, err
}

// hash returns a hash of the draft. Of its secrets only their presence counts.
func (d Draft) hash() string {
	secret := "kept"
	if d.Secret != nil {
		secret = "none"
		if !d.Secret.IsZero() {
			secret = MaskedSecret
		}
	}
	parts := []string{
		d.Name, d.TargetURL, secret, d.State.String(), d.Type, string(d.Properties), d.ErrorsEmail, string(d.ErrorAssociates),
		d.Description, fmt.Sprint(d.NotifyVia, d.NotifyWhen, len(d.Events), len(d.ErrorEmails)),
	}
	parts = append(parts, d.Events...)
	parts = append(parts, d.ErrorEmails...)
	for _, h := range d.Headers {
		value := h.Value.text
		if SecretHeader(h.Name) {
			value = MaskedSecret
		}
		parts = append(parts, h.Name, value)
	}
	return hexHash(parts...)
}
