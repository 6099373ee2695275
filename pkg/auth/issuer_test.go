package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// hanging is a transport to an issuer that does not respond until respond is
// closed.
type hanging struct {
	issuer  *issuer
	asked   atomic.Int32
	respond chan struct{}
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	select {
	case <-h.respond:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	recorder := httptest.NewRecorder()
	h.issuer.Config.Handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// hung runs a test in a synctest bubble, with an issuer that hangs.
func hung(t *testing.T, run func(t *testing.T, b *bench, h *hanging)) {
	t.Helper()
	b, i := newBench(t), newIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		h := &hanging{issuer: i, respond: make(chan struct{})}
		b.Tokens = auth.NewTokens(i.URL, "posthaste", auth.Claims{}, h, time.Now)
		run(t, b, h)
	})
}

func TestIssuer_ConcurrentCallsShareOneFetch(t *testing.T) {
	t.Parallel()
	hung(t, func(t *testing.T, b *bench, h *hanging) {
		token := h.issuer.token(nil)
		unavailable := func(after time.Duration) {
			t.Helper()
			began := time.Now()
			_, err := b.Authenticate(request(token), "")
			if waited := time.Since(began); !errors.Is(err, webhook.ErrUnavailable) || waited != after {
				t.Errorf("got %v after %v, want ErrUnavailable after %v", err, waited, after)
			}
		}
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() { unavailable(5 * time.Second) })
		}
		calls.Wait()
		for range 4 {
			unavailable(0) // the failure is remembered
		}
		if n := h.asked.Load(); n != 1 {
			t.Errorf("the issuer was asked %d times, want once", n)
		}
		time.Sleep(5 * time.Second)
		unavailable(5 * time.Second)
		time.Sleep(5 * time.Second)
		close(h.respond)
		if _, err := b.Authenticate(request(token), ""); err != nil {
			t.Errorf("after recovery: %v", err)
		}
	})
}

func TestIssuer_AWaiterGivesUpWithItsOwnCall(t *testing.T) {
	t.Parallel()
	hung(t, func(t *testing.T, b *bench, h *hanging) {
		call := func(limit time.Duration, want error, after time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			_, err := b.Authenticate(request(h.issuer.token(nil)).WithContext(ctx), "")
			if waited := time.Since(began); !errors.Is(err, want) || waited != after {
				t.Errorf("a call with %v: got %v after %v, want %v after %v", limit, err, waited, want, after)
			}
		}
		var calls sync.WaitGroup
		// The first call fetches and times out after two seconds; then the last one fetches.
		calls.Go(func() { call(2*time.Second, context.DeadlineExceeded, 2*time.Second) })
		synctest.Wait()
		calls.Go(func() { call(time.Second, context.DeadlineExceeded, time.Second) })
		calls.Go(func() { call(time.Minute, nil, 4*time.Second) })
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if n := h.asked.Load(); n != 2 {
			t.Errorf("the issuer was asked %d times, want twice", n)
		}
		close(h.respond)
		calls.Wait()
	})
}

func TestIssuer_KnownKeysAreUsedWhileItHangs(t *testing.T) {
	t.Parallel()
	hung(t, func(t *testing.T, b *bench, h *hanging) {
		token := h.issuer.token(nil)
		accepted := func(after time.Duration) {
			t.Helper()
			began := time.Now()
			_, err := b.Authenticate(request(token), "")
			if waited := time.Since(began); err != nil || waited != after {
				t.Errorf("got %v after %v, want a success after %v", err, waited, after)
			}
		}
		close(h.respond)
		accepted(0)
		h.respond = make(chan struct{})
		time.Sleep(5 * time.Minute)
		var calls sync.WaitGroup
		calls.Go(func() { accepted(5 * time.Second) })
		synctest.Wait()
		calls.Go(func() { accepted(0) })
		calls.Wait()
		accepted(0)
		time.Sleep(55 * time.Minute)
		if _, err := b.Authenticate(request(token), ""); !errors.Is(err, webhook.ErrUnavailable) {
			t.Errorf("after an hour: got %v, want ErrUnavailable", err)
		}
	})
}

func TestTokens_IssuerDown(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	unavailable := func(name, token string) {
		t.Helper()
		if _, err := b.Authenticate(request(token), ""); !errors.Is(err, webhook.ErrUnavailable) {
			t.Errorf("%s: got error %v, want ErrUnavailable", name, err)
		}
	}
	i.down.Store(true)
	unavailable("it is down", i.token(nil))
	i.down.Store(false)
	unavailable("right after the outage", i.token(nil))
	b.clock.Advance(5 * time.Second)
	b.wants("after recovery", tokenUser(), i.token(nil))
	i.down.Store(true)
	b.wants("known keys are still used", tokenUser(), i.token(nil))
	b.clock.Advance(10 * time.Second)
	unavailable("an unknown key", i.signed(i.key, map[string]string{"alg": "RS256", "kid": "2"}, i.claims(nil)))
	b.wants("known keys are still used after it", tokenUser(), i.token(nil))
}

func TestTokens_UnparsableKeysAreAFailure(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	i.garbled.Store(true)
	for range 3 {
		if _, err := b.Authenticate(request(i.token(nil)), ""); !errors.Is(err, webhook.ErrUnavailable) {
			t.Errorf("got error %v, want ErrUnavailable", err)
		}
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times, want once", n)
	}
	i.garbled.Store(false)
	b.clock.Advance(5 * time.Second)
	b.wants("after recovery", tokenUser(), i.token(nil))
}

func TestTokens_WithdrawnKeyIsRefused(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	b.wants("before", tokenUser(), i.token(nil))
	i.withdrawn.Store(true)
	b.clock.Advance(5*time.Minute - time.Second)
	b.wants("within five minutes", tokenUser(), i.token(nil))
	b.clock.Advance(time.Second)
	b.refuses("after them", webhook.ErrUnauthorized, i.token(nil))
}
