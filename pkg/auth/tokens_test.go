package auth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// issuer is an OpenID Connect issuer.
type issuer struct {
	*httptest.Server
	t       *testing.T
	key     *rsa.PrivateKey
	fetched atomic.Int32 // how often the keys were asked for
	down    atomic.Bool
	// withdrawn removes the signing key from the key set, garbled makes the set
	// unparsable.
	withdrawn, garbled atomic.Bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256"}})
		case "/keys":
			i.fetched.Add(1)
			if i.withdrawn.Load() {
				_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{}})
				return
			}
			if i.garbled.Load() {
				_, _ = io.WriteString(w, `{"keys":[{"kty":5}]}`)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
				"kty": "EC", "kid": "1", "alg": "ES256K", "crv": "secp256k1", "x": "AQ", "y": "AQ", // not supported, like the next
			}, map[string]string{"kty": "OKP", "kid": "1", "crv": "X448", "x": "AQ"}, map[string]string{
				"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
			}}})
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claims returns the claims of a valid token, with changes; nil removes a claim.
func (i *issuer) claims(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.URL, "aud": []string{"other", "posthaste"}, "exp": start.Add(time.Hour).Unix(), "iat": start.Unix(),
		"tenant": "Cust12345", "sub": "anna", "client_id": "app", "scope": "openid webhooks events admin",
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// signed returns a token as an Authorization header.
func (i *issuer) signed(key *rsa.PrivateKey, header map[string]string, claims map[string]any) string {
	i.t.Helper()
	var parts []string
	for _, part := range []any{header, claims} {
		encoded, err := json.Marshal(part)
		if err != nil {
			i.t.Fatal(err)
		}
		parts = append(parts, b64(encoded))
	}
	text := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		i.t.Fatal(err)
	}
	switch header["alg"] {
	case "none":
		signature = nil
	case "HS256": // with the public key as the secret
		mac := hmac.New(sha256.New, i.key.N.Bytes())
		mac.Write([]byte(text))
		signature = mac.Sum(nil)
	}
	return "Authorization: Bearer " + text + "." + b64(signature)
}

func (i *issuer) token(changes map[string]any) string {
	return i.signed(i.key, map[string]string{"alg": "RS256", "kid": "1"}, i.claims(changes))
}

func withIssuer(t *testing.T, claims auth.Claims) (*bench, *issuer) {
	t.Helper()
	b, i := newBench(t), newIssuer(t)
	b.Tokens = auth.NewTokens(i.URL, "posthaste", claims, &http.Transport{}, b.clock.Now)
	return b, i
}

// tokenUser returns the principal of a token with issuer.claims.
func tokenUser() webhook.Principal {
	return webhook.Principal{
		Tenant:    "Cust12345",
		Associate: webhook.Associate{Name: "anna", FullName: "anna", UserName: "anna", Type: "InternalAssociate"},
		App:       "app", Scopes: []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
	}
}

func TestTokens_Accepted(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	b.issue(tenancy.KindBearer, "8A:Cust12345.abc", anna(""))
	b.wants("a token", tokenUser(), i.token(nil))
	b.wants("scopes as a list", tokenUser(), i.token(map[string]any{"scope": []string{"events", "webhooks"}}))
	b.wants("one of our own tokens", anna(""), "Authorization: Bearer 8A:Cust12345.abc")
	none := tokenUser()
	none.Scopes = []webhook.Scope{}
	b.wants("an unknown scope and admin grant nothing", none, i.token(map[string]any{"scope": "admin profile"}))
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times, want once", n)
	}
}

func TestTokens_ClaimNamesAreConfigurable(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{Tenant: "https://example.com/tenant", User: "name", App: "azp", Scopes: "roles"})
	b.wants("mapped", tokenUser(), i.token(map[string]any{
		"https://example.com/tenant": "Cust12345", "name": "anna", "azp": "app", "roles": []string{"webhooks", "events"},
		"tenant": "Default", "sub": "x", "client_id": "y", "scope": "",
	}))
	b.refuses("under the default names", webhook.ErrUnauthorized, i.token(nil))
}

func TestTokens_Refused(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string]map[string]any{
		"expired":                 {"exp": start.Add(-time.Second).Unix()},
		"without an expiry":       {"exp": nil},
		"not valid yet":           {"nbf": start.Add(time.Hour).Unix()},
		"of another issuer":       {"iss": "https://example.com"},
		"for another audience":    {"aud": "other"},
		"without an audience":     {"aud": nil},
		"without a tenant":        {"tenant": nil},
		"of an unknown tenant":    {"tenant": "Cust99999"},
		"an invalid tenant name":  {"tenant": "a/b"},
		"a tenant that is a list": {"tenant": []string{"Cust12345"}},
		"without a user":          {"sub": nil},
		"a user that is a number": {"sub": 7},
		"a user of two lines":     {"sub": "a\nb"},
		"without an app":          {"client_id": nil},
		"with an empty app":       {"client_id": ""},
		"without scopes":          {"scope": nil},
		"scopes that are a map":   {"scope": map[string]any{"webhooks": true}},
	} {
		b.refuses(name, webhook.ErrUnauthorized, i.token(changes))
	}
	for name, header := range map[string]map[string]string{
		"unsigned": {"alg": "none"}, "signed with the public key as a secret": {"alg": "HS256", "kid": "1"},
	} {
		b.refuses(name, webhook.ErrUnauthorized, i.signed(i.key, header, i.claims(nil)))
	}
	b.refuses("signed by a stranger", webhook.ErrUnauthorized, i.signed(stranger, map[string]string{"alg": "RS256", "kid": "1"}, i.claims(nil)))
	b.refuses("truncated", webhook.ErrUnauthorized, i.token(nil)[:200])
	b.refuses("not a token", webhook.ErrUnauthorized, "Authorization: Bearer a.b.c")
}

func TestTokens_UnknownKeysCauseFewFetches(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	for _, kid := range []string{"2", "3", "4", "5"} {
		b.refuses("key "+kid, webhook.ErrUnauthorized, i.signed(i.key, map[string]string{"alg": "RS256", "kid": kid}, i.claims(map[string]any{"aud": "x"})))
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times, want once", n)
	}
	b.clock.Advance(10 * time.Second)
	b.refuses("later", webhook.ErrUnauthorized, i.signed(i.key, map[string]string{"alg": "RS256", "kid": "6"}, i.claims(nil)))
	if n := i.fetched.Load(); n != 2 {
		t.Errorf("the keys were fetched %d times, want twice", n)
	}
}

func TestTokens_ATenantBeingDeletedAcceptsNothing(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	b.wants("before", tokenUser(), i.token(nil))
	if _, err := b.db.Tenants().BeginDelete(t.Context(), "Cust12345", "job"); err != nil {
		t.Fatal(err)
	}
	b.refuses("after", webhook.ErrUnauthorized, i.token(nil))
}
