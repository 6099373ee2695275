package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// document applies the draft to the stored secret document. A replaced secret
// continues to sign until overlapEnd.
func (d Draft) document(old SecretDocument, overlapEnd time.Time) (SecretDocument, error) {
	var f Faults
	doc := SecretDocument{Current: old.Current, Previous: old.Previous, PreviousUntil: old.PreviousUntil}
	switch {
	case d.Secret == nil:
	case d.Secret.text == MaskedSecret:
		if old.Current.IsZero() {
			f.AddText("Secret", nothingMasked, "Secret", MaskedSecret)
		}
	case d.Secret.IsZero():
		doc.Current, doc.Previous, doc.PreviousUntil = Secret{}, Secret{}, time.Time{}
	case *d.Secret != old.Current:
		doc.Previous, doc.PreviousUntil = old.Current, overlapEnd
		if old.Current.IsZero() {
			doc.PreviousUntil = time.Time{}
		}
		doc.Current = *d.Secret
	}
	for _, h := range d.Headers {
		masked := h.Value.text == MaskedSecret
		stored, known := old.Header(h.Name)
		switch {
		case !SecretHeader(h.Name):
			if masked {
				f.AddText("Headers", nothingMasked, "Headers: the value of "+h.Name, MaskedSecret)
			}
			continue
		case masked && !known:
			f.AddText("Headers", nothingMasked, "Headers: the value of "+h.Name, MaskedSecret)
			continue
		case !masked:
			stored = h.Value
		}
		if doc.Headers == nil {
			doc.Headers = map[string]Secret{}
		}
		doc.Headers[h.Name] = stored
	}
	return doc, f.Err()
}

// validate reports everything that is wrong with the draft of the stored webhook w,
// zero for a new one: the faults of Validate, then masks without a stored secret,
// and masks that would send a stored header value to a new origin.
func (d Draft) validate(w Webhook, rules Rules) error {
	var f Faults
	var invalid *ValidationError
	if err := d.Validate(rules); errors.As(err, &invalid) {
		f = invalid.Faults
	}
	f.properties("Properties", d.Properties, w.Options.Format)
	if d.Secret != nil && d.Secret.text == MaskedSecret && !w.Secret.Signed {
		f.AddText("Secret", nothingMasked, "Secret", MaskedSecret)
	}
	moves := sync.OnceValue(func() bool { return d.moves(w, rules) })
	for _, h := range d.Headers {
		if h.Value.text != MaskedSecret {
			continue
		}
		stored, known := w.headerNamed(h.Name)
		switch name := Truncate(h.Name, 200); {
		case !known || !stored.Secret || !SecretHeader(h.Name):
			f.AddText("Headers", nothingMasked, "Headers: the value of "+name, MaskedSecret)
		case moves():
			f.AddText("Headers", maskMoved, name, MaskedSecret)
		}
	}
	return f.Err()
}

const nothingMasked = "%s must not be %q: there is no stored secret to keep"

// touchesSecrets reports whether the draft may change the secrets of the stored
// webhook. Other changes, such as a new name or a stop, do not need the secret
// store.
func (d Draft) touchesSecrets(w Webhook) bool {
	if d.Secret != nil && (d.Secret.text != MaskedSecret || !w.Secret.Signed) {
		return true
	}
	kept := 0
	for _, h := range d.Headers {
		stored, known := w.headerNamed(h.Name)
		masked := h.Value.text == MaskedSecret
		switch {
		case masked && known && stored.Secret:
			kept++
		case masked || SecretHeader(h.Name):
			return true
		}
	}
	for _, h := range w.Headers {
		if h.Secret {
			kept--
		}
	}
	return kept != 0
}

// createSecret creates the secret of a webhook that had none, after putting an
// intent.
func (r *Registry) createSecret(ctx context.Context, w Webhook, doc SecretDocument, now time.Time) (SecretRef, error) {
	name, err := r.Secrets.Name(w.Tenant, w.ID)
	if err != nil {
		return SecretRef{}, err
	}
	if err := r.putIntent(ctx, w, name, now); err != nil {
		return SecretRef{}, err
	}
	ref, err := r.Secrets.Create(ctx, name, doc)
	ref.Signed = !doc.Current.IsZero()
	return ref, err
}

// replaceSecret stores doc as a new version and makes w refer to it.
func (r *Registry) replaceSecret(ctx context.Context, w *Webhook, committed SecretRef, doc SecretDocument, now time.Time) error {
	name := committed.OwnSecret(w.Tenant, w.ID)
	if doc.isZero() {
		w.Secret = SecretRef{}
		if name == "" {
			return nil
		}
		return r.putIntent(ctx, *w, name, now)
	}
	if err := rotationsLeft(*w, now); err != nil {
		return err
	}
	if today := now.Format(time.DateOnly); w.RotationDay != today {
		w.RotationDay, w.Rotations = today, 0
	}
	w.Rotations++
	if name != "" {
		ref, err := r.Secrets.Put(ctx, committed, doc)
		if err == nil {
			ref.Signed = !doc.Current.IsZero()
			w.Secret = ref
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		// The secret no longer exists, or only in part, or its store is only read: the
		// sweep deletes the rest once no webhook refers to it.
		if err := r.putIntent(ctx, *w, name, now); err != nil {
			return err
		}
	}
	var err error
	w.Secret, err = r.createSecret(ctx, *w, doc, now)
	return err
}

func (r *Registry) putIntent(ctx context.Context, w Webhook, secret string, now time.Time) error {
	return r.Webhooks.PutIntent(ctx, Intent{Secret: secret, Tenant: w.Tenant, Webhook: w.ID, At: now})
}

// forgetIntent and dropSecret clean up after a commit. If they fail, the intent
// stays and the sweep cleans up later: the caller's work is done either way. at is
// when the caller put the intent.
func (r *Registry) forgetIntent(ctx context.Context, secret string, at time.Time) {
	if secret != "" {
		_ = r.Webhooks.RemoveIntent(ctx, Intent{Secret: secret, At: at})
	}
}

func (r *Registry) dropSecret(ctx context.Context, secret string, at time.Time) {
	if secret == "" {
		return
	}
	if r.Secrets.Delete(ctx, secret) == nil {
		r.forgetIntent(ctx, secret, at)
	}
}

// documentToChange reads the secret document of a webhook for a draft. gone says
// that it is lost: a draft that sets every secret again does not need it;
// for any other draft the error lists the secrets to set.
func (r *Registry) documentToChange(ctx context.Context, w Webhook, d Draft) (doc SecretDocument, gone bool, err error) {
	if w.Secret.Name == "" {
		return SecretDocument{}, false, nil
	}
	doc, err = r.readToChange(ctx, w)
	if !SecretLost(err) {
		return doc, false, err
	}
	var f Faults
	if w.Secret.Signed && (d.Secret == nil || d.Secret.text == MaskedSecret) {
		f.AddText("Secret", "Secret must be set again (\"\" for none): the stored secret is lost")
	}
	for _, h := range d.Headers {
		if SecretHeader(h.Name) && h.Value.text == MaskedSecret {
			f.AddText("Headers", "Headers: the value of %s must be set again: the stored value is lost", h.Name)
		}
	}
	return SecretDocument{}, true, f.Err()
}

// readToChange reads the secret document of a webhook that was read before.
// errSecretMoved if it is gone because the webhook has changed since.
func (r *Registry) readToChange(ctx context.Context, w Webhook) (SecretDocument, error) {
	doc, err := ReadSecret(ctx, r.Secrets, w.Tenant, w.ID, w.Secret)
	if SecretLost(err) {
		if stored, readErr := r.Webhooks.Get(ctx, w.Tenant, w.ID); readErr == nil && stored.Revision != w.Revision {
			return SecretDocument{}, errSecretMoved
		}
	}
	return doc, err
}

// errSecretMoved is an ErrConflict before anything was written.
var errSecretMoved = fmt.Errorf("its secret was moved: %w", ErrConflict)

// secretGone turns the absence of a secret that a webhook refers to into
// ErrSecretUnavailable.
func secretGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: deleted: %v", ErrSecretUnavailable, err) //nolint:errorlint // ErrNotFound must not show through
	}
	return err
}
