package tenancy

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// FirstTenant is the tenant of the credential that a deployment begins with. It
// is there without having been made.
const FirstTenant webhook.Tenant = "Default"

// Record is what is stored about a tenant itself.
type Record struct {
	Name    webhook.Tenant
	Created time.Time
	// Deleting is the id of the job that deletes the tenant. Empty: it is not
	// being deleted. A tenant that is being deleted accepts nothing, and is
	// never brought back.
	Deleting string
}

// Tenants stores which tenants there are.
type Tenants interface {
	// Create makes a tenant. ErrExists if it is there, being deleted or not;
	// then nothing changed.
	Create(ctx context.Context, tenant webhook.Tenant, at time.Time) error

	// Get reads a tenant, also one that is being deleted.
	Get(ctx context.Context, tenant webhook.Tenant) (Record, error)

	// List returns up to limit tenants whose names come after one (empty: from
	// the first on), in the order of the bytes of their names, those being
	// deleted included. A short list means there are no more.
	List(ctx context.Context, after webhook.Tenant, limit int) ([]Record, error)

	// BeginDelete marks a tenant as being deleted by a job and returns it as it
	// stands afterwards: if it was marked before, the first job's id stays.
	// Once it has returned, no credential can be made for the tenant; those
	// that it has are the caller's to revoke. ErrNotFound if there is none.
	BeginDelete(ctx context.Context, tenant webhook.Tenant, job string) (Record, error)

	// Forget removes the record of a tenant that is being deleted. Forgetting
	// one that is gone is fine; ErrConflict if it is not being deleted.
	Forget(ctx context.Context, tenant webhook.Tenant) error
}
