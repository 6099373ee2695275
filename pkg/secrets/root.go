package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/refresh"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// ringLife is how old a ring may be that seals: a new key is used within two
	// minutes.
	ringLife = time.Minute
	// ringKept is how long a ring seals while the root secret cannot be read. An older
	// key is as good as a newer one.
	ringKept = 24 * time.Hour
	// ringRetry is how long to wait after a read that failed, or that did not bring an
	// unknown key.
	ringRetry = 10 * time.Second
	// rootTimeout bounds one read, including the SDK's retries.
	rootTimeout = 5 * time.Second
	// labelNext is on the version that a rotation is about to make current.
	labelNext = "posthaste-next"
)

// Root has the ring of root keys that is in one secret of Secrets Manager. An
// environment reads it once, then again for a key that it does not know, at most every
// 10 s, and when it seals and the last read is a minute old. Use NewRoot to create
// one. Its methods may be called concurrently. It starts no goroutines.
type Root struct {
	client Client
	name   string
	now    func() time.Time
	random io.Reader
	value  *refresh.Value[rootVersion]
}

// rootVersion is a ring and the version of the secret that has it.
type rootVersion struct {
	ring seal.Ring
	id   string
	read time.Time
}

// NewRoot returns the root keys in the secret with this name or ARN.
func NewRoot(client Client, name string, now func() time.Time, random io.Reader) *Root {
	r := &Root{client: client, name: name, now: now, random: random}
	r.value = &refresh.Value[rootVersion]{
		Read: r.read, Now: now, Elapsed: webhook.Elapsed,
		Life: ringLife, Kept: ringKept, Pause: ringRetry, KeptPause: ringRetry,
		Panicked: webhook.ErrSecretUnavailable,
	}
	return r
}

// ForReading implements Rings. Errors: webhook.ErrSecretUnavailable, and the context's
// own.
func (r *Root) ForReading(ctx context.Context, keyID string) (seal.Ring, error) {
	v, err := r.value.Newer(ctx, func(v rootVersion) bool {
		return !v.ring.Has(keyID) && webhook.Elapsed(v.read, r.now()) >= ringRetry
	})
	return v.ring, waited(err, webhook.ErrSecretUnavailable)
}

// ForWriting implements Rings. Errors: webhook.ErrUnavailable, and the context's own.
func (r *Root) ForWriting(ctx context.Context) (seal.Ring, error) {
	v, err := r.value.Get(ctx)
	if errors.Is(err, webhook.ErrSecretUnavailable) {
		err = fmt.Errorf("%w: %s", webhook.ErrUnavailable, err.Error())
	}
	return v.ring, waited(err, webhook.ErrUnavailable)
}

// waited turns the end of a wait for another call's read into one of the contract's
// errors.
func waited(err, kind error) error {
	if err == nil || errors.Is(err, kind) {
		return err
	}
	return wrap("read the root secret", err, kind)
}

func (r *Root) read(ctx context.Context) (rootVersion, error) {
	ctx, cancel := context.WithTimeout(ctx, rootTimeout)
	defer cancel()
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &r.name})
	if err != nil {
		return rootVersion{}, wrap("read the root secret", err, webhook.ErrSecretUnavailable)
	}
	ring, err := seal.DecodeRing([]byte(aws.ToString(out.SecretString)))
	if err != nil {
		return rootVersion{}, fmt.Errorf("read the root secret: %w: %w", err, webhook.ErrSecretUnavailable)
	}
	return rootVersion{ring: ring, id: aws.ToString(out.VersionId), read: r.now()}, nil
}

// rotating is the retry policy for a rotation that another one overtook.
var rotating = backoff.Policy{Tries: 4, First: 100 * time.Millisecond, Most: time.Second}

// Rotate adds a root key and returns its id. It seals a minute later. A rotation at the
// same time adds its own key, and neither is lost.
//
// Errors: *webhook.ValidationError if there is no room for another key,
// webhook.ErrUnavailable: the key may or may not have been added.
func (r *Root) Rotate(ctx context.Context) (keyID string, err error) {
	overtaken := func(err error) bool { return errors.Is(err, errRotated) }
	err = rotating.Retry(ctx, r.random, overtaken, func() error {
		keyID, err = r.rotate(ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	return keyID, nil
}

var errRotated = fmt.Errorf("rotate the root secret: another rotation at the same time: %w", webhook.ErrUnavailable)

// rotate stores the next version without the label AWSCURRENT, and then moves that from
// the version it is based on. If the label is elsewhere by then, nothing changes.
func (r *Root) rotate(ctx context.Context) (string, error) {
	const doing = "rotate the root secret"
	current, err := r.read(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %s", webhook.ErrUnavailable, err.Error())
	}
	ring, keyID, err := current.ring.Add(r.now(), r.random)
	if errors.Is(err, seal.ErrFull) {
		return "", webhook.Invalid("The root secret has %d keys, the most it can have: remove keys that no secret and no backup needs", seal.MaxKeys)
	}
	if err != nil {
		return "", err
	}
	token, err := newVersion(r.random)
	if err != nil {
		return "", err
	}
	put, err := r.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &r.name, ClientRequestToken: &token, SecretString: aws.String(string(ring.Encode())), VersionStages: []string{labelNext},
	})
	if err != nil {
		return "", wrap(doing, err, webhook.ErrUnavailable)
	}
	_, err = r.client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &r.name, VersionStage: aws.String(labelCurrent), RemoveFromVersionId: &current.id, MoveToVersionId: put.VersionId,
	})
	var changed *types.InvalidParameterException
	var gone *types.ResourceNotFoundException // the other rotation took labelNext
	switch {
	case errors.As(err, &changed), errors.As(err, &gone):
		return "", errRotated
	case err != nil:
		return "", wrap(doing, err, webhook.ErrUnavailable)
	}
	return keyID, nil
}
