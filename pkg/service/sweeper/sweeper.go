// Package sweeper builds the sweep from the contracts, with a runner for every
// kind of job. It refuses to depend on a store, a queue or AWS.
package sweeper

import (
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
)

// New returns the sweep. failures is nil if the stream never gives up on a record,
// as in the local run.
func New(c service.Contracts, dead sweep.DeadLetters, failures sweep.Failures) *sweep.Sweeper {
	deletion := &tenancy.Deletion{Registry: service.NewRegistry(c), Tenants: c.Tenants, Credentials: c.Credentials, Erasure: c.Erasure}
	var sources sweep.Sources
	if c.Sources != nil {
		sources, deletion.Sources = c.Sources, service.NewSources(c)
	}
	return sweep.New(sweep.Config{
		Deliveries: c.Deliveries, Webhooks: c.Webhooks, Events: c.Events, Secrets: c.Secrets,
		Messages: c.Messages, DeadLetters: dead, Failures: failures, Notices: c.Notices,
		Logger: c.Logger, Now: c.Now, RowLife: c.Delivering.RowLife(),
		Jobs: c.Jobs, Runners: map[job.Kind]job.Slice{
			job.Redispatch:   replay.RedispatchSlice(c.Events, c.Messages),
			job.Replay:       service.NewReplaySlice(c),
			job.DeleteTenant: deletion.Slice,
		},
		Sources: sources,
	})
}
