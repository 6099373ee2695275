package webhook

import (
	"fmt"
	"time"
)

// statesSecrets reports whether the draft contains a secret in clear. Such a secret
// may be a guess at the stored one, so nothing that happens before it is stored may
// depend on whether they are equal: not the limit of rotations and not the ping,
// whose failure stores nothing. So every guess costs a rotation and replaces the
// webhook's secret.
func (d Draft) statesSecrets() bool {
	if d.Secret != nil && d.Secret.text != MaskedSecret && !d.Secret.IsZero() {
		return true
	}
	for _, h := range d.Headers {
		if h.Value.text != MaskedSecret && SecretHeader(h.Name) {
			return true
		}
	}
	return false
}

// rotationsLeft returns a *ThrottledError if the webhook's secrets have reached
// their limit of changes on the day of now.
func rotationsLeft(w Webhook, now time.Time) error {
	if w.RotationDay != now.Format(time.DateOnly) || w.Rotations < maxRotations {
		return nil
	}
	midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	return &ThrottledError{
		Reason: fmt.Sprintf("the webhook's secrets have changed %d times today, the daily limit", maxRotations),
		After:  midnight.Sub(now),
	}
}

// date sets when the secrets of the changed webhook were set, if the change sets
// another signing secret or ends the overlap with the previous one.
func (c change) date(w *Webhook) {
	switch {
	case c.old.Current != c.doc.Current:
		w.PreviousSince, w.SecretSince = w.SecretSince, w.Updated
	case c.old.Previous != c.doc.Previous:
	default:
		return
	}
	if c.doc.Previous.IsZero() {
		w.PreviousSince = time.Time{}
	}
	if c.doc.Current.IsZero() {
		w.SecretSince = time.Time{}
	}
}
