package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// FirstTenant is the tenant of the credential that a deployment begins with.
const FirstTenant webhook.Tenant = "Default"

// Kind is the way in which a credential is presented. One text under two kinds
// is two credentials.
type Kind string

// The kinds.
const (
	KindBasic Kind = "basic" // the text is "user:password"
)

// Credential is what is stored about a credential: whom it stands for, and
// until when. Its text is not kept.
type Credential struct {
	Principal webhook.Principal
	// ExpiresAt ends the credential. Zero: it does not expire.
	ExpiresAt time.Time
}

// Credentials looks credentials up.
type Credentials interface {
	// Credential returns what is stored under a KeyHash.
	// webhook.ErrNotFound if there is nothing. An expired credential may be
	// returned; the Authenticator looks at ExpiresAt. A credential that was
	// revoked before the call began is never returned.
	Credential(ctx context.Context, keyHash string) (Credential, error)
}

// KeyHash is the key that a credential is stored under: the SHA-256 of
// "<kind>:<credential>" in 64 lower-case hexadecimal digits.
func KeyHash(kind Kind, credential webhook.Secret) string {
	sum := sha256.Sum256([]byte(string(kind) + ":" + credential.Reveal()))
	return hex.EncodeToString(sum[:])
}
