package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// fetchTimeout bounds one fetch of the issuer's discovery document and keys.
	fetchTimeout = 5 * time.Second
	// failureHold is how long after a failed fetch calls fail at once, without
	// another fetch.
	failureHold = 5 * time.Second
	// keysHold is the least time between two fetches caused by tokens that no
	// key fits: callers cannot make the service fetch more often.
	keysHold = 10 * time.Second
	// keysLife is how long keys are used before they are fetched again, so that
	// a key the issuer has withdrawn stops being accepted.
	keysLife = 5 * time.Minute
	// keysKept is how long keys are used while the issuer does not respond;
	// keysRetry is the time between fetches meanwhile.
	keysKept  = time.Hour
	keysRetry = time.Minute
	maxKeys   = 1 << 20 // bytes of a response
)

// keys is the result of one fetch. It is immutable.
type keys struct {
	keys       []jose.JSONWebKey
	algorithms []string // the issuer's signing algorithms; empty: RS256
	at         time.Time
}

// issuer fetches the keys of an OpenID Connect issuer, when a call needs them
// and never in the background. One call fetches at a time, in its own goroutine
// and within its own context; the others wait for it within theirs. Its methods
// may be called concurrently.
type issuer struct {
	url, audience string
	now           func() time.Time
	client        *http.Client

	mu     sync.Mutex
	known  *keys         // nil until a fetch has succeeded
	flight chan struct{} // closed when the current fetch ends; nil: no fetch is running
	failed time.Time     // when the last fetch failed; zero after a success
	err    error         // the last fetch's error; nil after a success
}

// usable returns keys to verify tokens with: the known ones unless they are too
// old, else newly fetched ones.
func (i *issuer) usable(ctx context.Context) (*keys, error) {
	k, err := i.await(ctx, func(now time.Time) bool {
		switch {
		case i.known == nil:
			return false
		case webhook.Elapsed(i.known.at, now) < keysLife:
			return true
		}
		asked := i.flight != nil || i.err != nil && webhook.Elapsed(i.failed, now) < keysRetry
		return asked && webhook.Elapsed(i.known.at, now) < keysKept
	})
	if err == nil {
		return k, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known != nil && webhook.Elapsed(i.known.at, i.now()) < keysKept {
		return i.known, nil
	}
	return nil, err
}

// newer returns keys fetched after than, whose keys do not fit a token.
func (i *issuer) newer(ctx context.Context, than *keys) (*keys, error) {
	return i.await(ctx, func(time.Time) bool { return i.known != nil && i.known != than })
}

// await returns the known keys once enough, called under the lock, reports true,
// or the keys that it fetches. Errors: webhook.ErrUnavailable if the issuer does
// not respond, the context's own, and one for the operator if the issuer spells
// its own URL differently.
func (i *issuer) await(ctx context.Context, enough func(now time.Time) bool) (*keys, error) {
	for {
		i.mu.Lock()
		now := i.now()
		if enough(now) {
			defer i.mu.Unlock()
			return i.known, nil
		}
		if i.err != nil && webhook.Elapsed(i.failed, now) < failureHold {
			defer i.mu.Unlock()
			return nil, i.err
		}
		flight := i.flight
		if flight == nil {
			i.flight = make(chan struct{})
			i.mu.Unlock()
			return i.fly(ctx)
		}
		i.mu.Unlock()
		select {
		case <-flight: // if the fetching call was cancelled, the next one fetches
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the token issuer: %w", ctx.Err())
		}
	}
}

// fly fetches and stores the result. A cancelled caller is not recorded as a
// failure of the issuer.
func (i *issuer) fly(ctx context.Context) (k *keys, err error) {
	err = fmt.Errorf("ask the token issuer: %w", webhook.ErrUnavailable)
	defer func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case err == nil:
			i.known, i.failed, i.err = k, time.Time{}, nil
		case ctx.Err() != nil:
			err = fmt.Errorf("ask the token issuer: %w", ctx.Err())
		default:
			i.failed, i.err = i.now(), err
		}
		close(i.flight)
		i.flight = nil
	}()
	k, err = i.fetch(ctx)
	return k, err
}

// fetch reads the issuer's discovery document and keys. go-oidc would fetch keys
// in a goroutine that outlives the call.
func (i *issuer) fetch(ctx context.Context) (*keys, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	at := i.now()
	address := strings.TrimSuffix(i.url, "/") + "/.well-known/openid-configuration"
	discovery, err := i.get(ctx, address)
	var named struct {
		Issuer     string   `json:"issuer"`
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err == nil {
		err = json.Unmarshal(discovery, &named)
	}
	var keySet []byte
	if err == nil {
		keySet, err = i.get(ctx, named.Keys)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the token issuer: %w", webhook.ErrUnavailable)
	}
	if named.Issuer != i.url {
		return nil, fmt.Errorf("OIDC_ISSUER must be spelled as the issuer spells it: %q", named.Issuer)
	}
	parsed, err := parseKeys(keySet)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w", webhook.ErrUnavailable)
	}
	return &keys{parsed, supported(named.Algorithms), at}, nil
}

// get returns the body of the issuer's response at an address.
func (i *issuer) get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("address of the issuer: %w", err)
	}
	resp, err := i.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the issuer: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys+1))
	err = errors.Join(err, resp.Body.Close())
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the issuer's response: %w", err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the issuer responded %d", resp.StatusCode)
	case len(body) > maxKeys:
		return nil, errors.New("the issuer's response is too large")
	}
	return body, nil
}
