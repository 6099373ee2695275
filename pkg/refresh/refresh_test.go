package refresh_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/refresh"
)

var (
	errDown     = errors.New("down")
	errPanicked = errors.New("panicked")
)

// source is what a Value is read from.
type source struct {
	mu    sync.Mutex
	value string
	err   error
	takes time.Duration
	panic bool
	reads int
}

func (s *source) set(value string, err error, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err, s.takes = value, err, takes
}

func (s *source) read(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	takes := s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	s.mu.Lock()
	if s.panic {
		panic("broken")
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.value, s.err
}

// bench runs a test on a fake clock, with a value that lives a minute, is kept
// an hour, and pauses 5 s without a kept value and 20 s with one.
func bench(t *testing.T, test func(t *testing.T, s *source, v *refresh.Value[string])) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		test(t, s, &refresh.Value[string]{
			Read: s.read, Now: time.Now, Elapsed: func(from, to time.Time) time.Duration { return to.Sub(from) },
			Life: time.Minute, Kept: time.Hour, Pause: 5 * time.Second, KeptPause: 20 * time.Second, Panicked: errPanicked,
		})
	})
}

// wants fails unless get returns value and err, and the source was read the
// given number of times since the start.
func wants(t *testing.T, s *source, get func(context.Context) (string, error), value string, err error, reads int) {
	t.Helper()
	got, gotErr := get(t.Context())
	if got != value || !errors.Is(gotErr, err) {
		t.Errorf("got %q, %v; want %q, %v", got, gotErr, value, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads != reads {
		t.Errorf("got %d reads, want %d", s.reads, reads)
	}
}

func TestValue_IsReadAgainAfterItsLife(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		s.set("a", nil, time.Second)
		wants(t, s, v.Get, "a", nil, 1)
		s.set("b", nil, 0)
		time.Sleep(59*time.Second - time.Nanosecond) // its life counts from the start of the read
		wants(t, s, v.Get, "a", nil, 1)
		time.Sleep(time.Nanosecond)
		wants(t, s, v.Get, "b", nil, 2)
	})
}

func TestValue_FailureIsHeldForThePause(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		s.set("", errDown, 0)
		wants(t, s, v.Get, "", errDown, 1)
		s.set("a", nil, 0)
		time.Sleep(5*time.Second - time.Nanosecond)
		wants(t, s, v.Get, "", errDown, 1)
		time.Sleep(time.Nanosecond)
		wants(t, s, v.Get, "a", nil, 2)
	})
}

func TestValue_IsKeptWhileReadsFail(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		s.set("a", nil, 0)
		wants(t, s, v.Get, "a", nil, 1)
		s.set("", errDown, 0)
		time.Sleep(time.Minute)
		wants(t, s, v.Get, "a", nil, 2)
		time.Sleep(20*time.Second - time.Nanosecond)
		wants(t, s, v.Get, "a", nil, 2)
		time.Sleep(time.Nanosecond)
		wants(t, s, v.Get, "a", nil, 3)
		time.Sleep(time.Hour)
		wants(t, s, v.Get, "", errDown, 4)
		time.Sleep(5 * time.Second) // the pause is that of a missing value again
		s.set("b", nil, 0)
		wants(t, s, v.Get, "b", nil, 5)
	})
}

func TestValue_NewerNeverReturnsTheStaleOne(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		newer := func(than string) func(context.Context) (string, error) {
			return func(ctx context.Context) (string, error) {
				return v.Newer(ctx, func(value string) bool { return value == than })
			}
		}
		s.set("a", nil, 0)
		wants(t, s, v.Get, "a", nil, 1)
		wants(t, s, newer("z"), "a", nil, 1)
		s.set("b", nil, 0)
		wants(t, s, newer("a"), "b", nil, 2)
		s.set("", errDown, 0)
		wants(t, s, newer("b"), "", errDown, 3)
		wants(t, s, newer("b"), "", errDown, 3)
		wants(t, s, v.Get, "b", nil, 3)
	})
}

func TestValue_CallsShareOneReadAndWaitWithinTheirOwnTime(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		s.set("a", nil, 10*time.Second)
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { wants(t, s, v.Get, "a", nil, 1) })
		}
		synctest.Wait()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := v.Get(hurried); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v, want the context's error after 1 s", err, time.Since(began))
		}
		calls.Wait()

		// While a call reads again the others use the kept value.
		time.Sleep(time.Minute)
		s.set("b", nil, 10*time.Second)
		calls.Go(func() { wants(t, s, v.Get, "b", nil, 2) })
		synctest.Wait()
		wants(t, s, v.Get, "a", nil, 2)
		calls.Wait()
	})
}

func TestValue_ACallerThatGivesUpLeavesTheReadToTheNext(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		s.set("a", nil, 10*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := v.Get(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
		synctest.Wait()
		calls.Go(func() { wants(t, s, v.Get, "a", nil, 2) })
		synctest.Wait()
		cancel()
		calls.Wait()
	})
}

func TestValue_APanicReleasesTheCallsThatWait(t *testing.T) {
	bench(t, func(t *testing.T, s *source, v *refresh.Value[string]) {
		s.set("a", nil, time.Second)
		s.panic = true
		var calls sync.WaitGroup
		calls.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach its caller")
				}
			}()
			_, _ = v.Get(t.Context())
		})
		synctest.Wait()
		calls.Go(func() { wants(t, s, v.Get, "", errPanicked, 1) })
		calls.Wait()
		s.panic = false
		time.Sleep(5 * time.Second)
		wants(t, s, v.Get, "a", nil, 2)
	})
}
