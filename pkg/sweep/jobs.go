package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Jobs is what the sweep needs of job.Jobs.
type Jobs interface {
	Running(ctx context.Context, limit int) ([]job.Job, error)
	Update(ctx context.Context, j job.Job) error
}

// JobRunner does one slice of a job's work, from the job's cursor on, and
// returns the job with its cursor moved and its counters raised; JobDone once
// nothing is left, JobFailed with a reason if it can never go on. Revision and
// Updated are not its to set.
//
// A slice takes a second or two at most, since nothing ends it but the
// context, and does no harm when it is done again: the job is stored only after
// it, and a sweep may die in between. An error leaves the job where it was; the
// next minute tries again.
type JobRunner func(ctx context.Context, j job.Job) (job.Job, error)

const (
	sliceTime = 10 * time.Second // until a slice's context ends
	jobsAtOne = 1_000            // jobs that one Run takes part in
)

// runJobs does slices of the jobs that run, one of each in turn, until all have
// ended, the stage's time is over, or nothing gets on any more. Each minute
// another job is the first, so that those that use up the time, or fail, keep
// none from its turn.
func (s *Sweeper) runJobs(ctx context.Context) error {
	if s.Jobs == nil {
		return nil
	}
	failed := faults{sweeper: s, what: "jobs"}
	jobs, err := s.Jobs.Running(ctx, jobsAtOne)
	if err = failed.readable(ctx, err); err != nil {
		return err
	}
	began := s.Now()
	if len(jobs) > 0 {
		first := int(began.Unix()/60) % len(jobs)
		jobs = slices.Concat(jobs[first:], jobs[:first])
	}
	over := func() bool { return ctx.Err() != nil || s.Now().Sub(began) >= otherTime }
	for len(jobs) > 0 && !over() {
		rest := jobs[:0]
		for _, j := range jobs {
			if over() {
				return failed.err()
			}
			next, err := s.slice(ctx, j)
			switch {
			case errors.Is(err, webhook.ErrConflict), errors.Is(err, webhook.ErrNotFound):
				// Cancelled meanwhile, or another sweep is at it.
			case errors.Is(err, job.ErrNotYet):
			case err != nil:
				failed.skip(ctx, j.ID, fmt.Errorf("%s: %w", j.Kind, err))
			case next.Status == job.Running:
				rest = append(rest, next)
			default:
				s.Logger.InfoContext(ctx, "job ended", "action", string(next.Kind), "tenant", string(next.Tenant),
					"outcome", string(next.Status), "count", next.Created)
			}
		}
		jobs = rest
	}
	return failed.err()
}

// slice does a slice of a job and stores the job as it is then.
func (s *Sweeper) slice(ctx context.Context, j job.Job) (next job.Job, err error) {
	run := s.Runners[j.Kind]
	if run == nil {
		return j, errors.New("nobody runs jobs of this kind")
	}
	defer func() {
		if cause := recover(); cause != nil {
			next, err = j, fmt.Errorf("slice panicked: %v", cause)
		}
	}()
	slicing, cancel := context.WithTimeout(ctx, sliceTime)
	defer cancel()
	next, err = run(slicing, j)
	if err != nil {
		return j, err
	}
	next.Revision = j.Revision
	next = next.Next(s.Now())
	return next, s.Jobs.Update(ctx, next)
}
