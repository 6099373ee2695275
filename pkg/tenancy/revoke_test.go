package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// manyCredentials is a store of a tenant with more credentials than one call
// revokes.
type manyCredentials struct {
	tenancy.Credentials
	lists, revoked int
	// raced: another call has revoked the credentials of the first page.
	raced bool
	left  int
}

func (m *manyCredentials) List(_ context.Context, _ webhook.Tenant, _ string, limit int) (page []tenancy.Credential, err error) {
	if m.lists++; m.lists > 1000 {
		return nil, nil
	}
	for i := range min(limit, m.left) {
		page = append(page, tenancy.Credential{ID: fmt.Sprint(i)})
	}
	return page, nil
}

func (m *manyCredentials) Revoke(context.Context, webhook.Tenant, string) error {
	m.left--
	if m.raced && m.lists == 1 {
		return webhook.ErrNotFound
	}
	m.revoked++
	return nil
}

func TestDeleteTenant_RevokesABoundedNumber(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	many := &manyCredentials{left: 1e6}
	l.admin.Credentials = many
	job, err := l.admin.DeleteTenant(t.Context(), webhook.Associate{}, "Leaves")
	if !errors.Is(err, webhook.ErrUnavailable) || job == "" {
		t.Errorf("got job %q and %v, want the job and ErrUnavailable", job, err)
	}
	if many.revoked < 1000 || many.revoked > 10_000 {
		t.Errorf("%d credentials were revoked, want 1,000 to 10,000", many.revoked)
	}
}

// A page that another call has revoked is not the last page.
func TestDeleteTenant_ContinuesPastAPageThatAnotherCallRevoked(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	many := &manyCredentials{left: 250, raced: true}
	l.admin.Credentials = many
	if _, err := l.admin.DeleteTenant(t.Context(), webhook.Associate{}, "Leaves"); err != nil || many.left != 0 {
		t.Errorf("%d credentials are left, %v", many.left, err)
	}
}
