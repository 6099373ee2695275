package webhook

import "time"

// Signer names one of the two secrets that a webhook has while its secret is
// being rotated. It says nothing of their texts.
type Signer string

// The signers.
const (
	SignerNone     Signer = "" // not stated, or not known
	SignerCurrent  Signer = "current"
	SignerPrevious Signer = "previous"
)

// Preference is the secret that a target is to be tried with first. It counts
// for one version of the webhook's secret document, so that the next rotation
// starts with its new secret again. The zero Preference is none.
type Preference struct {
	Version string // of SecretRef
	Signer  Signer
}

// For returns the signer to start with under a version of the document.
func (p Preference) For(ref SecretRef) Signer {
	if p.Version != ref.Version {
		return SignerNone
	}
	return p.Signer
}

// InOrder returns the secrets that may sign at now, beginning with the one that
// is named. The second is empty unless both are valid: a previous secret whose
// overlap has ended is never returned. Without a current secret both are empty.
func (d SecretDocument) InOrder(first Signer, now time.Time) (one, two Secret) {
	if d.Current.IsZero() {
		return Secret{}, Secret{}
	}
	previous := d.previousAt(now)
	if first == SignerPrevious && !previous.IsZero() {
		return previous, d.Current
	}
	return d.Current, previous
}
