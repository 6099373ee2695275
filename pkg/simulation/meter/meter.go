// Package meter counts what the service takes of DynamoDB, as calls and in the units
// that are billed. It refuses to know prices.
package meter

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
)

// Tables are the names of the tables.
var Tables = dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}

// Database is the service's tables in memory, empty at first. It may be used
// concurrently.
type Database struct {
	*memdb.DB

	mu    sync.Mutex
	spent Spent
}

// Spent is what was taken of a Database. The zero Spent is nothing.
type Spent struct {
	// Calls counts calls by operation, refused ones included.
	Calls map[string]int
	Uses  []memdb.Use
}

// New returns a Database. before runs before each call, which fails with its error;
// nil: nothing does.
func New(now func() time.Time, before func(context.Context) error) *Database {
	m := &Database{}
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	m.DB = memdb.New(memdb.Config{
		Now: now,
		Tables: []memdb.Table{
			{Name: Tables.Webhooks, PK: pk, SK: sk},
			{Name: Tables.Events, PK: pk, SK: sk, Stream: true},
			{Name: Tables.Deliveries, PK: pk, SK: sk, Indexes: []memdb.Index{{
				Name: "due", PK: memdb.Attribute{Name: "due_shard", Type: types.ScalarAttributeTypeN}, SK: memdb.Attribute{Name: "sweep_at", Type: types.ScalarAttributeTypeN},
				Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
			}, {
				Name: "parked", PK: pk, SK: memdb.Attribute{Name: "parked"},
				Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
			}}},
		},
		Before: func(ctx context.Context, op memdb.Operation) error {
			m.mu.Lock()
			if m.spent.Calls == nil {
				m.spent.Calls = map[string]int{}
			}
			m.spent.Calls[op.Name]++
			m.mu.Unlock()
			if before == nil {
				return nil
			}
			return before(ctx)
		},
		Consumed: func(u memdb.Use) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.spent.Uses = append(m.spent.Uses, u)
		},
	})
	return m
}

// Spent returns what was taken since the last call.
func (m *Database) Spent() Spent {
	m.mu.Lock()
	defer m.mu.Unlock()
	spent := m.spent
	m.spent = Spent{}
	return spent
}

// Units returns the read and the write request units of the uses that count.
func (s Spent) Units(counts func(memdb.Use) bool) (read, write float64) {
	for _, u := range s.Uses {
		if counts(u) {
			read, write = read+u.Read, write+u.Write
		}
	}
	return read, write
}

// String returns the calls and the sum of the units.
func (s Spent) String() string {
	read, write := s.Units(func(memdb.Use) bool { return true })
	return strings.TrimPrefix(fmt.Sprintf("%v, %.1f read units, %.0f write units", s.Calls, read, write), "map")
}
