package job

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Control shows and cancels jobs of every kind, for administrators. Its fields must be
// set before use and not changed afterwards; its methods may be called concurrently.
type Control struct {
	Jobs   Jobs
	Now    func() time.Time
	Random io.Reader
}

// Running returns up to limit jobs that are running, the oldest first. Errors:
// *webhook.UnreadableError with the other jobs, ErrUnavailable.
func (c *Control) Running(ctx context.Context, limit int) ([]Job, error) {
	return c.Jobs.Running(ctx, limit)
}

// Get returns a job, running or ended. Errors: ErrNotFound, ErrUnavailable.
func (c *Control) Get(ctx context.Context, id string) (Job, error) {
	if !webhook.EventID(id).Valid() {
		return Job{}, fmt.Errorf("job %.36q: %w", id, webhook.ErrNotFound)
	}
	return c.Jobs.Get(ctx, id)
}

// Cancel ends a job between two of its slices; what it did remains. A job that has
// already ended is returned unchanged. Errors: ErrNotFound, ErrFinal, ErrConflict,
// ErrUnavailable.
func (c *Control) Cancel(ctx context.Context, id string) (Job, error) {
	j, err := c.Get(ctx, id)
	switch {
	case err != nil:
		return Job{}, err
	case j.Kind == DeleteTenant && j.Status == Running:
		return Job{}, fmt.Errorf("cancel job %s: %w", id, ErrFinal)
	}
	return Cancel(ctx, c.Jobs, id, c.Now, c.Random)
}

// ErrFinal is returned for a job that cannot be cancelled: it has begun to remove a
// tenant.
var ErrFinal = fmt.Errorf("the deletion of a tenant cannot be cancelled: %w", delivery.ErrRefused)
