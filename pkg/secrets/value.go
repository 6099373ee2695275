package secrets

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/refresh"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// valueLife is how long a value is used before it is read again: a minute,
	// less the time of the read and of the new value's propagation.
	valueLife = 45 * time.Second
	// valueKept is how long a value is used while reads fail.
	valueKept = 15 * time.Minute
	// valueRetry is how long to wait after a failed read before the next.
	valueRetry = 5 * time.Second
	// valueTimeout bounds one read, including the SDK's retries.
	valueTimeout = 5 * time.Second
)

// Value returns a function that returns a secret's current string. The function
// reads the secret if the last read is 45 s old, never in the background and
// never concurrently, so the number of reads does not depend on the number of
// calls. While Secrets Manager is unavailable, it returns the last string for
// up to 15 minutes. It returns an empty Secret for a secret that is marked for
// deletion.
//
// Errors are webhook.ErrSecretUnavailable, which is returned for 5 s without
// another read, and the context's own. The function may be called concurrently;
// a call that waits for another's read ends with its context.
func Value(client Client, name string, now func() time.Time) func(ctx context.Context) (webhook.Secret, error) {
	v := &refresh.Value[webhook.Secret]{
		Read: func(ctx context.Context) (webhook.Secret, error) { return readValue(ctx, client, name) },
		Now:  now, Elapsed: webhook.Elapsed,
		Life: valueLife, Kept: valueKept, Pause: valueRetry, KeptPause: valueRetry,
		Panicked: webhook.ErrSecretUnavailable,
	}
	return func(ctx context.Context) (webhook.Secret, error) {
		text, err := v.Get(ctx)
		if err != nil && !errors.Is(err, webhook.ErrSecretUnavailable) { // the call waited for another's read
			err = wrap("read a secret", err, webhook.ErrSecretUnavailable)
		}
		return text, err
	}
}

func readValue(ctx context.Context, client Client, name string) (webhook.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, valueTimeout)
	defer cancel()
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		if err = readError("read a secret", err); !errors.Is(err, webhook.ErrNotFound) {
			return webhook.Secret{}, err
		}
		return webhook.Secret{}, nil
	}
	return webhook.NewSecret(aws.ToString(out.SecretString)), nil
}
