package webhook

import "context"

// Secrets keeps the secret document of each webhook, in versions.
//
// A version is immutable: what Read returned for a SecretRef holds for ever, so
// callers cache by reference without limit of time, and no attempt can be
// signed with a stale secret as long as the webhook item that names the version
// is fresh. Which version counts is the webhook item's say, never the store's
// labels.
//
// Errors: ErrSecretUnavailable where a version cannot be read now, ErrNotFound
// where the secret or version is gone for good, ErrUnavailable where a write
// may or may not have taken place. No error holds secret text. All methods may
// be called concurrently.
type Secrets interface {
	// Name draws the name that a new secret of a webhook will have:
	// "<prefix>/<tenant>/<id>/<random>". It does no input or output. The name
	// is known before the secret exists so that an intent can be left first.
	Name(tenant Tenant, id int32) (string, error)

	// Create makes the secret with its first version and returns the reference
	// to it. ErrExists if the name is taken.
	Create(ctx context.Context, name string, doc SecretDocument) (SecretRef, error)

	// Read returns one version's document. A version becomes readable before
	// Create or Put returns, but perhaps not from everywhere at once.
	Read(ctx context.Context, ref SecretRef) (SecretDocument, error)

	// Put adds a version beside the committed one, which it moves the label
	// AWSCURRENT back to first if a crashed Put left that elsewhere. After it
	// the label is on the new version and AWSPREVIOUS on the committed one.
	// Nothing about the committed version changes, so a Put whose webhook
	// write is lost afterwards is harmless. ErrNotFound if the secret is gone.
	Put(ctx context.Context, committed SecretRef, doc SecretDocument) (SecretRef, error)

	// Delete forgets a secret with all its versions. Deleting one that does
	// not exist is fine.
	Delete(ctx context.Context, name string) error
}
