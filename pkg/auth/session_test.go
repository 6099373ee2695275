package auth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// begin starts a session and returns the headers that go with it.
func (b *bench) begin(headers ...string) (cookie, xsrf string) {
	b.t.Helper()
	cookies, _, err := b.StartSession(request(headers...), "")
	if err != nil {
		b.t.Fatal(err)
	}
	return "Cookie: other=1; posthaste_session=" + cookies[0].Value, "X-XSRF-TOKEN: " + cookies[1].Value
}

func TestSession_HasThePrincipalOfItsCredential(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindTicket, "ticket", anna(""))
	b.issue(tenancy.KindApp, "app", anna("app", webhook.ScopeWebhooks))
	cookie, xsrf := b.begin("Authorization: SOTicket ticket", "SO-AppToken: app")
	b.wants("of a ticket with an app", anna("app", webhook.ScopeWebhooks), cookie, xsrf)
	cookie, xsrf = b.begin(basic(firstCredential))
	b.wants("of the first credential, whose tenant was never created", tje0, cookie, xsrf)
}

func TestSession_NeedsItsOwnXSRFToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie, xsrf := b.begin(basic(firstCredential))
	other, otherXSRF := b.begin(basic(firstCredential))
	for name, headers := range map[string][]string{
		"no token":                {cookie},
		"an empty token":          {cookie, "X-XSRF-TOKEN: "},
		"another session's token": {cookie, otherXSRF},
		"no cookie":               {xsrf},
		"two sessions":            {cookie, other, xsrf},
		"an empty cookie":         {"Cookie: posthaste_session=", xsrf},
		"the token as the cookie": {"Cookie: posthaste_session=" + xsrf[len("X-XSRF-TOKEN: "):], xsrf},
	} {
		b.refuses(name, webhook.ErrUnauthorized, headers...)
	}
}

func TestSession_Ends(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *bench, ticket, app, cookie, xsrf string){
		"after 8 hours": func(b *bench, _, _, _, _ string) { b.clock.Advance(auth.SessionLife) },
		"when it is ended": func(b *bench, _, _, cookie, xsrf string) {
			if _, who, err := b.EndSession(request(cookie, xsrf)); err != nil || who.Tenant != "Cust12345" {
				b.t.Error(who, err)
			}
		},
		"with its credential": func(b *bench, ticket, _, _, _ string) {
			if err := b.db.Credentials().Revoke(b.t.Context(), "Cust12345", ticket); err != nil {
				b.t.Error(err)
			}
		},
		"with its app": func(b *bench, _, app, _, _ string) {
			if err := b.db.Credentials().Revoke(b.t.Context(), "Cust12345", app); err != nil {
				b.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			ticket, app := b.issue(tenancy.KindTicket, "ticket", anna("")), b.issue(tenancy.KindApp, "app", anna("app"))
			cookie, xsrf := b.begin("Authorization: SOTicket ticket", "SO-AppToken: app")
			b.clock.Advance(auth.SessionLife - time.Second)
			b.wants("before", anna("app"), cookie, xsrf)
			end(b, ticket, app, cookie, xsrf)
			b.refuses("after", webhook.ErrUnauthorized, cookie, xsrf)
			if _, _, err := b.EndSession(request(cookie, xsrf)); !errors.Is(err, webhook.ErrUnauthorized) {
				t.Errorf("ended twice: got error %v", err)
			}
		})
	}
}

func TestSession_EndsNoLaterThanItsCredential(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindTicket, "ticket", anna(""), start.Add(time.Hour))
	cookies, _, err := b.StartSession(request("Authorization: SOTicket ticket"), "")
	if err != nil || len(cookies) != 2 {
		t.Fatalf("got %d cookies, %v", len(cookies), err)
	}
	for _, c := range cookies {
		if c.MaxAge != 60*60 {
			t.Errorf("%s lives %d s, want 1h", c.Name, c.MaxAge)
		}
	}
}

func TestSession_EndsWhenTheFirstCredentialChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie, xsrf := b.begin(basic(firstCredential))
	b.First = text("tje0:another")
	b.refuses("after", webhook.ErrUnauthorized, cookie, xsrf)
}

func TestStartSession_NeedsACredential(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie, xsrf := b.begin(basic(firstCredential))
	for name, test := range map[string]struct {
		headers []string
		want    error
	}{
		"nothing":           {nil, webhook.ErrUnauthorized},
		"a session":         {[]string{cookie, xsrf}, webhook.ErrUnauthorized},
		"a wrong one":       {[]string{basic("tje0:x")}, webhook.ErrUnauthorized},
		"the administrator": {[]string{basic("admin:" + adminPassword)}, webhook.ErrForbidden},
	} {
		if _, _, err := b.StartSession(request(test.headers...), ""); !errors.Is(err, test.want) {
			t.Errorf("%s: got error %v, want %v", name, err, test.want)
		}
	}
	if _, _, err := b.EndSession(request(basic(firstCredential))); !errors.Is(err, webhook.ErrUnauthorized) {
		t.Errorf("EndSession accepted a credential that is not a session: %v", err)
	}
}
