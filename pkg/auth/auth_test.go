package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// issued is a store of credentials by their KeyHash.
type issued map[string]auth.Credential

func (s issued) Credential(_ context.Context, keyHash string) (auth.Credential, error) {
	found, ok := s[keyHash]
	if !ok {
		return auth.Credential{}, webhook.ErrNotFound
	}
	return found, nil
}

func first(text string) func(context.Context) (webhook.Secret, error) {
	return func(context.Context) (webhook.Secret, error) { return webhook.NewSecret(text), nil }
}

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

func basic(credential string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credential))
}

var anna = webhook.Principal{
	Tenant:    "Cust12345",
	Associate: webhook.Associate{ID: 7, Name: "anna", FullName: "Anna", UserName: "anna", Type: "InternalAssociate"},
	App:       "app",
	Scopes:    []webhook.Scope{webhook.ScopeEvents},
}

func newAuthenticator() *auth.Authenticator {
	return &auth.Authenticator{
		First: first("tje0:Tje0"),
		Credentials: issued{
			auth.KeyHash(auth.KindBasic, webhook.NewSecret("anna:right")):   {Principal: anna},
			auth.KeyHash(auth.KindBasic, webhook.NewSecret("anna:later")):   {Principal: anna, ExpiresAt: now.Add(time.Second)},
			auth.KeyHash(auth.KindBasic, webhook.NewSecret("anna:expired")): {Principal: anna, ExpiresAt: now},
		},
		Now: func() time.Time { return now },
	}
}

func TestAuthenticate_Known(t *testing.T) {
	t.Parallel()
	tje0 := webhook.Principal{
		Tenant:    "Default",
		Associate: webhook.Associate{ID: 1, Name: "tje0", FullName: "tje0", UserName: "tje0", Type: "InternalAssociate"},
		Scopes:    []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
	}
	for name, test := range map[string]struct {
		authorization string
		want          webhook.Principal
	}{
		"the reference sample's header":            {"Basic dGplMDpUamUw", tje0},
		"the scheme in lower case":                 {"basic dGplMDpUamUw", tje0},
		"spaces around the credential":             {"  BASIC   dGplMDpUamUw ", tje0},
		"a stored credential":                      {basic("anna:right"), anna},
		"a stored credential that has not expired": {basic("anna:later"), anna},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newAuthenticator().Authenticate(request(test.authorization))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthenticate_RefusesAllAlike(t *testing.T) {
	t.Parallel()
	for name, authorization := range map[string][]string{
		"no credential":                 nil,
		"an empty header":               {""},
		"a scheme alone":                {"Basic"},
		"a wrong password":              {basic("tje0:Tje1")},
		"a password in another case":    {basic("tje0:tje0")},
		"an unknown user":               {basic("nobody:Tje0")},
		"an expired credential":         {basic("anna:expired")},
		"bad base64":                    {"Basic ***"},
		"no colon":                      {basic("tje0Tje0")},
		"another scheme":                {"Bearer dGplMDpUamUw"},
		"two headers, one of them good": {"Basic dGplMDpUamUw", "Basic eDp5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newAuthenticator().Authenticate(request(authorization...))
			if !errors.Is(err, webhook.ErrUnauthorized) || err.Error() != webhook.ErrUnauthorized.Error() {
				t.Errorf("got error %v, want exactly %v", err, webhook.ErrUnauthorized)
			}
			if diff := cmp.Diff(webhook.Principal{}, got); diff != "" {
				t.Errorf("principal of a refused call: %s", diff)
			}
		})
	}
}

func TestAuthenticate_WithoutCredentialsNobodyComesIn(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]*auth.Authenticator{
		"nothing set":               {},
		"an empty first credential": {First: first("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, authorization := range []string{basic(":"), basic("tje0:Tje0"), "Basic "} {
				if _, err := a.Authenticate(request(authorization)); !errors.Is(err, webhook.ErrUnauthorized) {
					t.Errorf("%s: got error %v, want %v", authorization, err, webhook.ErrUnauthorized)
				}
			}
		})
	}
}

func TestAuthenticate_StoreThatCannotAnswer(t *testing.T) {
	t.Parallel()
	unreadable := func(context.Context) (webhook.Secret, error) {
		return webhook.Secret{}, webhook.ErrSecretUnavailable
	}
	_, err := (&auth.Authenticator{First: unreadable}).Authenticate(request(basic("tje0:hunter2")))
	if !errors.Is(err, webhook.ErrSecretUnavailable) || errors.Is(err, webhook.ErrUnauthorized) {
		t.Errorf("got error %v, want %v", err, webhook.ErrSecretUnavailable)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the credential: %v", err)
	}
}

func TestKeyHash(t *testing.T) {
	t.Parallel()
	// printf basic:tje0:Tje0 | sha256sum
	const want = "a2b660c1678de4f3f1977906f6b7e179f29103bd726fd1be0b0b50393f835458"
	if got := auth.KeyHash(auth.KindBasic, webhook.NewSecret("tje0:Tje0")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzAuthenticate(f *testing.F) {
	for _, seed := range []string{"Basic dGplMDpUamUw", "basic", "Basic Og==", "Bearer x", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		r := request()
		r.Header["Authorization"] = []string{authorization}
		who, err := newAuthenticator().Authenticate(r)
		if err == nil && who.Tenant == "" {
			t.Errorf("%q: a principal without a tenant", authorization)
		}
		if err != nil && !errors.Is(err, webhook.ErrUnauthorized) {
			t.Errorf("%q: got error %v", authorization, err)
		}
	})
}
