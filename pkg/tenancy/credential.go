package tenancy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// CredentialKind is how a credential is presented. The same string under two
// kinds is two credentials.
type CredentialKind string

// The kinds.
const (
	KindBasic   CredentialKind = "basic"   // "user:password"
	KindTicket  CredentialKind = "ticket"  // a user's, sent as SOTicket
	KindBearer  CredentialKind = "bearer"  // one of our own opaque tokens
	KindApp     CredentialKind = "app"     // names an app, in addition to another credential
	KindSession CredentialKind = "session" // a browser's cookie
	KindIAM     CredentialKind = "iam"     // the ARN of a role
)

// KeyHash returns the key that a credential is found by: the SHA-256 of
// "<kind>:<credential>" in 64 lower-case hexadecimal digits. The credential itself
// is not stored.
func KeyHash(kind CredentialKind, credential webhook.Secret) string {
	sum := sha256.Sum256([]byte(string(kind) + ":" + credential.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Credential is the stored record of a credential: whose calls it authenticates,
// and until when. It holds no secret and never changes: to change a credential,
// revoke it and issue another.
type Credential struct {
	// ID names the credential to administrators. It is random and does not
	// authenticate calls. A session's starts with SessionPrefix, so sessions sort
	// after all other credentials.
	ID string
	// Hash is the credential's KeyHash.
	Hash      string
	Kind      CredentialKind
	Principal webhook.Principal
	// Tenants makes the credential a publisher's: each call acts for the tenant
	// that its address names, which must be listed here, and exist. The entries
	// are distinct names, or AnyTenant alone. A name means whichever tenant bears
	// it at the time of the call. Principal.Tenant only owns the credential: it
	// lists and revokes it, and is not listed unless named. Empty: the credential
	// acts for Principal.Tenant.
	Tenants []webhook.Tenant
	// Role is the ARN that a credential of kind iam was issued for, else empty.
	Role string
	// Within lists the hashes of the credentials that a session was started with:
	// it ends with any of them. Empty for all other kinds.
	Within  []string
	Created time.Time
	// ExpiresAt is when the credential expires. Zero: never.
	ExpiresAt time.Time
}

// Valid reports whether the credential has not expired.
func (c Credential) Valid(now time.Time) bool {
	return c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)
}

// Credentials stores credentials. A credential lasts until it is revoked or
// expires; deleting a tenant that its Tenants list does not affect it.
//
// All reads are consistent: once Revoke has returned, no call anywhere that starts
// later finds the credential.
type Credentials interface {
	// Create stores a credential. ErrExists if its Hash is taken, even by another
	// tenant, or its ID by its own tenant; ErrNotFound if its tenant does not
	// exist or is being deleted. Either error means nothing changed.
	Create(ctx context.Context, c Credential) error

	// Find returns the credential with a hash, of any tenant. ErrNotFound if
	// there is none.
	Find(ctx context.Context, hash string) (Credential, error)

	// List returns up to limit of the tenant's credentials whose ids sort after a
	// string, which need not be an id (empty: from the first), ordered by id. A
	// short list means there are no more.
	List(ctx context.Context, tenant webhook.Tenant, after string, limit int) ([]Credential, error)

	// Revoke removes a credential of the tenant. ErrNotFound if the tenant has no
	// credential with this id.
	Revoke(ctx context.Context, tenant webhook.Tenant, id string) error
}

// SessionPrefix is the prefix of sessions' ids. All other credentials' ids are
// GUIDs in lower case, which sort before it.
const SessionPrefix = "session-"
