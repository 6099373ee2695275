package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Save changes a webhook that the principal sees: edit takes the current webhook
// and returns the draft to save. If another save interferes, edit is called again
// with the newer webhook. An error of edit ends the save and is returned unchanged.
//
// Errors: ErrNotFound, *ValidationError, *ThrottledError (too many rotations of the
// secret; from then on every draft with a secret in clear is refused, whether it is
// the stored one or not), ErrConflict (too many racing saves), ErrUnavailable.
func (r *Registry) Save(ctx context.Context, who Principal, id int32, edit func(Webhook) (Draft, error), ownHosts ...string) (Webhook, error) {
	rules := r.Rules.Own(ownHosts...)
	return r.change(ctx, who, id, func(current, w Webhook) (change, error) {
		d, err := edit(current)
		if err != nil {
			return change{}, err
		}
		if err := d.validate(current, rules); err != nil {
			return change{}, err
		}
		guesses := d.statesSecrets()
		if guesses {
			if err := rotationsLeft(current, w.Updated); err != nil {
				return change{}, err
			}
		}
		c := change{webhook: d.webhook(w)}
		if c.webhook.State == StateActive && current.State != StateActive {
			c.webhook.Activation, c.webhook.ActivatedAt = current.Activation+1, w.Updated
		}
		if d.touchesSecrets(current) || r.pings(current, c.webhook) {
			old, gone, err := r.documentToChange(ctx, current, d)
			if err != nil {
				return change{}, fmt.Errorf("webhook %d: %w", id, err)
			}
			overlap := DefaultSecretOverlap
			if current.Options.SecretOverlap != nil {
				overlap = *current.Options.SecretOverlap
			}
			if c.doc, err = d.document(old, w.Updated.Add(overlap)); err != nil {
				return change{}, err
			}
			c.old, c.docChanged = old, gone || EncodeSecretDocument(c.doc) != EncodeSecretDocument(old)
		}
		return c, r.ping(ctx, current, c.webhook, c.doc, c.docChanged || guesses)
	})
}

// EndOverlap makes a webhook's previous secret stop signing immediately. Without a
// previous secret it does nothing. Errors: as for Save, and ErrSecretUnavailable.
func (r *Registry) EndOverlap(ctx context.Context, who Principal, id int32) error {
	_, err := r.change(ctx, who, id, func(current, w Webhook) (change, error) {
		if current.Secret.Name == "" {
			return change{none: true}, nil
		}
		doc, err := r.readToChange(ctx, current)
		err = secretGone(err)
		if err != nil || doc.previousAt(w.Updated).IsZero() {
			return change{none: true}, err
		}
		old := doc
		doc.Previous, doc.PreviousUntil = Secret{}, time.Time{}
		return change{webhook: w, old: old, doc: doc, docChanged: true}, nil
	})
	return err
}

// SetOptions changes the options of a webhook, as Save changes the rest: edit takes
// the current webhook and returns its new options. Errors: as for Save.
func (r *Registry) SetOptions(ctx context.Context, who Principal, id int32, edit func(Webhook) (Options, error)) (Webhook, error) {
	return r.change(ctx, who, id, func(current, w Webhook) (change, error) {
		options, err := edit(current)
		if err != nil {
			return change{}, err
		}
		w.Options = options
		if err := options.Validate(); err != nil || options.Format == current.Options.Format {
			return change{webhook: w}, err
		}
		var f Faults
		f.properties("Format", w.Properties, options.Format)
		return change{webhook: w}, f.Err()
	})
}

// change is a change of a webhook.
type change struct {
	webhook    Webhook
	old, doc   SecretDocument // before and after; count if docChanged
	docChanged bool
	none       bool // nothing to write
}

// change writes the change that decide returns for a webhook that the principal
// sees. decide takes the current webhook and the principal's next revision of it.
// If another writer interferes, decide is called again. Its error ends the change
// and is returned unchanged.
func (r *Registry) change(ctx context.Context, who Principal, id int32, decide func(current, next Webhook) (change, error)) (saved Webhook, err error) {
	err = r.retry(ctx, func() (wrote bool, err error) {
		current, err := r.Get(ctx, who, id)
		if err != nil {
			return false, err
		}
		next := current
		next.Updated, next.UpdatedBy, next.Revision = r.Now().UTC(), who.Associate, current.Revision+1
		c, err := decide(current, next)
		if err != nil || c.none {
			saved = current
			return errors.Is(err, errSecretMoved), err
		}
		saved, err = r.commit(ctx, who, current, c)
		return true, err
	})
	if err != nil {
		return Webhook{}, err
	}
	return saved, nil
}

// commit writes a change. ErrConflict if current is no longer the stored webhook.
func (r *Registry) commit(ctx context.Context, who Principal, current Webhook, c change) (Webhook, error) {
	w := c.webhook
	if c.docChanged {
		c.date(&w)
		if err := r.replaceSecret(ctx, &w, current.Secret, c.doc, w.Updated); err != nil {
			return Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, err)
		}
	}
	raised, err := r.stateEvent(current, w, w.Updated)
	if err != nil {
		return Webhook{}, err
	}
	by := r.by(who, ActionChanged, w.Updated)
	by.Members = c.changed(current)
	if err := r.Webhooks.Update(ctx, w, by, raised...); err != nil {
		return Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, err)
	}
	r.audit(ctx, actionChange, w.Tenant, w.ID, by.Members...)
	if r.Turned != nil && w.State != current.State {
		r.Turned(ctx, Key{w.Tenant, w.ID})
	}
	if current.Secret.Name != w.Secret.Name {
		r.forgetIntent(ctx, w.Secret.Name, w.Updated)
		r.dropSecret(ctx, current.Secret.OwnSecret(w.Tenant, w.ID), w.Updated)
	}
	return w, nil
}
