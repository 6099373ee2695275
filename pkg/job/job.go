package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Kind says what a job does.
type Kind string

// The kinds.
const (
	Redispatch   Kind = "redispatch"    // make the deliveries that a tenant's events of a time lack
	DeleteTenant Kind = "delete_tenant" // remove all that is stored of a tenant
)

// Status is where a job stands.
type Status string

// The statuses of a job, as the API prints them. All but Running are final.
const (
	Running   Status = "Running"
	Done      Status = "Done"
	Cancelled Status = "Cancelled" // somebody asked for it; what was done stays done
	Failed    Status = "Failed"    // it cannot go on; Reason says why
)

// Job is work that takes longer than a call: the sweep does it in slices, each
// of which goes on from the cursor that the one before left. A slice that is
// done twice, since a sweep died before it moved the cursor, must do no harm.
type Job struct {
	// ID is a UUIDv7 as a GUID: the order of ids is that of making.
	ID     string
	Kind   Kind
	Tenant webhook.Tenant
	Status Status
	// Reason says why the job failed, for people; empty otherwise.
	Reason string
	// Cursor is where the next slice begins, in the words of the job's kind.
	// Empty: at the start.
	Cursor string
	// Examined counts the items that the job has looked at, Processed those that
	// it has acted on: events enqueued by a redispatch, items removed by a
	// deletion. A slice that is repeated counts once.
	Examined, Processed int
	// From and To bound the times that the job is about, From included and To
	// not, for kinds that have such bounds.
	From, To time.Time
	// By is who asked for the job.
	By webhook.Associate
	// Made is when the job was created, Updated when it last changed.
	Made, Updated time.Time
	// ExpiresAt is when the store may forget the job; zero while it runs.
	ExpiresAt time.Time
	// Revision counts the writes, from 1.
	Revision int64
}

// Life is how long a job can be looked at after it has ended.
const Life = 30 * 24 * time.Hour

// New returns a job that begins now. It fails only if random does.
func New(kind Kind, tenant webhook.Tenant, by webhook.Associate, now time.Time, random io.Reader) (Job, error) {
	id, err := webhook.NewEventID(now, random)
	if err != nil {
		return Job{}, fmt.Errorf("new job id: %w", err)
	}
	now = now.UTC().Truncate(time.Millisecond)
	return Job{ID: string(id), Kind: kind, Tenant: tenant, Status: Running, By: by, Made: now, Updated: now, Revision: 1}, nil
}

// Next gives the job as its next write is to store it.
func (j Job) Next(now time.Time) Job {
	j.Updated, j.Revision = now.UTC().Truncate(time.Millisecond), j.Revision+1
	if j.Status != Running {
		j.ExpiresAt = j.Updated.Add(Life)
	}
	return j
}

// PassOver notes items that cannot be read, which the slice leaves out, as the
// job's Reason, and returns any other error.
func (j *Job) PassOver(err error) error {
	unreadable, err := webhook.Readable(err)
	if unreadable != nil {
		j.Reason = unreadable.Error()
	}
	return err
}

// Jobs stores jobs.
type Jobs interface {
	// Create stores a new job. It must be Running and of Revision 1. ErrExists
	// if a running job has the id; then nothing changed.
	Create(ctx context.Context, j Job) error

	// Get reads a job, running or ended. Whose it is, the caller checks.
	Get(ctx context.Context, id string) (Job, error)

	// Running returns up to limit jobs that are Running, the oldest first. It
	// costs nothing for those that have ended.
	Running(ctx context.Context, limit int) ([]Job, error)

	// Update replaces a job that is Running and whose Revision is
	// j.Revision-1, so that of two slices from one cursor one counts. Else, if
	// the job is there, ErrConflict, and nothing changed: a job that has ended
	// stays as it is. ErrNotFound if there is none.
	Update(ctx context.Context, j Job) error
}

// ErrNotYet is what a slice of a job returns that has nothing to do before the
// next minute.
var ErrNotYet = errors.New("nothing to do yet")

// cancelling is how often Cancel starts over when slices end meanwhile.
var cancelling = backoff.Policy{Tries: 10, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}

// Cancel ends a running job between two of its slices and returns it. A job
// that has ended already is returned as it is. ErrNotFound, ErrConflict if the
// job moved on each time, ErrUnavailable. random draws the waits in between.
func Cancel(ctx context.Context, jobs Jobs, id string, now func() time.Time, random io.Reader) (j Job, err error) {
	err = cancelling.Retry(ctx, random, conflicts, func() error {
		if j, err = jobs.Get(ctx, id); err != nil || j.Status != Running {
			return err
		}
		j.Status = Cancelled
		j = j.Next(now())
		return jobs.Update(ctx, j)
	})
	if err != nil {
		return Job{}, fmt.Errorf("cancel job %s: %w", id, err)
	}
	return j, nil
}

func conflicts(err error) bool { return errors.Is(err, webhook.ErrConflict) }
