package auth_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// publisher stores a credential that may name tenants.
func (b *bench) publisher(kind tenancy.CredentialKind, credential string, tenants ...webhook.Tenant) {
	b.t.Helper()
	err := b.db.Credentials().Create(b.t.Context(), tenancy.Credential{
		ID: credential, Hash: tenancy.KeyHash(kind, webhook.NewSecret(credential)), Kind: kind,
		Principal: anna("", webhook.ScopeEvents), Tenants: tenants, Created: start,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// Concurrent calls with one credential never see each other's tenant.
func TestAuthenticate_PublisherIsOfTheTenantThatEachCallNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Throttle = &auth.Throttle{Now: b.clock.Now}
	b.publisher(tenancy.KindBearer, "token", "Cust12345", "Cust1", "Cust2", "Later")
	for _, name := range []webhook.Tenant{"Cust1", "Cust2", "Cust3"} {
		if err := b.db.Tenants().Create(t.Context(), name, start); err != nil {
			t.Fatal(err)
		}
	}
	var calls sync.WaitGroup
	for i := range 40 {
		calls.Go(func() {
			named := []webhook.Tenant{"Cust12345", "Cust1", "Cust2", "Cust3", "Later", ""}[i%6]
			want, wantErr := anna("", webhook.ScopeEvents), error(nil)
			switch named {
			case "":
				wantErr = webhook.ErrNoTenant
			case "Cust3", "Later": // not listed; does not exist
				wantErr = webhook.ErrWrongTenant
			default:
				want.Tenant = named
			}
			got, err := b.Authenticate(request("Authorization: Bearer token"), named)
			if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
				t.Errorf("%q: got error %v, want %v; principal (-want +got):\n%s", named, err, wantErr, diff)
			}
		})
	}
	calls.Wait()
}

func TestAuthenticate_ARoleMayBeAPublisher(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.role = "arn:aws:iam::123456789012:role/publisher"
	b.publisher(tenancy.KindIAM, b.role, tenancy.AnyTenant)
	for named, want := range map[webhook.Tenant]error{"Cust12345": nil, "Default": nil, "Cust1": webhook.ErrWrongTenant, "*": webhook.ErrWrongTenant, "": webhook.ErrNoTenant} {
		if _, err := b.Authenticate(request(), named); !errors.Is(err, want) {
			t.Errorf("%q: got error %v, want %v", named, err, want)
		}
	}
}

// Other credentials ignore the name; the caller compares it.
func TestAuthenticate_OnlyAPublisherFollowsTheAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.issue(tenancy.KindBearer, "token", anna(""))
	for _, header := range []string{"Authorization: Bearer token", basic(firstCredential)} {
		want, err := b.Authenticate(request(header), "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Authenticate(request(header), "Cust1")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("got error %v, principal (-want +got):\n%s", err, diff)
		}
	}
}

// A call that names a wrong tenant does not vouch for its SO-AppToken, which has
// not been looked at: the token's guesses stay throttled.
func TestThrottle_AWrongTenantDoesNotCountAsRight(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	b.publisher(tenancy.KindBearer, "token", "Cust12345")
	guessed := 0
	for _, named := range []webhook.Tenant{"", "Cust1", "Cust12345"} {
		for i := range 100 {
			_, err := b.Authenticate(request("Authorization: Bearer token", fmt.Sprint("SO-AppToken: guess", i)), named)
			if errors.Is(err, webhook.ErrWrongApp) {
				guessed++
			}
		}
	}
	if guessed != 10 {
		t.Errorf("%d guesses were looked up, want 10", guessed)
	}
}
