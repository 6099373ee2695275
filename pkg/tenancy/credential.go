package tenancy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// CredentialKind is the way in which a credential is presented. One text under
// two kinds is two credentials.
type CredentialKind string

// The kinds.
const (
	KindBasic   CredentialKind = "basic"   // the text is "user:password"
	KindTicket  CredentialKind = "ticket"  // of a user, sent as SOTicket
	KindBearer  CredentialKind = "bearer"  // an opaque token of ours
	KindApp     CredentialKind = "app"     // names an app beside another credential
	KindSession CredentialKind = "session" // a browser's cookie
	KindIAM     CredentialKind = "iam"     // the text is the ARN of a role
)

// KeyHash is what a credential is found by: the SHA-256 of
// "<kind>:<credential>" in 64 lower-case hexadecimal digits. The text itself is
// kept nowhere.
func KeyHash(kind CredentialKind, credential webhook.Secret) string {
	sum := sha256.Sum256([]byte(string(kind) + ":" + credential.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Credential is what is stored about a credential: whom it stands for, and
// until when. It holds no secret, and never changes: to change one, revoke it
// and make another.
type Credential struct {
	// ID names the credential to administrators. It is random and of no use to
	// anybody who wants to call. A session's begins with SessionPrefix, so that
	// in the order of ids sessions come after all others.
	ID string
	// Hash is its KeyHash.
	Hash      string
	Kind      CredentialKind
	Principal webhook.Principal
	// Role is the ARN that a credential of kind iam was made for, else empty.
	Role string
	// Within lists the hashes of the credentials that a session was begun with:
	// it ends with any of them. Empty for all other kinds.
	Within  []string
	Created time.Time
	// ExpiresAt ends the credential. Zero: it does not expire.
	ExpiresAt time.Time
}

// Valid reports whether the credential has not expired.
func (c Credential) Valid(now time.Time) bool {
	return c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)
}

// Credentials stores credentials.
//
// All reads are consistent: what Revoke took away is found by no call that
// begins after Revoke has returned, from anywhere.
type Credentials interface {
	// Create stores a credential. ErrExists if its Hash is taken, also by
	// another tenant, or its ID by its own; ErrNotFound if its tenant is not
	// there or is being deleted. In both cases nothing changed.
	Create(ctx context.Context, c Credential) error

	// Find returns the credential of a hash, whoever's it is.
	Find(ctx context.Context, hash string) (Credential, error)

	// List returns up to limit credentials of the tenant whose ids come after a
	// string, which need not be an id (empty: from the first on), in the order of
	// their ids. A short list means there are no more.
	List(ctx context.Context, tenant webhook.Tenant, after string, limit int) ([]Credential, error)

	// Revoke removes a credential of the tenant. ErrNotFound if it has none of
	// this id.
	Revoke(ctx context.Context, tenant webhook.Tenant, id string) error
}

// SessionPrefix is what the ids of sessions begin with. All other credentials'
// ids are GUIDs in lower case, which sort before it.
const SessionPrefix = "session-"
