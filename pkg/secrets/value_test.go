package secrets_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// keeping is a Secrets Manager with one secret. It counts reads.
type keeping struct {
	secrets.Client
	mu    sync.Mutex
	text  string
	err   error
	hangs bool
	reads int
}

func (k *keeping) GetSecretValue(ctx context.Context, _ *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	if k.hangs {
		k.mu.Unlock()
		<-ctx.Done()
		k.mu.Lock()
		return nil, ctx.Err()
	}
	if k.err != nil {
		return nil, k.err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(k.text)}, nil
}

func (k *keeping) set(text string, err error, hangs bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text, k.err, k.hangs = text, err, hangs
}

// wants calls get many times, and fails unless that took the given number of
// reads.
func (k *keeping) wants(t *testing.T, name string, value func(context.Context) (webhook.Secret, error), want string, kind error, reads int) {
	t.Helper()
	before := k.reads
	for range 50 {
		got, err := value(t.Context())
		if !errors.Is(err, kind) || got.Reveal() != want {
			t.Fatalf("%s: got %q, %v; want %q, %v", name, got.Reveal(), err, want, kind)
		}
	}
	if n := k.reads - before; n != reads {
		t.Errorf("%s: %d reads for 50 calls, want %d", name, n, reads)
	}
}

func TestValue_AChangeHoldsWithinAMinute(t *testing.T) {
	t.Parallel()
	clock, k := webhooktest.NewClock(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)), &keeping{}
	value := secrets.Value(k, "name", clock.Now)
	k.set("old", nil, false)
	k.wants(t, "at first", value, "old", nil, 1)
	k.set("new", nil, false)
	clock.Advance(45*time.Second - time.Millisecond)
	k.wants(t, "before", value, "old", nil, 0)
	clock.Advance(time.Millisecond)
	k.wants(t, "after 45 s", value, "new", nil, 1)
	k.set("", &types.InvalidRequestException{}, false)
	clock.Advance(time.Minute)
	k.wants(t, "marked for deletion", value, "", nil, 1)
}

func TestValue_OutlivesAnOutageForAWhile(t *testing.T) {
	t.Parallel()
	clock, k := webhooktest.NewClock(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)), &keeping{}
	value := secrets.Value(k, "name", clock.Now)
	outage := errors.New("it holds the secret text")
	k.set("", outage, false)
	k.wants(t, "never read", value, "", webhook.ErrSecretUnavailable, 1)
	if _, err := value(t.Context()); err == nil || strings.Contains(err.Error(), "secret text") {
		t.Errorf("the error is %v", err)
	}
	clock.Advance(5 * time.Second)
	k.wants(t, "five seconds later", value, "", webhook.ErrSecretUnavailable, 1)
	k.set("old", nil, false)
	clock.Advance(5 * time.Second)
	k.wants(t, "back", value, "old", nil, 1)
	k.set("", outage, false)
	for at := time.Minute; at < 15*time.Minute; at += time.Minute {
		clock.Advance(time.Minute)
		k.wants(t, at.String(), value, "old", nil, 1)
	}
	clock.Advance(time.Minute)
	k.wants(t, "15 minutes later", value, "", webhook.ErrSecretUnavailable, 1)
	k.set("new", nil, false)
	clock.Advance(5 * time.Second)
	k.wants(t, "back again", value, "new", nil, 1)
}

// The monotonic clock stops while an environment is frozen.
func TestValue_AgesWhileTheEnvironmentIsFrozen(t *testing.T) {
	t.Parallel()
	now, k := time.Now(), &keeping{}
	value := secrets.Value(k, "name", func() time.Time { return now })
	k.set("old", nil, false)
	k.wants(t, "before", value, "old", nil, 1)
	k.set("new", nil, false)
	now = webhooktest.Thawed(now.Add(time.Hour), time.Hour)
	k.wants(t, "after an hour frozen", value, "new", nil, 1)
}

func TestValue_CallsWaitTogetherAndWithinTheirOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &keeping{}
		value := secrets.Value(k, "name", time.Now)
		call := func(limit time.Duration, want string, kind error, after time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			got, err := value(ctx)
			if waited := time.Since(began); !errors.Is(err, kind) || got.Reveal() != want || waited != after {
				t.Errorf("got %q, %v after %v; want %q, %v after %v", got.Reveal(), err, waited, want, kind, after)
			}
		}
		k.set("", nil, true)
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() { call(time.Minute, "", webhook.ErrSecretUnavailable, 5*time.Second) })
		}
		synctest.Wait()
		calls.Go(func() { call(time.Second, "", context.DeadlineExceeded, time.Second) })
		calls.Wait()
		call(time.Minute, "", webhook.ErrSecretUnavailable, 0)
		if k.reads != 1 {
			t.Errorf("%d reads, want one", k.reads)
		}

		k.set("text", nil, false)
		time.Sleep(5 * time.Second)
		call(time.Minute, "text", nil, 0)
		k.set("", nil, true)
		time.Sleep(time.Minute)
		calls.Go(func() { call(time.Minute, "text", nil, 5*time.Second) })
		synctest.Wait()
		call(time.Minute, "text", nil, 0) // while the read hangs
		calls.Wait()

		// A caller that gives up leaves the read to the next.
		k.set("", nil, true)
		time.Sleep(time.Hour)
		calls.Go(func() { call(time.Second, "", context.DeadlineExceeded, time.Second) })
		synctest.Wait()
		calls.Go(func() { call(time.Minute, "text", nil, time.Second) })
		synctest.Wait()
		k.set("text", nil, false)
		calls.Wait()
	})
}
