package auth_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sessions returns the ids of a tenant's stored sessions.
func (b *bench) sessions(tenant webhook.Tenant) (ids []string) {
	b.t.Helper()
	all, err := b.db.Credentials().List(b.t.Context(), tenant, "", 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, c := range all {
		if c.Kind == tenancy.KindSession {
			ids = append(ids, c.ID)
		} else if len(ids) > 0 {
			b.t.Errorf("credential %d, %s, comes after a session", i, c.ID)
		}
	}
	return ids
}

func TestSession_TheNewestTwentyOfACredentialStay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindTicket, "ticket", anna(""))
	b.issue(tenancy.KindTicket, "another", anna(""))
	b.issue(tenancy.KindApp, "app", anna("app"))
	type session struct{ cookie, xsrf string }
	var begun []session
	otherCookie, otherXSRF := b.begin("Authorization: SOTicket another")
	for i := range 25 {
		b.clock.Advance(time.Second)
		headers := []string{"Authorization: SOTicket ticket"}
		if i%2 == 0 { // still the same credential
			headers = append(headers, "SO-AppToken: app")
		}
		cookie, xsrf := b.begin(headers...)
		begun = append(begun, session{cookie, xsrf})
	}
	b.wants("of another credential of the same user", anna(""), otherCookie, otherXSRF)
	for i, s := range begun {
		if i < 5 {
			b.refuses(fmt.Sprintf("session %d of 25", i+1), webhook.ErrUnauthorized, s.cookie, s.xsrf)
			continue
		}
		if _, err := b.Authenticate(request(s.cookie, s.xsrf), ""); err != nil {
			t.Errorf("session %d of 25: %v", i+1, err)
		}
	}
	if got := len(b.sessions("Cust12345")); got != 21 {
		t.Errorf("%d sessions are stored of two credentials, want 21", got)
	}
}

func TestSession_TheFirstCredentialsAreBoundedToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var calls sync.WaitGroup
	for range 30 { // concurrent, and at the same clock time
		calls.Go(func() {
			if _, _, err := b.StartSession(request(basic(firstCredential)), ""); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if got := len(b.sessions("Default")); got != 20 {
		t.Errorf("%d sessions are stored, want 20", got)
	}
}

// One user's sessions are bounded together, whatever tokens started them.
func TestSession_ATokensUserIsBounded(t *testing.T) {
	t.Parallel()
	b, i := withIssuer(t, auth.Claims{})
	b.issue(tenancy.KindApp, "app", anna("app"))
	for range 25 {
		b.clock.Advance(time.Second)
		for _, user := range []string{"anna", "bert"} {
			b.begin(i.token(map[string]any{"sub": user}), "SO-AppToken: app")
		}
	}
	users := map[string]int{}
	for _, id := range b.sessions("Cust12345") {
		users[id[:len(id)-36]]++ // without its own GUID
	}
	for user, n := range users {
		if n != 20 {
			t.Errorf("%d sessions of %s, want 20", n, user)
		}
	}
	if len(users) != 2 {
		t.Errorf("got sessions of %d users, want 2", len(users))
	}
}
