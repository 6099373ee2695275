package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func testTenants(t *testing.T, h Harness) {
	t.Run("Get and List return what Create stored", func(t *testing.T) {
		t.Parallel()
		want := tenancy.Record{Name: newTenant(t), Created: now()}
		if _, err := h.Tenants.Get(t.Context(), want.Name); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("before: got %v, want ErrNotFound", err)
		}
		must(t, h.Tenants.Create(t.Context(), want.Name, want.Created))
		got, err := h.Tenants.Get(t.Context(), want.Name)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Create of an existing tenant is ErrExists, being deleted or not", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		at := now()
		must(t, h.Tenants.Create(t.Context(), tenant, at))
		for _, step := range []string{"existing", "being deleted"} {
			if err := h.Tenants.Create(t.Context(), tenant, at.Add(time.Hour)); !errors.Is(err, webhook.ErrExists) {
				t.Errorf("%s: got %v, want ErrExists", step, err)
			}
			record, err := h.Tenants.BeginDelete(t.Context(), tenant, "job")
			must(t, err)
			if !record.Created.Equal(at) {
				t.Errorf("%s: created %s, want %s", step, record.Created, at)
			}
		}
	})
	t.Run("List is in order of name and paged", func(t *testing.T) {
		t.Parallel()
		var want []webhook.Tenant
		for range 5 {
			want = append(want, made(t, h))
		}
		slices.Sort(want)
		var got []webhook.Tenant
		for after := webhook.Tenant(""); ; {
			page, err := h.Tenants.List(t.Context(), after, 2)
			must(t, err)
			for _, record := range page {
				if after = record.Name; slices.Contains(want, after) {
					got = append(got, after)
				}
			}
			if len(page) < 2 {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("BeginDelete marks a tenant once and keeps the first job", func(t *testing.T) {
		t.Parallel()
		tenant := made(t, h)
		for _, job := range []string{"first", "second"} {
			record, err := h.Tenants.BeginDelete(t.Context(), tenant, job)
			if err != nil || record.Name != tenant || record.Deleting != "first" {
				t.Errorf("%s: got %+v, %v", job, record, err)
			}
		}
		if record, err := h.Tenants.Get(t.Context(), tenant); err != nil || record.Deleting != "first" {
			t.Errorf("got %+v, %v", record, err)
		}
	})
	t.Run("BeginDelete of an absent tenant is ErrNotFound and creates none", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		if _, err := h.Tenants.BeginDelete(t.Context(), tenant, "job"); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if _, err := h.Tenants.Get(t.Context(), tenant); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Get: got %v", err)
		}
	})
	t.Run("Forget removes a tenant that is being deleted, and no others", func(t *testing.T) {
		t.Parallel()
		tenant := made(t, h)
		if err := h.Tenants.Forget(t.Context(), tenant); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
		_, err := h.Tenants.BeginDelete(t.Context(), tenant, "job")
		must(t, err)
		for range 2 {
			must(t, h.Tenants.Forget(t.Context(), tenant))
		}
		if _, err := h.Tenants.Get(t.Context(), tenant); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		must(t, h.Tenants.Create(t.Context(), tenant, now()))
	})
}

// made draws a tenant and creates it.
func made(t *testing.T, h Harness) webhook.Tenant {
	t.Helper()
	tenant := newTenant(t)
	must(t, h.Tenants.Create(t.Context(), tenant, now()))
	return tenant
}
