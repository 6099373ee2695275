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
	Redispatch   Kind = "redispatch"    // make the missing deliveries of a tenant's events of a period
	Replay       Kind = "replay"        // send past events to a webhook again
	DeleteTenant Kind = "delete_tenant" // remove everything that is stored about a tenant

	MoveToManager Kind = "move_secrets_to_manager" // move secrets into Secrets Manager
	MoveToItems   Kind = "move_secrets_to_sealed"  // seal them in the items of their webhooks and sources instead
	RotateRoot    Kind = "rotate_secret_root"      // add a root key, and seal all sealed secrets under it
)

// Status is the state of a job.
type Status string

// The statuses of a job, as the API prints them. All but Running are final.
const (
	Running   Status = "Running"
	Done      Status = "Done"
	Cancelled Status = "Cancelled" // on request; the work done so far remains
	Failed    Status = "Failed"    // it cannot continue; Reason says why
)

// Job is work that takes longer than a call: the sweep does it in slices, each of
// which continues from the cursor of the previous one. A slice may run twice, if a
// sweep died before it moved the cursor, and must do no harm then.
type Job struct {
	// ID is a UUIDv7 as a GUID: ids are in the order of creation.
	ID     string
	Kind   Kind
	Tenant webhook.Tenant
	// Webhook is the webhook that the job is about; 0: none. A webhook has at most one
	// running job.
	Webhook int32
	Status  Status
	// Reason says why the job failed, for people; empty otherwise.
	Reason string
	// Cursor is where the next slice begins, in a form that the job's kind defines.
	// Empty: at the start.
	Cursor string
	// Examined counts the items that the job has looked at, Processed those that
	// it has acted on: events enqueued by a redispatch, rounds begun by a replay, items
	// removed by a deletion, secrets that were moved or sealed again. A slice that is
	// repeated counts once.
	Examined, Processed int
	// From and To bound the job's period, From included and To not. Zero for kinds
	// without a period.
	From, To time.Time
	// Plan is what the job is to do, and Progress what it knows by now, both in a form
	// that the job's kind defines. The Plan never changes.
	Plan, Progress string
	// NotBefore is when the first slice may run. Zero: at once.
	NotBefore time.Time
	// By is the associate who requested the job.
	By webhook.Associate
	// Made is when the job was created, Updated when it last changed.
	Made, Updated time.Time
	// ExpiresAt is when the store may remove the job; zero while it runs.
	ExpiresAt time.Time
	// Revision counts the writes, from 1.
	Revision int64
}

// Life is how long a job can be read after it has ended.
const Life = 30 * 24 * time.Hour

// New returns a job that begins now. It fails only if reading random does.
func New(kind Kind, tenant webhook.Tenant, by webhook.Associate, now time.Time, random io.Reader) (Job, error) {
	id, err := webhook.NewEventID(now, random)
	if err != nil {
		return Job{}, fmt.Errorf("new job id: %w", err)
	}
	now = now.UTC().Truncate(time.Millisecond)
	return Job{ID: string(id), Kind: kind, Tenant: tenant, Status: Running, By: by, Made: now, Updated: now, Revision: 1}, nil
}

// Next returns the job as its next write must store it.
func (j Job) Next(now time.Time) Job {
	j.Updated, j.Revision = now.UTC().Truncate(time.Millisecond), j.Revision+1
	if j.Status != Running {
		j.ExpiresAt = j.Updated.Add(Life)
	}
	return j
}

// PassOver sets the job's Reason if err is about unreadable items, which the slice
// skips, and returns any other error.
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
	// if a running job has the id, *BusyError if the job's webhook has a running job;
	// then nothing changed.
	Create(ctx context.Context, j Job) error

	// Get reads a job, running or ended. ErrNotFound if it does not exist. The
	// caller checks the tenant.
	Get(ctx context.Context, id string) (Job, error)

	// Running returns up to limit jobs that are Running, the oldest first. Jobs
	// that have ended cost nothing.
	Running(ctx context.Context, limit int) ([]Job, error)

	// OfWebhook returns up to limit jobs about a webhook, running or ended, the newest
	// first.
	OfWebhook(ctx context.Context, tenant webhook.Tenant, id int32, limit int) ([]Job, error)

	// Update replaces a job that is Running and whose Revision is j.Revision-1, so
	// that of two slices from one cursor one counts. ErrConflict for any other
	// job that exists, and nothing changed: a job that has ended stays as it is.
	// ErrNotFound if the job does not exist.
	Update(ctx context.Context, j Job) error
}

// Founder creates webhooks together with jobs. The stores of webhooks implement it.
type Founder interface {
	// CreateWith does webhook.Webhooks.Create and Jobs.Create of the webhook's first
	// job in one transaction: both are stored, or neither. Errors as for the former.
	CreateWith(ctx context.Context, w webhook.Webhook, j Job) error
}

// BusyError reports that a webhook already has a running job. It is webhook.ErrExists.
type BusyError struct{ Running string } // the job's id

func (e *BusyError) Error() string { return "the webhook already has the running job " + e.Running }
func (e *BusyError) Unwrap() error { return webhook.ErrExists }

// ErrNotYet is returned by a slice that has nothing to do before the next minute.
var ErrNotYet = errors.New("nothing to do yet")

// cancelling bounds how often Cancel starts over because a slice ended meanwhile.
var cancelling = backoff.Policy{Tries: 10, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}

// Cancel ends a running job between two of its slices and returns it. A job that
// has already ended is returned unchanged. random draws the waits between tries.
//
// Errors: ErrNotFound, ErrConflict (the job changed at each try), ErrUnavailable.
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
