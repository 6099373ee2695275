// Package service wires the parts of Posthaste on any implementation of the
// contracts: the API (service/api), the delivery engine (service/dispatcher), the
// sweep (service/sweeper), the taker of records (service/ingester) and the sender
// of POSTs (service/sending). The Lambda functions, the local run and the
// simulation all build their parts here. Each part has its own package so that a
// function links only the parts it runs.
//
// The packages refuse to depend on a store, a queue or AWS: callers pass
// implementations of the contracts. They read no environment variables, open
// nothing, start no goroutines, and decide nothing about a webhook or a delivery.
package service

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Contracts holds the dependencies of the parts. A field may be nil for parts
// that the comment of its group does not name.
type Contracts struct {
	// All parts.
	Logger     *slog.Logger
	Now        func() time.Time
	Random     io.Reader
	Delivering config.Delivering
	Webhooks   webhook.Webhooks
	Events     webhook.Events
	Deliveries delivery.Store
	Statistics statistics.Store
	Secrets    webhook.Secrets

	// The API, the sweep and the taker of records.
	Tenants     tenancy.Tenants
	Credentials tenancy.Credentials
	Jobs        job.Jobs
	// Founder is Webhooks, where they are created.
	Founder job.Founder
	Sources source.Sources
	// Custody is both stores of secrets. nil: there is one store, and its key is not
	// rotated.
	Custody custody.Stores
	// OwnTables are the names of the service's tables, which are never sources.
	OwnTables []string
	// BusTenant is the tenant of the events of a bus for which no source is
	// configured. Empty: there is no bus.
	BusTenant webhook.Tenant

	// The engine, the sweep, and the API to send messages.
	Messages Queue
	// Notices passes on operational notices; nil: they are not raised.
	Notices notice.Notices

	// The sweep.
	Erasure tenancy.Erasure
}

// Queue is the delivery queue as its senders and its consumer see it.
type Queue interface {
	delivery.Queue
	delivery.Visibility
}

// NewRegistry returns a registry that checks no targets.
func NewRegistry(c Contracts) *webhook.Registry {
	return &webhook.Registry{
		Webhooks: c.Webhooks, Secrets: c.Secrets, Events: c.Events,
		Now: c.Now, Random: c.Random, EventLife: c.Delivering.EventTTL, HistoryLife: c.Delivering.RowLife(),
	}
}

// Pull returns the Turned of a registry: it makes the timer of a webhook due, so that
// what waits for it is drained within a minute. A pull that is lost costs a quarter of an
// hour.
func Pull(c Contracts) func(ctx context.Context, written webhook.Key) {
	return func(ctx context.Context, written webhook.Key) {
		if err := c.Deliveries.PullTimer(ctx, written, c.Now()); err != nil {
			c.Logger.WarnContext(ctx, "timer not pulled", "tenant", string(written.Tenant), "webhook_id", written.ID, "error", err)
		}
	}
}

// NewSources returns a registry of sources.
func NewSources(c Contracts) *source.Registry {
	tenants := &tenancy.Administration{Tenants: c.Tenants}
	return &source.Registry{
		Sources: c.Sources, Secrets: c.Secrets, Intents: c.Webhooks, OwnTables: c.OwnTables, BusTenant: c.BusTenant,
		EventLife: c.Delivering.EventTTL, Now: c.Now, Random: c.Random,
		TenantExists: tenants.Receives,
	}
}

// NewExplainer returns the part that explains what became of events, to those who may
// see them by the registry.
func NewExplainer(c Contracts, registry *webhook.Registry) *explain.Explainer {
	return &explain.Explainer{Webhooks: registry, Deliveries: c.Deliveries, Health: c.Webhooks.Health, Now: c.Now}
}

// NewRetry returns the part that begins another round of a delivery, to those who may
// see its webhook by the registry.
func NewRetry(c Contracts, registry *webhook.Registry) *replay.Retry {
	return &replay.Retry{
		Webhooks: registry, Events: c.Events, Deliveries: c.Deliveries, Messages: c.Messages, Logger: c.Logger, Now: c.Now,
		EventLife: c.Delivering.EventTTL, RowLife: c.Delivering.RowLife(),
	}
}

// NewReplays returns the part that begins, shows and cancels replays, for those who may
// see their webhook by the registry.
func NewReplays(c Contracts, registry *webhook.Registry) *replay.Replays {
	return &replay.Replays{
		Webhooks: registry, Jobs: c.Jobs, Founder: c.Founder, Slice: NewReplaySlice(c), Logger: c.Logger, Now: c.Now, Random: c.Random, EventLife: c.Delivering.EventTTL,
	}
}

// NewReplaySlice returns what does the slices of replays.
func NewReplaySlice(c Contracts) job.Slice {
	w := replay.Worker{
		Webhooks: c.Webhooks, Events: c.Events, Deliveries: c.Deliveries, Messages: c.Messages, Now: c.Now, RowLife: c.Delivering.RowLife(),
	}
	return w.Slice
}

// NewPublisher returns a publisher of events.
func NewPublisher(c Contracts) *webhook.Publisher {
	return &webhook.Publisher{Events: c.Events, Now: c.Now, Random: c.Random, Life: c.Delivering.EventTTL}
}
