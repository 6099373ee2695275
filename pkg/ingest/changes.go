package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// stampLag is how much later than its stamp a change may have been made, by this
// process's clock: stamps are rounded down to the second, and clocks differ. A source
// may have been created within that time, before the change.
const stampLag = 2 * time.Second

// Changes takes a batch of records of tables' streams and returns the lowest
// sequence number of those that must be delivered again because an event could
// not be stored, or "". Each source that has the table makes at most one event of
// a record. Records that can never become events are counted, not returned. No
// order is kept.
func (b *Batches) Changes(ctx context.Context, records []json.RawMessage) (failed string) {
	work := b.begin()
	defer work.end(ctx)
	changes, bad := work.changes(ctx, records)
	for i, c := range changes {
		if bad[i] && (failed == "" || lower(c.Sequence, failed)) {
			failed = c.Sequence
		}
	}
	return failed
}

func (b *batch) changes(ctx context.Context, records []json.RawMessage) (changes []source.Change, failed []bool) {
	changes, failed = make([]source.Change, len(records)), make([]bool, len(records))
	unreadable := make([]bool, len(records))
	var newest time.Time
	for i, raw := range records {
		var err error
		changes[i], err = source.ParseChange(raw)
		// One without a sequence number could not be asked for again.
		unreadable[i] = err != nil || changes[i].Sequence == ""
		if stamp := changes[i].Stamp; stamp.After(newest) {
			newest = stamp
		}
	}
	sources, known, err := b.list(ctx, newest.Add(stampLag))
	var pairs []pair
	for i, c := range changes {
		having := those(sources, func(s source.Source) bool { return s.Kind == source.KindTable && s.Table.Table == c.Table })
		switch {
		case unreadable[i]:
			b.skipFor(ctx, i, having, source.ReasonUnreadable)
		case b.own(c.Table):
			b.skipFor(ctx, i, having, source.ReasonTable)
		case err != nil, len(having) == 0 && !known:
			failed[i] = true
		case len(having) == 0:
			b.skip(ctx, i, unclaimed, source.ReasonNoSource)
		default:
			for _, s := range having {
				pairs = append(pairs, pair{i, s})
			}
		}
	}
	b.takeAll(ctx, pairs, failed, func(p pair) source.Outcome { return p.source.FromChange(changes[p.record]) })
	return changes, failed
}

// own reports whether the ARN is that of a table of this service.
func (b *Batches) own(table string) bool {
	return slices.Contains(b.OwnTables, table[strings.LastIndexByte(table, '/')+1:])
}

// skipFor counts a skipped record for each source that has its table.
func (b *batch) skipFor(ctx context.Context, record int, having []source.Source, reason source.Reason) {
	if len(having) == 0 {
		b.skip(ctx, record, unclaimed, reason)
	}
	for _, s := range having {
		b.skip(ctx, record, s.Name, reason)
	}
}

// lower reports whether a sequence number, which has more digits than an integer
// type, is lower than another.
func lower(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0
}
