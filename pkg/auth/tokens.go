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

// Claims names the claims that identify a token's caller. An empty name means
// the default, given here for each.
type Claims struct {
	Tenant string // "tenant"
	User   string // "sub"
	App    string // "client_id"
	Scopes string // "scope": an array of strings, or one string separated by spaces
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

// Tokens verifies JSON web tokens of one OpenID Connect issuer: signature,
// issuer, audience, times, and that all four claims are present. It fetches the
// issuer's discovery document and keys when a token needs them and never in the
// background. Keys are fetched again after five minutes; while the issuer does
// not respond, they are used for up to an hour. Its methods may be called
// concurrently.
type Tokens struct {
	claims Claims
	issuer *issuer
}

// NewTokens returns a verifier of an issuer's tokens. It performs no I/O.
func NewTokens(url, audience string, claims Claims, transport http.RoundTripper, now func() time.Time) *Tokens {
	return &Tokens{claims: claims.withDefaults(), issuer: newIssuer(url, audience, transport, now)}
}

// token returns the caller that an issuer's token identifies.
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

// verified checks a token's signature, issuer, audience and times. If no key matches
// the signature and the known keys are older than keysHold, it fetches newer ones.
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

// principal maps claims to a principal. It refuses a missing or malformed claim:
// a default would grant more than the issuer stated.
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

// maxClaim bounds, in bytes, the strings that are stored with what a caller creates.
const maxClaim = 200

// textClaim returns a claim that is a string; "" if it is anything else.
func textClaim(raw json.RawMessage) string {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil || len(text) > maxClaim ||
		!utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return ""
	}
	return text
}

// scopesClaim returns the scopes that a token grants; ok is false if the claim is
// neither an array of strings nor a string. It never grants administration, and
// ignores unknown scopes.
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
	for _, known := range []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeRead, webhook.ScopeEvents} {
		for _, name := range names {
			if name == string(known) {
				scopes = append(scopes, known)
				break
			}
		}
	}
	return scopes, true
}
