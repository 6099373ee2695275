package webhook

import (
	"context"
	"fmt"
	"time"
)

// Redispatch begins a job that has every event of a tenant from a time (From
// included, To not) matched again, and makes the deliveries that have no row.
//
// Errors: *ValidationError, ErrNotFound for an unknown tenant, ErrUnavailable.
func (a *Administration) Redispatch(ctx context.Context, by Associate, tenant Tenant, from, to time.Time) (Job, error) {
	now := a.Now()
	var f Faults
	if tenant == "" {
		f.Add("Tenant", "is missing")
	}
	switch {
	case from.IsZero() || to.IsZero():
		f.AddText("From", "From and To must both be given")
	case !from.Before(to):
		f.Add("From", "must be before To")
	case to.After(now):
		f.Add("To", "must not be in the future: what happens then is dispatched as it happens")
	}
	if err := f.Err(); err != nil {
		return Job{}, err
	}
	if _, err := a.Tenant(ctx, tenant); err != nil {
		return Job{}, err
	}
	j, err := NewJob(JobRedispatch, tenant, by, now, a.Random)
	if err != nil {
		return Job{}, err
	}
	j.From, j.To = from.UTC().Truncate(time.Millisecond), to.UTC().Truncate(time.Millisecond)
	return j, a.Jobs.Create(ctx, j)
}

// Redispatched reads a job that Redispatch began. ErrNotFound for any other.
func (a *Administration) Redispatched(ctx context.Context, id string) (Job, error) {
	if !EventID(id).Valid() {
		return Job{}, fmt.Errorf("job %q: %w", truncate(id, 36), ErrNotFound)
	}
	j, err := a.Jobs.Get(ctx, id)
	if err == nil && j.Kind != JobRedispatch {
		err = fmt.Errorf("job %s is of another kind: %w", id, ErrNotFound)
	}
	return j, err
}

// CancelRedispatch ends such a job; what it handed over is delivered.
func (a *Administration) CancelRedispatch(ctx context.Context, id string) (Job, error) {
	if j, err := a.Redispatched(ctx, id); err != nil {
		return j, err
	}
	return CancelJob(ctx, a.Jobs, id, a.Now, a.Random)
}
