package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Claims keeps idempotency keys. [Events] does.
type Claims interface {
	// Remember claims a key, as Events.Remember does.
	Remember(ctx context.Context, tenant Tenant, key string, claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error)
}

// CreateOnce is Create under an idempotency key of the caller's: for 24 h the
// same key creates the same webhook, whose id is drawn with the claim, so that
// whoever dies between the two is finished by the next call. repeated says that
// the webhook was there already; it is then as it stands by now. One that was
// deleted meanwhile is created again.
//
// Errors: as for Create, and ErrIdempotencyKeyReused if the key was used for
// another draft. What is secret does not tell drafts apart.
func (r *Registry) CreateOnce(ctx context.Context, who Principal, key string, d Draft) (w Webhook, repeated bool, err error) {
	if len(key) > maxIdempotencyKey {
		return Webhook{}, false, Invalid("Idempotency-Key has %d characters, more than %d", len(key), maxIdempotencyKey)
	}
	doc, err := r.newDocument(d)
	if err != nil {
		return Webhook{}, false, err
	}
	if r.Claims == nil {
		return Webhook{}, false, fmt.Errorf("claim idempotency key: %w", ErrUnavailable)
	}
	id, err := r.Webhooks.NextID(ctx, who.Tenant)
	if err != nil {
		return Webhook{}, false, fmt.Errorf("create webhook: %w", err)
	}
	now := r.Now().UTC()
	claim := IdempotencyClaim{Webhook: id, Body: d.hash(), Expires: now.Add(idempotencyLife)}
	stands, err := r.Claims.Remember(ctx, who.Tenant, hexHash(who.App, "create", key), claim, now)
	if err != nil {
		return Webhook{}, false, fmt.Errorf("claim idempotency key: %w", err)
	}
	if stands.Body != claim.Body {
		return Webhook{}, false, fmt.Errorf("create webhook: %w", ErrIdempotencyKeyReused)
	}
	if stands.Webhook != id {
		w, err = r.Get(ctx, who, stands.Webhook)
		if !errors.Is(err, ErrNotFound) {
			return w, err == nil, err
		}
	}
	w, err = r.create(ctx, who, stands.Webhook, d, doc)
	if errors.Is(err, ErrExists) { // another call of the same key was faster
		w, err = r.Get(ctx, who, stands.Webhook)
		return w, err == nil, err
	}
	return w, false, err
}

// hash gives a hash of all that a draft states but its secrets: of those only
// whether they are stated.
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
