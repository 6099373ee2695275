package replay

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Redispatch begins, reads and cancels jobs of kind job.Redispatch. Its fields must
// be set before use and not changed afterwards; its methods may be called
// concurrently. The caller checks whether the principal may use it.
type Redispatch struct {
	Tenants Tenants
	Jobs    job.Jobs
	Now     func() time.Time
	Random  io.Reader
}

// Tenants reports which tenants exist; *tenancy.Administration implements it.
type Tenants interface {
	// Exists returns nil if the tenant exists, and webhook.ErrNotFound if not.
	Exists(ctx context.Context, tenant webhook.Tenant) error
}

// Begin begins a job that has a tenant's events of a period (from included, to not)
// matched again, and makes the deliveries that have no row.
//
// Errors: *webhook.ValidationError, webhook.ErrNotFound for an unknown tenant,
// webhook.ErrUnavailable.
func (r *Redispatch) Begin(ctx context.Context, by webhook.Associate, tenant webhook.Tenant, from, to time.Time) (job.Job, error) {
	now := r.Now()
	var f webhook.Faults
	if tenant == "" {
		f.Add("Tenant", "is missing")
	}
	switch {
	case from.IsZero() || to.IsZero():
		f.AddText("From", "From and To must both be given")
	case !from.Before(to):
		f.Add("From", "must be before To")
	case to.After(now):
		f.Add("To", "must not be in the future: future events are dispatched when they happen")
	}
	if err := f.Err(); err != nil {
		return job.Job{}, err
	}
	if err := r.Tenants.Exists(ctx, tenant); err != nil {
		return job.Job{}, err
	}
	j, err := job.New(job.Redispatch, tenant, by, now, r.Random)
	if err != nil {
		return job.Job{}, err
	}
	j.From, j.To = from.UTC().Truncate(time.Millisecond), to.UTC().Truncate(time.Millisecond)
	return j, r.Jobs.Create(ctx, j)
}

// Get reads a job that Begin created. webhook.ErrNotFound for any other.
func (r *Redispatch) Get(ctx context.Context, id string) (job.Job, error) {
	if !webhook.EventID(id).Valid() {
		return job.Job{}, fmt.Errorf("job %.36q: %w", id, webhook.ErrNotFound)
	}
	j, err := r.Jobs.Get(ctx, id)
	if err == nil && j.Kind != job.Redispatch {
		err = fmt.Errorf("job %s is of another kind: %w", id, webhook.ErrNotFound)
	}
	return j, err
}

// Cancel ends such a job; the events that it has enqueued are still matched. A job
// that has already ended is returned unchanged.
func (r *Redispatch) Cancel(ctx context.Context, id string) (job.Job, error) {
	if j, err := r.Get(ctx, id); err != nil {
		return j, err
	}
	return job.Cancel(ctx, r.Jobs, id, r.Now, r.Random)
}
