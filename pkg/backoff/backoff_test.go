package backoff_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var (
	errPassing = errors.New("passing")
	errLasting = errors.New("lasting")

	passing = func(err error) bool { return errors.Is(err, errPassing) }
	policy  = backoff.Policy{Tries: 5, First: 10 * time.Millisecond, Most: 30 * time.Millisecond}
)

// failing returns the errors in turn, repeating the last, and counts calls.
func failing(calls *int, errs ...error) func() error {
	return func() error {
		*calls++
		return errs[min(*calls, len(errs))-1]
	}
}

func TestRetry_Ends(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tries int
		errs  []error
		calls int
		want  error
	}{
		"with the first success":           {5, []error{errPassing, errPassing, nil}, 3, nil},
		"with an error that again rejects": {5, []error{errPassing, errLasting}, 2, errLasting},
		"with the last try":                {5, []error{errPassing}, 5, errPassing},
		"after one try of a zero policy":   {0, []error{errPassing}, 1, errPassing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, calls := policy, 0
				p.Tries = tt.tries
				err := p.Retry(t.Context(), webhooktest.Random(1), passing, failing(&calls, tt.errs...))
				if !errors.Is(err, tt.want) || calls != tt.calls {
					t.Errorf("got %v after %d calls, want %v after %d", err, calls, tt.want, tt.calls)
				}
			})
		})
	}
}

func TestRetry_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Millisecond)
		defer cancel()
		began, calls := time.Now(), 0
		err := policy.Retry(ctx, webhooktest.Random(1), passing, failing(&calls, errPassing))
		if !errors.Is(err, errPassing) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the last error and the context's", err)
		}
		if calls != 2 || time.Since(began) != 12*time.Millisecond {
			t.Errorf("returned after %d calls and %s, want 2 and the context's 12ms", calls, time.Since(began))
		}
		calls = 0
		if err := policy.Retry(ctx, webhooktest.Random(1), passing, failing(&calls, errPassing)); calls != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("under a context that has ended: %d calls, %v", calls, err)
		}
	})
}

func TestRetry_WaitsAtRandom(t *testing.T) {
	t.Parallel()
	gaps := func(t *testing.T, seed uint64) (gaps []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			last := time.Now()
			_ = policy.Retry(t.Context(), webhooktest.Random(seed), passing, func() error {
				gaps = append(gaps, time.Since(last))
				last = time.Now()
				return errPassing
			})
		})
		return gaps[1:]
	}
	a, b := gaps(t, 1), gaps(t, 2)
	for i, most := range []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 30 * time.Millisecond} {
		if a[i] < most/2 || a[i] > most {
			t.Errorf("wait %d is %s, want %s to %s", i+1, a[i], most/2, most)
		}
	}
	if slices.Equal(a, b) {
		t.Error("two callers wait equally long")
	}
	if again := gaps(t, 1); !slices.Equal(a, again) {
		t.Errorf("the same randomness gives %v and %v", a, again)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	var none bytes.Reader // always fails: three quarters
	for name, tt := range map[string]struct {
		policy backoff.Policy
		n      int
		want   time.Duration
	}{
		"after the first try":       {backoff.Policy{First: 4 * time.Second, Most: time.Minute}, 1, 3 * time.Second},
		"doubles":                   {backoff.Policy{First: 4 * time.Second, Most: time.Minute}, 3, 12 * time.Second},
		"up to Most":                {backoff.Policy{First: 4 * time.Second, Most: time.Minute}, 50, 45 * time.Second},
		"up to Most from the first": {backoff.Policy{First: time.Hour, Most: time.Minute}, 1, 45 * time.Second},
		"without Most":              {backoff.Policy{First: 4 * time.Second}, 5, 48 * time.Second},
		"of a zero policy":          {backoff.Policy{}, 7, 0},
	} {
		if got := tt.policy.Wait(&none, tt.n); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	if got := (backoff.Policy{First: time.Second}).Wait(&none, 1000); got <= 0 {
		t.Errorf("after 1000 tries: got %s", got)
	}
}
