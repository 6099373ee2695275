package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/posthaste-dev/posthaste/pkg/refresh"
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
// and never in the background. One call fetches at a time; the others wait for it
// within their own contexts. Its methods may be called concurrently.
type issuer struct {
	url, audience string
	now           func() time.Time
	client        *http.Client
	keys          refresh.Value[*keys]
}

func newIssuer(url, audience string, transport http.RoundTripper, now func() time.Time) *issuer {
	i := &issuer{url: url, audience: audience, now: now, client: &http.Client{Transport: transport}}
	i.keys = refresh.Value[*keys]{
		Read: i.ask, Now: now, Elapsed: webhook.Elapsed,
		Life: keysLife, Kept: keysKept, Pause: failureHold, KeptPause: keysRetry,
		Panicked: errNoAnswer,
	}
	return i
}

// errNoAnswer says that the issuer did not answer.
var errNoAnswer = fmt.Errorf("ask the token issuer: %w", webhook.ErrUnavailable)

// usable returns keys that tokens may be checked with: those known, if they are
// not too old, or new ones. Errors: webhook.ErrUnavailable where the issuer does
// not answer, the context's own, and a text for the operator where the issuer's
// name is spelled in another way.
func (i *issuer) usable(ctx context.Context) (*keys, error) { return i.keys.Get(ctx) }

// newer returns keys other than those that a token does not fit. Errors: as for
// usable.
func (i *issuer) newer(ctx context.Context, than *keys) (*keys, error) {
	return i.keys.Newer(ctx, func(k *keys) bool { return k == than })
}

// ask fetches, and distinguishes a caller that gave up from an issuer that does not
// answer.
func (i *issuer) ask(ctx context.Context) (*keys, error) {
	k, err := i.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("ask the token issuer: %w", ctx.Err())
	}
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
		return nil, errNoAnswer
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
