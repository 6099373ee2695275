package auth_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// bench is an Authenticator on an embedded store with the tenant Cust12345.
type bench struct {
	*auth.Authenticator
	t     testing.TB
	db    *embedded.DB
	clock *webhooktest.Clock
	role  string // that signed the calls
}

const (
	firstCredential = "tje0:Tje0"
	adminPassword   = "correct horse"
)

func newBench(t testing.TB) *bench {
	t.Helper()
	clock := webhooktest.NewClock(start)
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b := &bench{t: t, db: db, clock: clock}
	b.Authenticator = &auth.Authenticator{
		First: text(firstCredential), Admin: text(adminPassword), AdminUser: "admin",
		Credentials: db.Credentials(), Tenants: db.Tenants(), Now: clock.Now, Random: rand.Reader,
		Role: func(context.Context) string { return b.role },
	}
	if err := db.Tenants().Create(t.Context(), "Cust12345", start); err != nil {
		t.Fatal(err)
	}
	return b
}

func text(secret string) func(context.Context) (webhook.Secret, error) {
	return func(context.Context) (webhook.Secret, error) { return webhook.NewSecret(secret), nil }
}

// anna returns the principal of the tests' stored credentials.
func anna(app string, scopes ...webhook.Scope) webhook.Principal {
	if scopes == nil {
		scopes = []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents}
	}
	return webhook.Principal{
		Tenant:    "Cust12345",
		Associate: webhook.Associate{ID: 7, Name: "anna", FullName: "Anna", UserName: "anna", Type: "InternalAssociate"},
		App:       app, Scopes: scopes,
	}
}

var tje0 = webhook.Principal{
	Tenant:    "Default",
	Associate: webhook.Associate{ID: 1, Name: "tje0", FullName: "tje0", UserName: "tje0", Type: "InternalAssociate"},
	Scopes:    []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
}

// issue stores a credential and returns its id.
func (b *bench) issue(kind tenancy.CredentialKind, credential string, who webhook.Principal, expires ...time.Time) string {
	b.t.Helper()
	id, err := webhook.NewEventID(start, rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	c := tenancy.Credential{
		ID: string(id), Hash: tenancy.KeyHash(kind, webhook.NewSecret(credential)), Kind: kind, Principal: who, Created: start,
	}
	if len(expires) > 0 {
		c.ExpiresAt = expires[0]
	}
	if err := b.db.Credentials().Create(context.Background(), c); err != nil {
		b.t.Fatal(err)
	}
	return c.ID
}

// request returns a request with headers given as "Name: value".
func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func basic(credential string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(credential))
}

func (b *bench) wants(name string, want webhook.Principal, headers ...string) {
	b.t.Helper()
	got, err := b.Authenticate(request(headers...), "")
	if err != nil {
		b.t.Errorf("%s: %v", name, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s: principal (-want +got):\n%s", name, diff)
	}
}

// refuses checks that a call fails with exactly this error and its own message.
func (b *bench) refuses(name string, want error, headers ...string) {
	b.t.Helper()
	got, err := b.Authenticate(request(headers...), "")
	if !errors.Is(err, want) || err.Error() != want.Error() {
		b.t.Errorf("%s: got error %v, want exactly %v", name, err, want)
	}
	if diff := cmp.Diff(webhook.Principal{}, got); diff != "" {
		b.t.Errorf("%s: principal of a refused call: %s", name, diff)
	}
}

func TestAuthenticate_Known(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindBasic, "anna:right:with:colons", anna(""))
	b.issue(tenancy.KindBasic, "anna:later", anna(""), start.Add(time.Second))
	b.issue(tenancy.KindTicket, "7T:MgA1+/==", anna(""))
	b.issue(tenancy.KindBearer, "8A:Cust12345.abc", anna("app"))
	for name, test := range map[string]struct {
		header string
		want   webhook.Principal
	}{
		"the reference sample's header":            {"Authorization: Basic dGplMDpUamUw", tje0},
		"the scheme in lower case":                 {"Authorization: basic dGplMDpUamUw", tje0},
		"spaces around the credential":             {"Authorization:   BASIC   dGplMDpUamUw ", tje0},
		"a stored credential":                      {basic("anna:right:with:colons"), anna("")},
		"a stored credential that has not expired": {basic("anna:later"), anna("")},
		"a ticket, as it is":                       {"Authorization: SOTicket 7T:MgA1+/==", anna("")},
		"a ticket's scheme in any case":            {"Authorization: SoTiCkEt 7T:MgA1+/==", anna("")},
		"a bearer token":                           {"Authorization: Bearer 8A:Cust12345.abc", anna("app")},
		"the administrator": {basic("admin:" + adminPassword), webhook.Principal{
			Associate: webhook.Associate{Name: "admin", FullName: "admin", UserName: "admin"}, Scopes: []webhook.Scope{webhook.ScopeAdmin},
		}},
	} {
		b.wants(name, test.want, test.header)
	}
}

func TestAuthenticate_RefusesAllAlike(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindBasic, "anna:expired", anna(""), start)
	b.issue(tenancy.KindBasic, "anna:right", anna(""))
	b.issue(tenancy.KindTicket, "7T:abc", anna(""))
	b.issue(tenancy.KindApp, "apptoken", anna("app"))
	b.issue(tenancy.KindSession, "session", anna("app"))
	for name, headers := range map[string][]string{
		"no credential":                  nil,
		"an empty header":                {"Authorization: "},
		"a scheme alone":                 {"Authorization: Basic"},
		"a ticket's scheme alone":        {"Authorization: SOTicket  "},
		"a wrong password":               {basic("tje0:Tje1")},
		"a password in another case":     {basic("tje0:tje0")},
		"an unknown user":                {basic("unknown:Tje0")},
		"a wrong admin password":         {basic("admin:" + adminPassword + " ")},
		"an expired credential":          {basic("anna:expired")},
		"bad base64":                     {"Authorization: Basic ***"},
		"no colon":                       {basic("tje0Tje0")},
		"no user and no password":        {basic(":")},
		"another scheme":                 {"Authorization: Digest dGplMDpUamUw"},
		"two headers, one of them right": {basic("tje0:Tje0"), basic("x:y")},
		"a password as a token":          {"Authorization: Bearer anna:right"},
		"a ticket as a token":            {"Authorization: Bearer 7T:abc"},
		"a ticket in another case":       {"Authorization: SOTicket 7t:abc"},
		"a session as a token":           {"Authorization: Bearer session"},
		"an app token as a token":        {"Authorization: Bearer apptoken"},
		"an app token alone":             {"SO-AppToken: apptoken"},
		"a JWT without an issuer":        {"Authorization: Bearer eyJhbGciOiJub25lIn0.e30."},
		"a role in a header":             {"Authorization: AWS4-HMAC-SHA256 Credential=x"},
		"a session without XSRF token":   {"Cookie: posthaste_session=session"},
	} {
		b.refuses(name, webhook.ErrUnauthorized, headers...)
	}
}

func TestAuthenticate_RevokedIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.issue(tenancy.KindBearer, "token", anna(""))
	b.wants("before", anna(""), "Authorization: Bearer token")
	if err := b.db.Credentials().Revoke(t.Context(), "Cust12345", id); err != nil {
		t.Fatal(err)
	}
	b.refuses("after", webhook.ErrUnauthorized, "Authorization: Bearer token")
}

func TestAuthenticate_TenantBeingDeletedAcceptsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.db.Tenants().Create(t.Context(), tenancy.FirstTenant, start); err != nil {
		t.Fatal(err)
	}
	b.wants("before", tje0, basic(firstCredential))
	if _, err := b.db.Tenants().BeginDelete(t.Context(), tenancy.FirstTenant, "job"); err != nil {
		t.Fatal(err)
	}
	b.refuses("after", webhook.ErrUnauthorized, basic(firstCredential))
}

// Decision 0.27: a credential that carries an app, and an app token in addition.
func TestAuthenticate_Apps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.db.Tenants().Create(t.Context(), "Other", start); err != nil {
		t.Fatal(err)
	}
	other := anna("app")
	other.Tenant = "Other"
	b.issue(tenancy.KindTicket, "without app", anna(""))
	b.issue(tenancy.KindTicket, "of app", anna("app"))
	b.issue(tenancy.KindApp, "app", anna("app", webhook.ScopeWebhooks))
	b.issue(tenancy.KindApp, "another", anna("another"))
	b.issue(tenancy.KindApp, "other tenant's", other)
	b.issue(tenancy.KindApp, "expired", anna("app"), start)
	narrowed := anna("app", webhook.ScopeWebhooks)
	b.wants("an app token sets the app and restricts the caller's scopes", narrowed, "Authorization: SOTicket without app", "SO-AppToken: app")
	b.wants("an app token that agrees", narrowed, "Authorization: SOTicket of app", "SO-AppToken: app")
	for name, token := range map[string]string{
		"another app's": "another", "another tenant's": "other tenant's", "an expired one": "expired", "an unknown one": "unknown", "an empty one": "",
	} {
		b.refuses(name, webhook.ErrWrongApp, "Authorization: SOTicket of app", "SO-AppToken: "+token)
	}
	b.refuses("two app tokens", webhook.ErrWrongApp, "Authorization: SOTicket of app", "SO-AppToken: app", "SO-AppToken: app")
	b.refuses("with a wrong credential", webhook.ErrUnauthorized, "Authorization: SOTicket wrong", "SO-AppToken: app")
	b.refuses("with the administrator's", webhook.ErrWrongApp, basic("admin:"+adminPassword), "SO-AppToken: app")
}

func TestAuthenticate_SignedByARole(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindIAM, "arn:aws:iam::123456789012:role/publisher", anna("", webhook.ScopeEvents))
	b.role = "arn:aws:iam::123456789012:role/publisher"
	b.wants("the role", anna("", webhook.ScopeEvents), "Authorization: AWS4-HMAC-SHA256 Credential=x")
	b.wants("whatever the headers say", anna("", webhook.ScopeEvents), basic(firstCredential))
	b.role = "arn:aws:iam::123456789012:role/another"
	b.refuses("an unknown role", webhook.ErrUnauthorized, basic(firstCredential))
}

func TestAuthenticate_WithoutCredentialsAllAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *bench){
		"nothing set":   func(b *bench) { b.First, b.Admin = nil, nil },
		"empty secrets": func(b *bench) { b.First, b.Admin = text(""), text("") },
		"no admin user": func(b *bench) { b.First, b.Admin, b.AdminUser = nil, text("x"), "" },
	} {
		b := newBench(t)
		change(b)
		for _, credential := range []string{":", "tje0:Tje0", "admin:", ":x"} {
			b.refuses(name+" "+credential, webhook.ErrUnauthorized, basic(credential))
		}
	}
}

func TestAuthenticate_UnavailableStoreIsNotUnauthorized(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	unreadable := func(context.Context) (webhook.Secret, error) {
		return webhook.Secret{}, webhook.ErrSecretUnavailable
	}
	b.First, b.Admin = unreadable, unreadable
	for _, user := range []string{"tje0", "admin"} {
		_, err := b.Authenticate(request(basic(user+":hunter2")), "")
		if !errors.Is(err, webhook.ErrSecretUnavailable) || errors.Is(err, webhook.ErrUnauthorized) {
			t.Errorf("%s: got error %v, want %v", user, err, webhook.ErrSecretUnavailable)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the credential: %v", err)
		}
	}
	_ = b.db.Close()
	if _, err := b.Authenticate(request("Authorization: Bearer x"), ""); err == nil || errors.Is(err, webhook.ErrUnauthorized) {
		t.Errorf("a closed store: got error %v", err)
	}
}

func TestKeyHash(t *testing.T) {
	t.Parallel()
	// printf basic:tje0:Tje0 | sha256sum
	const want = "a2b660c1678de4f3f1977906f6b7e179f29103bd726fd1be0b0b50393f835458"
	if got := tenancy.KeyHash(tenancy.KindBasic, webhook.NewSecret("tje0:Tje0")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzAuthenticate(f *testing.F) {
	for _, seed := range []string{"Basic dGplMDpUamUw", "basic", "Basic Og==", "Bearer x", "SOTicket 7T:x==", "\x00"} {
		f.Add(seed, "app", "posthaste_session=x", "y")
	}
	b := newBench(f)
	f.Fuzz(func(t *testing.T, authorization, app, cookie, xsrf string) {
		r := request()
		r.Header["Authorization"] = []string{authorization}
		r.Header["Cookie"] = []string{cookie}
		r.Header["X-Xsrf-Token"] = []string{xsrf}
		if app != "" {
			r.Header["So-Apptoken"] = []string{app}
		}
		who, err := b.Authenticate(r, "")
		if err == nil && who.Tenant == "" && !who.May(webhook.ScopeAdmin) {
			t.Errorf("%q: a principal without a tenant", authorization)
		}
		if err != nil && !errors.Is(err, webhook.ErrUnauthorized) && !errors.Is(err, webhook.ErrWrongApp) {
			t.Errorf("%q: got error %v", authorization, err)
		}
	})
}
