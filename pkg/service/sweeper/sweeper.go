// Package sweeper builds the sweep from the contracts, with a runner for every
// kind of job. It refuses to depend on a store, a queue or AWS.
package sweeper

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// New returns the sweep. failures is nil if the stream never gives up on a record,
// as in the local run.
func New(c service.Contracts, dead sweep.DeadLetters, failures sweep.Failures) *sweep.Sweeper {
	deletion := &tenancy.Deletion{Registry: service.NewRegistry(c), Tenants: c.Tenants, Credentials: c.Credentials, Erasure: c.Erasure}
	var sources sweep.Sources
	if c.Sources != nil {
		sources, deletion.Sources = c.Sources, service.NewSources(c)
	}
	runners := map[job.Kind]job.Slice{
		job.Redispatch:   replay.RedispatchSlice(c.Events, c.Messages),
		job.Replay:       service.NewReplaySlice(c),
		job.DeleteTenant: deletion.Slice,
	}
	if c.Custody != nil {
		mover := &custody.Mover{
			Webhooks: c.Webhooks, Stores: c.Custody, NextTenant: nextTenant(c.Tenants), Logger: c.Logger, Now: c.Now, Pause: wait, HistoryLife: c.Delivering.RowLife(),
		}
		if c.Sources != nil {
			mover.Sources = service.NewSources(c)
		}
		for _, kind := range []job.Kind{job.MoveToManager, job.MoveToItems, job.RotateRoot} {
			runners[kind] = mover.Slice
		}
	}
	return sweep.New(sweep.Config{
		Deliveries: c.Deliveries, Webhooks: c.Webhooks, Events: c.Events, Secrets: c.Secrets,
		Messages: c.Messages, DeadLetters: dead, Failures: failures, Notices: c.Notices,
		Logger: c.Logger, Now: c.Now, RowLife: c.Delivering.RowLife(),
		Jobs: c.Jobs, Runners: runners,
		Sources: sources,
	})
}

// nextTenant returns a function that returns the tenant after one. The first tenant
// exists even without a record.
func nextTenant(tenants tenancy.Tenants) func(ctx context.Context, after webhook.Tenant) (webhook.Tenant, error) {
	return func(ctx context.Context, after webhook.Tenant) (next webhook.Tenant, err error) {
		page, err := tenants.List(ctx, after, 1)
		if _, err = webhook.Readable(err); err != nil {
			return "", err
		}
		if len(page) > 0 {
			next = page[0].Name
		}
		if after < tenancy.FirstTenant && (next == "" || tenancy.FirstTenant < next) {
			next = tenancy.FirstTenant
		}
		return next, nil
	}
}

// wait waits, unless ctx ends earlier.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
