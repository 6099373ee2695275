package secrets

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

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
	v := &value{client: client, name: name, now: now}
	return v.get
}

type value struct {
	client Client
	name   string
	now    func() time.Time

	mu     sync.Mutex
	text   webhook.Secret
	read   time.Time     // zero: never
	flight chan struct{} // closed when the read in progress ends; nil: no read
	failed time.Time     // when a read failed, if none has succeeded since
	err    error         // why
}

func (v *value) get(ctx context.Context) (webhook.Secret, error) {
	for {
		v.mu.Lock()
		now := v.now()
		failing := v.err != nil && webhook.Elapsed(v.failed, now) < valueRetry
		switch {
		case v.known(now, valueLife), v.known(now, valueKept) && (failing || v.flight != nil):
			defer v.mu.Unlock()
			return v.text, nil
		case failing:
			defer v.mu.Unlock()
			return webhook.Secret{}, v.err
		}
		flight := v.flight
		if flight == nil {
			v.flight = make(chan struct{})
			v.mu.Unlock()
			return v.fly(ctx)
		}
		v.mu.Unlock()
		select {
		case <-flight: // if its caller gave up, the next one reads
		case <-ctx.Done():
			return webhook.Secret{}, wrap("read a secret", ctx.Err(), webhook.ErrSecretUnavailable)
		}
	}
}

// known reports whether the value was read within the given time. Callers hold
// the lock.
func (v *value) known(now time.Time, within time.Duration) bool {
	return !v.read.IsZero() && webhook.Elapsed(v.read, now) < within
}

// fly makes the read and stores its outcome. A read that its caller canceled
// says nothing about the secret. Waiting callers are released even if the
// client panics.
func (v *value) fly(ctx context.Context) (text webhook.Secret, err error) {
	began := v.now()
	err = webhook.ErrSecretUnavailable
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch {
		case err == nil:
			v.text, v.read, v.failed, v.err = text, began, time.Time{}, nil
		case ctx.Err() == nil:
			v.failed, v.err = v.now(), err
		}
		if err != nil && v.known(v.now(), valueKept) {
			text, err = v.text, nil
		}
		close(v.flight)
		v.flight = nil
	}()
	limited, cancel := context.WithTimeout(ctx, valueTimeout)
	defer cancel()
	out, err := v.client.GetSecretValue(limited, &secretsmanager.GetSecretValueInput{SecretId: &v.name})
	if err != nil {
		if err = readError("read a secret", err); !errors.Is(err, webhook.ErrNotFound) {
			return webhook.Secret{}, err
		}
		return webhook.Secret{}, nil
	}
	return webhook.NewSecret(aws.ToString(out.SecretString)), nil
}
