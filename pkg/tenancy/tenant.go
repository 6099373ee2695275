package tenancy

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// FirstTenant is the tenant of the credential that a deployment starts with. It
// exists without having been created.
const FirstTenant webhook.Tenant = "Default"

// Record is what is stored about a tenant itself.
type Record struct {
	Name    webhook.Tenant
	Created time.Time
	// Deleting is the id of the job that deletes the tenant. Empty: the tenant is
	// not being deleted. A tenant that is being deleted accepts nothing and cannot
	// be restored.
	Deleting string
}

// Tenants stores which tenants exist.
type Tenants interface {
	// Create creates a tenant. ErrExists if it exists, even if it is being
	// deleted; then nothing changed.
	Create(ctx context.Context, tenant webhook.Tenant, at time.Time) error

	// Get returns a tenant, even one that is being deleted. ErrNotFound if it
	// does not exist.
	Get(ctx context.Context, tenant webhook.Tenant) (Record, error)

	// List returns up to limit tenants whose names sort after a name (empty: from
	// the first), in byte order, including those being deleted. A short list means
	// there are no more.
	List(ctx context.Context, after webhook.Tenant, limit int) ([]Record, error)

	// BeginDelete marks a tenant as being deleted by a job and returns the
	// resulting record: if it was already marked, the first job's id stays. Once
	// it has returned, no credential can be created for the tenant; the caller
	// revokes those it has. ErrNotFound if the tenant does not exist.
	BeginDelete(ctx context.Context, tenant webhook.Tenant, job string) (Record, error)

	// Forget removes the record of a tenant that is being deleted. Forgetting a
	// tenant that does not exist succeeds; ErrConflict if it is not being deleted.
	Forget(ctx context.Context, tenant webhook.Tenant) error
}
