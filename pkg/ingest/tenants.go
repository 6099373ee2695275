package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// tenantLife is how long a tenant is known to exist without being read.
	tenantLife = time.Minute
	// maxTenants bounds the tenants that are known.
	maxTenants = 10_000
)

// Tenants reports which tenants may get events. It remembers those that may for
// up to a minute.
//
// The exported fields must be set before use and not changed after. Its methods
// may be called concurrently.
type Tenants struct {
	Stored tenancy.Tenants
	Now    func() time.Time

	mu    sync.Mutex
	known map[webhook.Tenant]time.Time // when its read began
}

// Accepts reports whether the tenant exists and is not being deleted. Errors are
// those of the store.
func (t *Tenants) Accepts(ctx context.Context, tenant webhook.Tenant) (bool, error) {
	if tenant == tenancy.FirstTenant {
		return true, nil
	}
	now := t.Now()
	if t.knows(tenant, now) {
		return true, nil
	}
	record, err := t.Stored.Get(ctx, tenant)
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read tenant %s: %w", tenant, err)
	case record.Deleting != "":
		return false, nil
	}
	t.remember(tenant, now)
	return true, nil
}

func (t *Tenants) knows(tenant webhook.Tenant, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	read, known := t.known[tenant]
	return known && webhook.Elapsed(read, now) < tenantLife
}

func (t *Tenants) remember(tenant webhook.Tenant, read time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= maxTenants {
		t.known = map[webhook.Tenant]time.Time{}
	}
	t.known[tenant] = read
}
