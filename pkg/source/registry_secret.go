package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// maxRotations is how many versions of a secret a day may bring: the secret
	// store keeps all versions of a day and has room for a hundred.
	maxRotations     = 20
	maxSecretOverlap = 7 * 24 * time.Hour
)

// statesSecret reports whether a draft states a secret in clear.
func statesSecret(secret *webhook.Secret) bool {
	return secret != nil && *secret != webhook.NewSecret(webhook.MaskedSecret)
}

// checkSecret adds what is wrong with the secret of a draft, and with its
// overlap.
func (r *Registry) checkSecret(f *webhook.Faults, s Source, secret *webhook.Secret, isNew bool) {
	const member = "Relay.Secret"
	if s.Relay == nil {
		return
	}
	switch {
	case secret != nil && secret.IsZero():
		f.Add(member, "must not be empty: a relay verifies every delivery")
	case statesSecret(secret):
		f.CheckSecret(member, *secret)
	case isNew && secret != nil:
		f.Add(member, "is %q, which keeps a stored secret, and a new source has none", webhook.MaskedSecret)
	case isNew:
		f.Add(member, "is required: the secret that the sender signs with")
	}
	if overlap := s.Relay.SecretOverlap; overlap != nil && (*overlap < 0 || *overlap > maxSecretOverlap) {
		f.Add("Relay.SecretOverlapSeconds", "must be from 0 to %.0f", maxSecretOverlap.Seconds())
	}
}

// rotate makes a relay name a version whose current secret is the one given. The
// stored one goes on verifying until the overlap ends.
func (r *Registry) rotate(ctx context.Context, s *Source, secret webhook.Secret) (pending, error) {
	old, err := webhook.ReadSecret(ctx, r.Secrets, s.Tenant, 0, s.Relay.Secret)
	if err != nil && !webhook.SecretLost(err) { // a lost one is replaced
		return pending{}, err
	}
	if err == nil && old.Current == secret {
		return pending{}, nil
	}
	overlap := webhook.DefaultSecretOverlap
	if s.Relay.SecretOverlap != nil {
		overlap = *s.Relay.SecretOverlap
	}
	doc := webhook.SecretDocument{Current: secret}
	if overlap > 0 && !old.Current.IsZero() {
		doc.Previous, doc.PreviousUntil = old.Current, s.Updated.Add(overlap)
	}
	return r.replaceSecret(ctx, s, doc)
}

// replaceSecret makes a relay name a version that holds doc. If its secret is
// gone, it creates another one.
func (r *Registry) replaceSecret(ctx context.Context, s *Source, doc webhook.SecretDocument) (pending, error) {
	relay := *s.Relay
	today := s.Updated.Format(time.DateOnly)
	if relay.RotationDay != today {
		relay.RotationDay, relay.Rotations = today, 0
	}
	if relay.Rotations >= maxRotations {
		midnight := s.Updated.Truncate(24 * time.Hour).Add(24 * time.Hour)
		return pending{}, &webhook.ThrottledError{
			Reason: fmt.Sprintf("the source's secret was changed %d times today, the most that is allowed", maxRotations),
			After:  midnight.Sub(s.Updated),
		}
	}
	relay.Rotations++
	s.Relay = &relay
	committed := relay.Secret
	dropped := committed.OwnSecret(s.Tenant, 0)
	if dropped != "" {
		ref, err := r.Secrets.Put(ctx, committed, doc)
		if err == nil {
			ref.Signed = true
			relay.Secret = ref
			return pending{}, nil
		}
		if !errors.Is(err, webhook.ErrNotFound) {
			return pending{}, err
		}
		if err := r.putIntent(ctx, *s, dropped, s.Updated); err != nil {
			return pending{}, err
		}
	}
	var err error
	relay.Secret, err = r.createSecret(ctx, *s, doc, s.Updated)
	return pending{created: relay.Secret.Name, dropped: dropped}, err
}

// createSecret creates the secret of a relay, leaving an intent first.
func (r *Registry) createSecret(ctx context.Context, s Source, doc webhook.SecretDocument, now time.Time) (webhook.SecretRef, error) {
	name, err := r.Secrets.Name(s.Tenant, 0)
	if err != nil {
		return webhook.SecretRef{}, err
	}
	if err := r.putIntent(ctx, s, name, now); err != nil {
		return webhook.SecretRef{}, err
	}
	ref, err := r.Secrets.Create(ctx, name, doc)
	ref.Signed = true
	return ref, err
}

func (r *Registry) putIntent(ctx context.Context, s Source, secret string, now time.Time) error {
	return r.Intents.PutIntent(ctx, webhook.Intent{Secret: secret, Tenant: s.Tenant, At: now})
}

// forgetIntent and dropSecret finish what is stored already. If they fail the
// intent stays, and the sweep does it later. at is when the caller put the
// intent.
func (r *Registry) forgetIntent(ctx context.Context, secret string, at time.Time) {
	if secret != "" {
		_ = r.Intents.RemoveIntent(ctx, webhook.Intent{Secret: secret, At: at})
	}
}

func (r *Registry) dropSecret(ctx context.Context, secret string, at time.Time) {
	if secret != "" && r.Secrets.Delete(ctx, secret) == nil {
		r.forgetIntent(ctx, secret, at)
	}
}

// secretGone returns the error for a secret that a source names and that is not
// there: webhook.ErrNotFound would say that of the source.
func secretGone(err error) error {
	if webhook.SecretLost(err) {
		return webhook.Invalid("The source's secret is lost: replace the source with a new Relay.Secret")
	}
	return err
}
