// Package ingester makes the taker of EventBridge events and table changes from
// the contracts. It refuses to know a store, a queue or AWS.
package ingester

import (
	"github.com/posthaste-dev/posthaste/pkg/ingest"
	"github.com/posthaste-dev/posthaste/pkg/service"
)

// New returns what takes batches of records.
func New(c service.Contracts) *ingest.Batches {
	return &ingest.Batches{
		Sources: ingest.NewCache(c.Sources, c.Now), Tenants: &ingest.Tenants{Stored: c.Tenants, Now: c.Now},
		Publisher: service.NewPublisher(c), Counters: &ingest.Counters{Sources: c.Sources, Now: c.Now, Logger: c.Logger},
		Logger: c.Logger, Now: c.Now, EventTenant: c.BusTenant, OwnTables: c.OwnTables,
	}
}
