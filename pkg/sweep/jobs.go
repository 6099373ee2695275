package sweep

import (
	"context"

	"github.com/posthaste-dev/posthaste/pkg/job"
)

// runJobs does slices of the jobs that run, until the stage's time is over.
func (s *Sweeper) runJobs(ctx context.Context) error {
	if s.Jobs == nil {
		return nil
	}
	failed := skips{sweeper: s, what: "jobs"}
	runner := job.Runner{Jobs: s.Jobs, Slices: s.Runners, Logger: s.Logger, Now: s.Now}
	jobs, err := runner.Running(ctx)
	if err = failed.readable(ctx, err); err != nil {
		return err
	}
	runner.Run(ctx, jobs, otherTime, failed.skip)
	return failed.err()
}
