package webhook

import "time"

// Signer names one of the two secrets that a webhook has during a rotation,
// without revealing either.
type Signer string

// The signers.
const (
	SignerNone     Signer = "" // not set, or not known
	SignerCurrent  Signer = "current"
	SignerPrevious Signer = "previous"
)

// Preference is the secret to try first with a target. It applies to one version of
// the webhook's secret document, so that the next rotation starts with its new
// secret. The zero Preference means none.
type Preference struct {
	Version string // of SecretRef
	Signer  Signer
}

// For returns the signer to start with for a version of the document.
func (p Preference) For(ref SecretRef) Signer {
	if p.Version != ref.Version {
		return SignerNone
	}
	return p.Signer
}

// InOrder returns the secrets that may sign at now, starting with first. two is
// empty unless both are valid: a previous secret whose overlap has ended is never
// returned. Without a current secret both are empty.
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
