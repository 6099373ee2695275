package webhook

import "context"

// Secrets stores the secret document of each webhook, in versions.
//
// A version is immutable: Read always returns the same document for a SecretRef,
// so callers may cache it by reference forever, and no attempt can be signed with a
// stale secret as long as the webhook item that names the version is fresh. The
// webhook item decides which version is in force, never the store's labels.
//
// A store may keep a document, encrypted, in the reference itself (SecretRef.Sealed).
// Such a store remembers nothing: it finds no name taken, the committed version of a
// Put is not looked at, and a reference can be read for as long as it is kept.
//
// Errors: ErrSecretUnavailable if a version cannot be read now, ErrSecretDamaged if it
// was changed, ErrNotFound if the secret or version no longer exists, ErrUnavailable if
// a write may or may not have taken place. Errors never contain a secret. All methods
// may be called concurrently.
type Secrets interface {
	// Name returns a new name for a secret of a webhook:
	// "<prefix>/<tenant>/<id>/<random>". It does no input or output. The name is
	// known before the secret exists, so that an intent can be put first.
	Name(tenant Tenant, id int32) (string, error)

	// Create creates the secret with its first version and returns a reference to
	// it. ErrExists if the name is taken.
	Create(ctx context.Context, name string, doc SecretDocument) (SecretRef, error)

	// Read returns the document of a version. A version is readable before Create
	// or Put returns, but perhaps not everywhere at the same time.
	Read(ctx context.Context, ref SecretRef) (SecretDocument, error)

	// Put adds a version and does not change the committed one, so a Put whose
	// webhook write is lost afterwards is harmless. Afterwards the label
	// AWSCURRENT is on the new version and AWSPREVIOUS on the committed one. If a
	// crashed Put left AWSCURRENT on another version, Put first moves it back to
	// the committed one. ErrNotFound if the secret does not exist, or is in a store
	// that is only read: the caller creates another one and deletes this one.
	Put(ctx context.Context, committed SecretRef, doc SecretDocument) (SecretRef, error)

	// Delete removes a secret with all of its versions. It may be repeated: a
	// secret that does not exist is not an error.
	Delete(ctx context.Context, name string) error
}
