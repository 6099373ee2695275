package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stored is what a Runner needs of Jobs.
type Stored interface {
	Running(ctx context.Context, limit int) ([]Job, error)
	Update(ctx context.Context, j Job) error
}

// Slice does one slice of a job's work from the job's cursor, and returns the job
// with its cursor moved and its counters raised: Done when nothing is left, Failed
// with a reason if it can never continue. It does not set Revision and Updated.
//
// A slice must take a second or two at most, since only its context ends it early,
// and must do no harm when it is repeated: the job is stored after it, and a sweep
// may die in between. An error leaves the job where it was; the next minute retries.
type Slice func(ctx context.Context, j Job) (Job, error)

// Runner does slices of running jobs. Its fields must be set before use and not
// changed afterwards. Several may run at once: of two slices from one cursor one
// counts.
type Runner struct {
	Jobs   Stored
	Slices map[Kind]Slice
	Logger *slog.Logger
	Now    func() time.Time
}

const (
	sliceTime = 10 * time.Second // until a slice's context ends
	jobsAtOne = 1_000            // jobs that one Run works on
)

// Running returns the jobs for one Run. Each minute a different job comes first,
// so that jobs that use up the time, or fail, do not starve the others. A
// *webhook.UnreadableError names the jobs that it leaves out.
func (r *Runner) Running(ctx context.Context) ([]Job, error) {
	jobs, err := r.Jobs.Running(ctx, jobsAtOne)
	if len(jobs) > 0 {
		first := int(r.Now().Unix()/60) % len(jobs)
		jobs = slices.Concat(jobs[first:], jobs[:first])
	}
	return jobs, err
}

// Run does slices of the jobs, one of each in turn, until all have ended, the time
// is over, or no job makes progress. It calls skip for a job whose slice fails, and
// leaves that job to a later Run. It overwrites jobs.
func (r *Runner) Run(ctx context.Context, jobs []Job, during time.Duration, skip func(ctx context.Context, id string, err error)) {
	began := r.Now()
	over := func() bool { return ctx.Err() != nil || r.Now().Sub(began) >= during }
	for len(jobs) > 0 {
		rest := jobs[:0]
		for _, j := range jobs {
			if over() {
				return
			}
			if r.Now().Before(j.NotBefore) {
				continue
			}
			next, err := r.slice(ctx, j)
			switch {
			case errors.Is(err, webhook.ErrConflict), errors.Is(err, webhook.ErrNotFound):
				// It was cancelled, or another sweep did the slice.
			case errors.Is(err, ErrNotYet):
			case err != nil:
				skip(ctx, j.ID, fmt.Errorf("%s: %w", j.Kind, err))
			case next.Status == Running:
				rest = append(rest, next)
			default:
				r.Logger.InfoContext(ctx, "job ended", "action", string(next.Kind), "tenant", string(next.Tenant),
					"outcome", string(next.Status), "count", next.Processed)
			}
		}
		jobs = rest
	}
}

// slice does a slice of a job and stores the job.
func (r *Runner) slice(ctx context.Context, j Job) (next Job, err error) {
	do := r.Slices[j.Kind]
	if do == nil {
		return j, errors.New("no runner for this kind of job")
	}
	defer func() {
		if cause := recover(); cause != nil {
			next, err = j, fmt.Errorf("slice panicked: %v", cause)
		}
	}()
	slicing, cancel := context.WithTimeout(ctx, sliceTime)
	defer cancel()
	next, err = do(slicing, j)
	if err != nil {
		return j, err
	}
	next.Revision = j.Revision
	next = next.Next(r.Now())
	return next, r.Jobs.Update(ctx, next)
}
