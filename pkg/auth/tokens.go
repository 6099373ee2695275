package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
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
// Keys are fetched again after five minutes; while the issuer does not answer
// they are used for an hour. Its methods may be called concurrently.
type Tokens struct {
	claims Claims
	issuer *issuer
}

// NewTokens gives the checker of an issuer's tokens. It does no input or output.
func NewTokens(url, audience string, claims Claims, transport http.RoundTripper, now func() time.Time) *Tokens {
	return &Tokens{claims: claims.withDefaults(), issuer: newIssuer(url, audience, transport, now)}
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
	token, err := t.verified(ctx, text)
	if err != nil {
		return webhook.Principal{}, time.Time{}, err
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return webhook.Principal{}, time.Time{}, webhook.ErrUnauthorized
	}
	who, err := t.claims.principal(claims)
	return who, token.Expiry, err
}

// verified checks a token's signature, issuer, audience and times. One that no
// key fits makes it look for newer keys, if those known are not quite new.
func (t *Tokens) verified(ctx context.Context, text string) (*oidc.IDToken, error) {
	k, err := t.issuer.usable(ctx)
	for newest := false; err == nil; newest = true {
		signature := &signatureCheck{keys: k.keys}
		token, verifyErr := oidc.NewVerifier(t.issuer.url, signature, &oidc.Config{
			ClientID: t.issuer.audience, SupportedSigningAlgs: k.algorithms, Now: t.issuer.now,
		}).Verify(ctx, text)
		switch {
		case verifyErr == nil:
			return token, nil
		case newest, !signature.unfit, webhook.Elapsed(k.at, t.issuer.now()) < keysHold:
			return nil, webhook.ErrUnauthorized
		}
		k, err = t.issuer.newer(ctx, k)
	}
	return nil, err
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
