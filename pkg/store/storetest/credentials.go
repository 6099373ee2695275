package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// newCredential returns a credential of a tenant with every member set. Its
// hash is the hash of its id.
func newCredential(t *testing.T, tenant webhook.Tenant) tenancy.Credential {
	t.Helper()
	id := string(newEventID(t, time.Now()))
	return tenancy.Credential{
		ID: id, Hash: tenancy.KeyHash(tenancy.KindBearer, webhook.NewSecret(id)), Kind: tenancy.KindBearer,
		Principal: webhook.Principal{
			Tenant:    tenant,
			Associate: webhook.Associate{ID: 7, Name: "ØÅ", FullName: "Øyvind Å", UserName: "oa", Type: "InternalAssociate"},
			App:       "app", Scopes: []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
		},
		Tenants: []webhook.Tenant{tenant + "-listed", "Cust_2"},
		Role:    "arn:aws:iam::123456789012:role/x", Within: []string{"a", "b"}, Created: now(), ExpiresAt: now().Add(time.Hour),
	}
}

func listed(t *testing.T, h Harness, tenant webhook.Tenant) []string {
	t.Helper()
	all, err := h.Credentials.List(t.Context(), tenant, "", 1000)
	must(t, err)
	found := []string{}
	for _, c := range all {
		found = append(found, c.ID)
	}
	return found
}

func testCredentials(t *testing.T, h Harness) {
	absent := func(t *testing.T, c tenancy.Credential) {
		t.Helper()
		if got, err := h.Credentials.Find(t.Context(), c.Hash); !errors.Is(err, webhook.ErrNotFound) || got.ID != "" {
			t.Errorf("Find: got %q, %v; want ErrNotFound", got.ID, err)
		}
		if slices.Contains(listed(t, h, c.Principal.Tenant), c.ID) {
			t.Error("List returns it")
		}
		if err := h.Credentials.Revoke(t.Context(), c.Principal.Tenant, c.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Revoke: got %v, want ErrNotFound", err)
		}
	}
	t.Run("Find and List return what Create stored, member by member", func(t *testing.T) {
		t.Parallel()
		tenant := made(t, h)
		full := newCredential(t, tenant)
		bare := newCredential(t, tenant)
		bare = tenancy.Credential{ID: bare.ID, Hash: bare.Hash, Kind: tenancy.KindApp, Principal: webhook.Principal{Tenant: tenant}, Created: now()}
		for _, want := range []tenancy.Credential{full, bare} {
			must(t, h.Credentials.Create(t.Context(), want))
			got, err := h.Credentials.Find(t.Context(), want.Hash)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Find (-want +got):\n%s", diff)
			}
		}
		got, err := h.Credentials.List(t.Context(), tenant, "", 3)
		must(t, err)
		want := []tenancy.Credential{full, bare}
		slices.SortFunc(want, func(a, b tenancy.Credential) int { return strings.Compare(a.ID, b.ID) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
	})
	t.Run("the longest list of tenants is stored whole and in order", func(t *testing.T) {
		t.Parallel()
		tenant := made(t, h)
		want := newCredential(t, tenant)
		want.Tenants = nil
		for i := range 1000 {
			want.Tenants = append(want.Tenants, webhook.Tenant(fmt.Sprintf("%032d", 1000-i)))
		}
		must(t, h.Credentials.Create(t.Context(), want))
		found, err := h.Credentials.Find(t.Context(), want.Hash)
		must(t, err)
		listed, err := h.Credentials.List(t.Context(), tenant, "", 10)
		must(t, err)
		if diff := cmp.Diff([]tenancy.Credential{want, want}, append(listed, found)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("a credential outlives the tenants that it lists", func(t *testing.T) {
		t.Parallel()
		owner, listed := made(t, h), made(t, h)
		want := newCredential(t, owner)
		want.Tenants = []webhook.Tenant{listed}
		must(t, h.Credentials.Create(t.Context(), want))
		_, err := h.Tenants.BeginDelete(t.Context(), listed, "job")
		must(t, err)
		must(t, h.Tenants.Forget(t.Context(), listed))
		got, err := h.Credentials.Find(t.Context(), want.Hash)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("an unknown credential is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		absent(t, newCredential(t, made(t, h)))
		absent(t, newCredential(t, newTenant(t)))
	})
	t.Run("Create of a taken hash or id is ErrExists and changes nothing", func(t *testing.T) {
		t.Parallel()
		tenant, other := made(t, h), made(t, h)
		want := newCredential(t, tenant)
		must(t, h.Credentials.Create(t.Context(), want))
		sameHash, sameID := newCredential(t, other), newCredential(t, tenant)
		sameHash.Hash, sameID.ID = want.Hash, want.ID
		for _, c := range []tenancy.Credential{want, sameHash, sameID} {
			if err := h.Credentials.Create(t.Context(), c); !errors.Is(err, webhook.ErrExists) {
				t.Errorf("got %v, want ErrExists", err)
			}
		}
		got, err := h.Credentials.Find(t.Context(), want.Hash)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := h.Credentials.Find(t.Context(), sameID.Hash); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("the refused credential: got %v", err)
		}
		if got := listed(t, h, other); len(got) != 0 {
			t.Errorf("the other tenant has %v", got)
		}
	})
	t.Run("Create for a tenant that is absent or being deleted is ErrNotFound and stores nothing", func(t *testing.T) {
		t.Parallel()
		leaving := made(t, h)
		_, err := h.Tenants.BeginDelete(t.Context(), leaving, "job")
		must(t, err)
		for _, tenant := range []webhook.Tenant{newTenant(t), leaving} {
			c := newCredential(t, tenant)
			if err := h.Credentials.Create(t.Context(), c); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
			absent(t, c)
		}
	})
	t.Run("List returns one tenant's credentials in order of id, paged", func(t *testing.T) {
		t.Parallel()
		tenant, other := made(t, h), made(t, h)
		var want []string
		for range 5 {
			c := newCredential(t, tenant)
			must(t, h.Credentials.Create(t.Context(), c))
			want = append(want, c.ID)
		}
		must(t, h.Credentials.Create(t.Context(), newCredential(t, other)))
		must(t, h.Webhooks.Create(t.Context(), newWebhook(tenant, "a.b")))
		slices.Sort(want)
		got := []string{}
		for after := ""; ; {
			page, err := h.Credentials.List(t.Context(), tenant, after, 2)
			must(t, err)
			for _, c := range page {
				got, after = append(got, c.ID), c.ID
			}
			if len(page) < 2 {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("List after a string that is not an id begins behind it", func(t *testing.T) {
		t.Parallel()
		tenant := made(t, h)
		var want []string // one credential, behind all that are not sessions
		for _, prefix := range []string{"", tenancy.SessionPrefix + "a-", tenancy.SessionPrefix + "b-", tenancy.SessionPrefix + "b-", tenancy.SessionPrefix + "c-"} {
			c := newCredential(t, tenant)
			c.ID = prefix + c.ID
			must(t, h.Credentials.Create(t.Context(), c))
			if strings.HasPrefix(c.ID, tenancy.SessionPrefix+"b-") {
				want = append(want, c.ID)
			}
		}
		slices.Sort(want)
		page, err := h.Credentials.List(t.Context(), tenant, tenancy.SessionPrefix+"b-", 2)
		must(t, err)
		got := []string{}
		for _, c := range page {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("a revoked credential is not found", func(t *testing.T) {
		t.Parallel()
		tenant := made(t, h)
		revoked, kept := newCredential(t, tenant), newCredential(t, tenant)
		must(t, h.Credentials.Create(t.Context(), revoked))
		must(t, h.Credentials.Create(t.Context(), kept))
		must(t, h.Credentials.Revoke(t.Context(), tenant, revoked.ID))
		absent(t, revoked)
		if _, err := h.Credentials.Find(t.Context(), kept.Hash); err != nil {
			t.Errorf("the other credential: %v", err)
		}
	})
	t.Run("Revoke of another tenant's credential is ErrNotFound and revokes nothing", func(t *testing.T) {
		t.Parallel()
		theirs, tenant := newCredential(t, made(t, h)), made(t, h)
		must(t, h.Credentials.Create(t.Context(), theirs))
		if err := h.Credentials.Revoke(t.Context(), tenant, theirs.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if _, err := h.Credentials.Find(t.Context(), theirs.Hash); err != nil {
			t.Errorf("not found: %v", err)
		}
	})
	t.Run("of racing revocations one succeeds", func(t *testing.T) {
		t.Parallel()
		c := newCredential(t, made(t, h))
		must(t, h.Credentials.Create(t.Context(), c))
		errs := make(chan error)
		for range 4 {
			go func() { errs <- h.Credentials.Revoke(t.Context(), c.Principal.Tenant, c.ID) }()
		}
		succeeded := 0
		for range 4 {
			err := <-errs
			switch {
			case err == nil:
				succeeded++
			case !errors.Is(err, webhook.ErrNotFound):
				t.Errorf("got %v, want ErrNotFound", err)
			}
		}
		if succeeded != 1 {
			t.Errorf("%d succeeded, want 1", succeeded)
		}
	})
	t.Run("an expired credential is absent and its hash free", func(t *testing.T) {
		t.Parallel()
		c := newCredential(t, made(t, h))
		c.ExpiresAt = now().Add(-time.Millisecond)
		must(t, h.Credentials.Create(t.Context(), c))
		absent(t, c)
		c.ExpiresAt = time.Time{}
		must(t, h.Credentials.Create(t.Context(), c))
		if _, err := h.Credentials.Find(t.Context(), c.Hash); err != nil {
			t.Errorf("the new credential: %v", err)
		}
	})
	t.Run("the hash of an expired credential can become another tenant's, and then belongs only to that tenant", func(t *testing.T) {
		t.Parallel()
		before, after := newCredential(t, made(t, h)), newCredential(t, made(t, h))
		before.ExpiresAt = now().Add(-time.Millisecond)
		must(t, h.Credentials.Create(t.Context(), before))
		after.Hash = before.Hash
		must(t, h.Credentials.Create(t.Context(), after))
		if listed, err := h.Credentials.List(t.Context(), before.Principal.Tenant, "", 10); err != nil || len(listed) > 0 {
			t.Errorf("the former tenant's list holds %d (%v)", len(listed), err)
		}
		if err := h.Credentials.Revoke(t.Context(), before.Principal.Tenant, before.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("revoked by its former tenant: %v", err)
		}
		if found, err := h.Credentials.Find(t.Context(), after.Hash); err != nil || found.Principal.Tenant != after.Principal.Tenant {
			t.Errorf("got the credential of %s, %v", found.Principal.Tenant, err)
		}
	})
}
