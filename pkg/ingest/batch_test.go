package ingest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/ingest"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// unlisted is in records, but no mapping lists it.
const unlisted = "4111 1111 1111 1111"

// batchBench is Batches on the real stores and a DynamoDB in memory.
type batchBench struct {
	*ingest.Batches
	t     testing.TB
	clock *webhooktest.Clock
	store *dynamo.Store
	log   *lines

	mu     sync.Mutex
	before func(memdb.Operation) error
}

func newBatchBench(t testing.TB) *batchBench {
	t.Helper()
	b := &batchBench{t: t, clock: webhooktest.NewClock(start), log: &lines{}}
	tables := dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}
	pk, sk := memdb.Attribute{Name: "pk", Type: "S"}, memdb.Attribute{Name: "sk", Type: "S"}
	db := memdb.New(memdb.Config{
		Now: b.clock.Now, Tables: []memdb.Table{{Name: "webhooks", PK: pk, SK: sk}, {Name: "events", PK: pk, SK: sk}, {Name: "deliveries", PK: pk, SK: sk}},
		Before: func(_ context.Context, op memdb.Operation) error {
			b.mu.Lock()
			before := b.before
			b.mu.Unlock()
			if before == nil {
				return nil
			}
			return before(op)
		},
	})
	b.store = dynamo.New(db, tables, dynamo.Options{Now: b.clock.Now, Random: webhooktest.Random(1)})
	logger := slog.New(slog.NewMultiHandler(webhooktest.Logger(t, unlisted).Handler(), slog.NewTextHandler(b.log, nil)))
	b.Batches = &ingest.Batches{
		Sources:   ingest.NewCache(b.store.Sources(), b.clock.Now),
		Tenants:   &ingest.Tenants{Stored: b.store.Tenants(), Now: b.clock.Now},
		Publisher: &webhook.Publisher{Events: b.store.Events(), Now: b.clock.Now, Random: webhooktest.Random(2), Life: 30 * 24 * time.Hour},
		Counters:  &ingest.Counters{Sources: b.store.Sources(), Now: b.clock.Now, Logger: logger},
		Logger:    logger, Now: b.clock.Now, OwnTables: []string{"webhooks", "events", "deliveries"},
	}
	return b
}

// failing has calls of the store fail for which fails returns true.
func (b *batchBench) failing(fails func(memdb.Operation) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = nil
	if fails != nil {
		b.before = func(op memdb.Operation) error {
			if fails(op) {
				return errors.New("access denied") // which no store repeats
			}
			return nil
		}
	}
}

func (b *batchBench) put(s source.Source) {
	b.t.Helper()
	if s.Created.IsZero() {
		s.Created = b.clock.Now().Add(-time.Hour)
	}
	s.Revision = max(s.Revision, 1)
	if err := b.store.Sources().Put(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

// events lists a tenant's events.
func (b *batchBench) events(tenant webhook.Tenant) []webhook.Event {
	b.t.Helper()
	all, err := b.store.Events().List(b.t.Context(), tenant, webhook.FirstEventID(time.Time{}), webhook.EventID(strings.Repeat("f", 36)), 10_000)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// names returns the names of a tenant's events, sorted.
func (b *batchBench) names(tenant webhook.Tenant) []string {
	b.t.Helper()
	names := []string{}
	for _, e := range b.events(tenant) {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// counts returns what is counted of a source, by now.
func (b *batchBench) counts(name string) source.Counts {
	b.t.Helper()
	b.clock.Advance(time.Minute)
	b.Counters.Flush(b.t.Context())
	c, err := b.store.Sources().Counts(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// skipped returns the counted skips in words.
func skipped(c source.Counts) string {
	var words []string
	for _, reason := range slices.SortedFunc(maps.Keys(c.Skipped), cmp.Compare[source.Reason]) {
		words = append(words, fmt.Sprint(reason, " ", c.Skipped[reason]))
	}
	return strings.Join(words, ", ")
}

// lines collects what is logged at info and above.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

var _ io.Writer = (*lines)(nil)

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

func busSource(name string, tenant webhook.Tenant, detailTypes ...string) source.Source {
	return source.Source{Name: name, Kind: source.KindBus, Tenant: tenant, Bus: &source.Bus{DetailTypes: detailTypes, Fields: []string{"total"}}}
}

// message returns a queued bus event with an id of its own.
func message(n int, detailType string, at time.Time) source.Message {
	body := fmt.Sprintf(`{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-%012d","detail-type":%q,"source":"shop","account":"111122223333","time":%q,`+
		`"region":"eu-west-1","resources":[],"detail":{"total":%d,"card":%q}}`, n, detailType, at.Format(time.RFC3339), n, unlisted)
	return source.Message{ID: fmt.Sprint("m", n), Body: body}
}

const orders = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"

func tableSource(name string) source.Source {
	return source.Source{
		Name: name, Kind: source.KindTable, Tenant: "Default",
		Table: &source.Table{Table: orders, Entity: "order", Fields: []string{"status"}, Key: []string{"id"}},
	}
}

// change returns a record of a table's stream, whose sequence number is longer
// than an integer.
func change(n int, table string, stamp time.Time) json.RawMessage {
	image := func(status string) string {
		return fmt.Sprintf(`{"id":{"S":"A-%d"},"status":{"S":%q},"note":{"S":%q},"card":{"S":%q}}`, n, status, status, unlisted)
	}
	return json.RawMessage(fmt.Sprintf(`{"eventID":"e%d","eventName":"MODIFY","eventSource":"aws:dynamodb","eventSourceARN":"%s/stream/2026-11-01T00:00:00.000",`+
		`"dynamodb":{"ApproximateCreationDateTime":%d,"SequenceNumber":"%s","StreamViewType":"NEW_AND_OLD_IMAGES","OldImage":%s,"NewImage":%s}}`,
		n, table, stamp.Unix(), sequence(n), image("new"), image("paid")))
}

// sequence returns the n-th sequence number; from 9 to 10 it gets longer.
func sequence(n int) string { return fmt.Sprint(n) + "00000000000000000000" }
