package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Claims names the claims of a token that say whom it stands for. An empty name
// is the default.
type Claims struct {
	Tenant string // "tenant"
	User   string // "sub"
	App    string // "client_id"
	Scopes string // "scope": a list, or one text with spaces between
}

func (c Claims) withDefaults() Claims {
	for _, d := range []struct {
		name      *string
		byDefault string
	}{{&c.Tenant, "tenant"}, {&c.User, "sub"}, {&c.App, "client_id"}, {&c.Scopes, "scope"}} {
		if *d.name == "" {
			*d.name = d.byDefault
		}
	}
	return c
}

// Tokens checks JSON web tokens of one OpenID Connect issuer: signature, issuer,
// audience, times, and that all four claims are there. It asks the issuer for
// its addresses and keys when a token needs them and never in the background.
// Its methods may be called concurrently.
type Tokens struct {
	issuer, audience string
	claims           Claims
	now              func() time.Time
	client           *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the issuer has been asked
}

const (
	fetchTimeout = 5 * time.Second
	// keysHold is how long an issuer's answer is used again though a token does
	// not fit it: nobody makes the service ask more often.
	keysHold = 10 * time.Second
	maxKeys  = 1 << 20 // bytes of an issuer's answer
)

// NewTokens gives the checker of an issuer's tokens. It does no input or output.
func NewTokens(issuer, audience string, claims Claims, transport http.RoundTripper, now func() time.Time) *Tokens {
	return &Tokens{
		issuer: issuer, audience: audience, claims: claims.withDefaults(), now: now,
		client: &http.Client{Timeout: fetchTimeout, Transport: &holding{base: transport, now: now, held: map[string]heldAnswer{}}},
	}
}

// token finds out whom an issuer's token stands for.
func (a *Authenticator) token(ctx context.Context, text string) (login, error) {
	who, expiresAt, err := a.Tokens.principal(ctx, text)
	if err == nil {
		err = a.open(ctx, who.Tenant)
	}
	if err != nil {
		return login{}, err
	}
	return login{Principal: who, expiresAt: expiresAt}, nil
}

func (t *Tokens) principal(ctx context.Context, text string) (webhook.Principal, time.Time, error) {
	// A call that is given up must not leave a fetch running behind it.
	ctx = context.WithoutCancel(ctx)
	verifier, err := t.ask(ctx)
	if err != nil {
		return webhook.Principal{}, time.Time{}, err
	}
	token, err := verifier.Verify(ctx, text)
	switch {
	case err == nil:
	case strings.HasPrefix(err.Error(), "failed to verify signature: fetching keys"):
		return webhook.Principal{}, time.Time{}, fmt.Errorf("read the issuer's keys: %w", webhook.ErrUnavailable)
	default:
		return webhook.Principal{}, time.Time{}, webhook.ErrUnauthorized
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return webhook.Principal{}, time.Time{}, webhook.ErrUnauthorized
	}
	who, err := t.claims.principal(claims)
	return who, token.Expiry, err
}

// ask reads the issuer's addresses, once it has answered never again.
func (t *Tokens) ask(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verifier != nil {
		return t.verifier, nil
	}
	ctx = oidc.ClientContext(ctx, t.client)
	provider, err := oidc.NewProvider(ctx, t.issuer)
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &mismatch):
		return nil, fmt.Errorf("OIDC_ISSUER is spelt otherwise by the issuer itself: %q", mismatch.Discovered)
	case err != nil:
		return nil, fmt.Errorf("ask the issuer of tokens: %w", webhook.ErrUnavailable)
	}
	t.verifier = provider.VerifierContext(ctx, &oidc.Config{ClientID: t.audience, Now: t.now})
	return t.verifier, nil
}

// principal maps claims. One that is missing, or not of the expected form, is
// refused: what stood in its place would be more than the issuer said.
func (c Claims) principal(claims map[string]json.RawMessage) (webhook.Principal, error) {
	tenant, user, app := textClaim(claims[c.Tenant]), textClaim(claims[c.User]), textClaim(claims[c.App])
	scopes, ok := scopesClaim(claims[c.Scopes])
	if !webhook.Tenant(tenant).Valid() || user == "" || app == "" || !ok {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	return webhook.Principal{
		Tenant:    webhook.Tenant(tenant),
		Associate: webhook.Associate{Name: user, FullName: user, UserName: user, Type: "InternalAssociate"},
		App:       app, Scopes: scopes,
	}, nil
}

// maxClaim bounds the texts that are stored with what a caller makes.
const maxClaim = 200

// textClaim reads a claim that is a text; "" if it is anything else.
func textClaim(raw json.RawMessage) string {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil || len(text) > maxClaim ||
		!utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return ""
	}
	return text
}

// scopesClaim reads the scopes that a token may grant. It never grants
// administration; what it does not know is left out.
func scopesClaim(raw json.RawMessage) ([]webhook.Scope, bool) {
	var one string
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil || names == nil {
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, false
		}
		names = strings.Fields(one)
	}
	scopes := []webhook.Scope{}
	for _, known := range []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents} {
		for _, name := range names {
			if name == string(known) {
				scopes = append(scopes, known)
				break
			}
		}
	}
	return scopes, true
}

// holding is a transport that answers from what it got last, for a while.
type holding struct {
	base http.RoundTripper
	now  func() time.Time
	mu   sync.Mutex
	held map[string]heldAnswer
}

type heldAnswer struct {
	body []byte
	at   time.Time
}

// RoundTrip implements http.RoundTripper for the GET requests of a few
// addresses. Answers that are no success are not held.
func (h *holding) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	h.mu.Lock()
	last, ok := h.held[address]
	h.mu.Unlock()
	now := h.now()
	if ok && webhook.Elapsed(last.at, now) < keysHold {
		return &http.Response{
			Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header:        http.Header{"Content-Type": {"application/json"}},
			ContentLength: int64(len(last.body)), Body: io.NopCloser(bytes.NewReader(last.body)),
		}, nil
	}
	answer, err := h.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxKeys+1))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if len(body) > maxKeys {
		return nil, errors.New("the issuer's answer is too large")
	}
	if answer.StatusCode == http.StatusOK {
		h.mu.Lock()
		h.held[address] = heldAnswer{body, now}
		h.mu.Unlock()
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}
