package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Batches takes the records that AWS delivers in batches. All fields are required
// except where noted. Its methods may be called concurrently.
type Batches struct {
	Sources   *Cache
	Tenants   *Tenants
	Publisher *webhook.Publisher
	Counters  *Counters
	Logger    *slog.Logger
	Now       func() time.Time
	// EventTenant has the events of a bus that no source matches, with the
	// default mapping. Empty: they are skipped.
	EventTenant webhook.Tenant
	// OwnTables are the names of this service's tables, which are never a source.
	OwnTables []string
	// Became, if not nil, is called, concurrently, with what a record of a batch, by
	// its index, has become under a source: the event as it was stored, or the
	// reason why there is none. A record that no source takes has the name of the
	// built-in one.
	Became func(record int, source string, out source.Outcome)
}

// maxWriting is how many events of a batch are stored at once.
const maxWriting = 16

// unclaimed is the name under which records are counted that no source has.
var unclaimed = source.DefaultBus("").Name

// faults is what a source's counts report as its last fault if a record is
// skipped because the deployment is at fault.
var faults = map[source.Reason]string{
	source.ReasonImages: "the stream must have both images (StreamViewType NEW_AND_OLD_IMAGES)",
	source.ReasonTable:  "a table of this service cannot be a source",
}

// batch is the work on one batch.
type batch struct {
	*Batches
	now time.Time

	mu     sync.Mutex
	counts map[string]source.Counts
	logged map[source.Reason]bool
}

func (b *Batches) begin() *batch {
	return &batch{Batches: b, now: b.Now().UTC(), counts: map[string]source.Counts{}, logged: map[source.Reason]bool{}}
}

// pair is a record, by its index in the batch, and a source that it matches.
type pair struct {
	record int
	source source.Source
}

// those returns the sources for which has returns true.
func those(sources []source.Source, has func(source.Source) bool) (found []source.Source) {
	for _, s := range sources {
		if has(s) {
			found = append(found, s)
		}
	}
	return found
}

// takeAll makes an event of each pair, several at once, and sets failed at the
// records for which an event could not be stored. A record that causes a panic is
// one of these and fails alone.
func (b *batch) takeAll(ctx context.Context, pairs []pair, failed []bool, outcome func(pair) source.Outcome) {
	slots := make(chan struct{}, maxWriting)
	var wg sync.WaitGroup
	for _, p := range pairs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := guarded(func() error { return b.take(ctx, p, outcome(p)) }); err != nil {
				b.mu.Lock()
				failed[p.record] = true
				b.mu.Unlock()
				b.fail(ctx, p.source.Name, err)
			}
		})
	}
	wg.Wait()
}

// guarded returns a panic as an error, with its stack: otherwise one record would
// end the process.
func guarded(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panicked: %v\n%s", cause, debug.Stack())
		}
	}()
	return do()
}

// take stores the event that a record has become. It returns an error if the
// record must be taken again.
func (b *batch) take(ctx context.Context, p pair, out source.Outcome) error {
	skip := func(reason source.Reason) error {
		b.skip(ctx, p.record, p.source.Name, reason, out.Missing...)
		return nil
	}
	if out.Skip != "" {
		return skip(out.Skip)
	}
	accepted, err := b.Tenants.Accepts(ctx, out.Event.Tenant)
	if err != nil {
		return err
	}
	if !accepted {
		return skip(source.ReasonTenant)
	}
	taken, err := b.Publisher.Take(ctx, out.Event, out.Once)
	var invalid *webhook.ValidationError
	switch {
	case errors.As(err, &invalid):
		return skip(source.ReasonName)
	case errors.Is(err, webhook.ErrLoop):
		return skip(source.ReasonLoop)
	case err != nil:
		return err
	}
	counts := source.Counts{Made: 1}
	if taken.Content != nil && taken.Content.Truncated {
		counts.Truncated = 1
	}
	b.count(p.source.Name, counts, out.Missing)
	b.Logger.InfoContext(ctx, "event taken", "source", p.source.Name, "tenant", string(taken.Tenant), "event", taken.Name, "event_id", string(taken.ID))
	out.Event = taken
	b.became(p.record, p.source.Name, out)
	return nil
}

// skip counts a record that becomes no event, and logs the first of its reason.
func (b *batch) skip(ctx context.Context, record int, name string, reason source.Reason, missing ...string) {
	counts := source.Counts{Skipped: map[source.Reason]int64{reason: 1}}
	if fault := faults[reason]; fault != "" {
		counts.LastFault, counts.LastFaultAt = fault, b.now
	}
	b.count(name, counts, missing)
	b.mu.Lock()
	first := !b.logged[reason]
	b.logged[reason] = true
	b.mu.Unlock()
	if first {
		b.Logger.InfoContext(ctx, "record skipped", "source", name, "reason", string(reason))
	}
	b.became(record, name, source.Outcome{Skip: reason, Missing: missing})
}

func (b *batch) became(record int, name string, out source.Outcome) {
	if b.Became != nil {
		b.Became(record, name, out)
	}
}

// fail reports a record that must be taken again. It is not counted as taken
// before it is.
func (b *batch) fail(ctx context.Context, name string, err error) {
	b.Logger.WarnContext(ctx, "event not stored", "source", name, "error", err)
	b.add(name, source.Counts{LastFault: fmt.Sprintf("an event could not be stored: %.300s", err), LastFaultAt: b.now})
}

var errIncomplete = errors.New("some sources cannot be decoded: records that match no other are taken again")

// list returns the sources as they were at since or later. known is false if a
// record that matches none of them may match one that could not be decoded.
func (b *batch) list(ctx context.Context, since time.Time) (sources []source.Source, known bool, err error) {
	sources, known, err = b.Sources.List(ctx, since)
	switch {
	case err != nil:
		b.Logger.ErrorContext(ctx, "sources not readable", "error", err)
	case !known:
		b.Logger.ErrorContext(ctx, "sources not readable", "error", errIncomplete)
	}
	return sources, known, err
}

func (b *batch) count(name string, counts source.Counts, missing []string) {
	counts.Taken, counts.LastTaken = 1, b.now
	if len(missing) > 0 {
		counts.Missing = make(map[string]int64, len(missing))
		for _, m := range missing {
			counts.Missing[m]++
		}
	}
	b.add(name, counts)
}

func (b *batch) add(name string, counts source.Counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[name] = b.counts[name].Add(counts)
}

// end hands the batch's counts on.
func (b *batch) end(ctx context.Context) {
	for name, counts := range b.counts {
		b.Counters.Add(name, counts)
	}
	b.Counters.Flush(ctx)
}
