package ingest

import (
	"context"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// queueKeeps is how long SQS keeps a message at most. A message said to be older
// has no usable time.
const queueKeeps = 14 * 24 * time.Hour

// Bus takes a batch of messages whose bodies are EventBridge events, and returns
// the ids of those that must be received again because an event could not be
// stored. Each source that matches makes one event; if none does, the built-in
// one of EventTenant. Messages that can never become events are counted, not
// returned.
func (b *Batches) Bus(ctx context.Context, messages []source.Message) (failed []string) {
	work := b.begin()
	defer work.end(ctx)
	bad := work.bus(ctx, messages)
	for i, m := range messages {
		if bad[i] {
			failed = append(failed, m.ID)
		}
	}
	return failed
}

func (b *batch) bus(ctx context.Context, messages []source.Message) (failed []bool) {
	failed = make([]bool, len(messages))
	events := make([]source.BusEvent, len(messages))
	var readable []int
	for i, m := range messages {
		var err error
		if events[i], err = source.ParseBus([]byte(m.Body)); err != nil {
			b.skip(ctx, i, unclaimed, source.ReasonUnreadable)
		} else if strings.HasPrefix(events[i].Source, source.OwnPrefix) {
			b.skip(ctx, i, unclaimed, source.ReasonOwn)
		} else {
			readable = append(readable, i)
		}
	}
	if len(readable) == 0 {
		return failed
	}
	sources, known, err := b.list(ctx, b.now)
	var pairs []pair
	for _, i := range readable {
		found := those(sources, func(s source.Source) bool { return s.Kind == source.KindBus && s.Bus.Matches(events[i]) })
		// One sent before all of them were created had no source then.
		before := func(s source.Source) bool { return b.asOf(messages[i]).Before(s.Created) }
		if known && b.EventTenant != "" && len(those(found, before)) == len(found) {
			found = []source.Source{source.DefaultBus(b.EventTenant)}
		}
		switch {
		case err != nil, len(found) == 0 && !known:
			failed[i] = true
		case len(found) == 0:
			b.skip(ctx, i, unclaimed, source.ReasonNoSource)
		default:
			for _, s := range found {
				pairs = append(pairs, pair{i, s})
			}
		}
	}
	b.takeAll(ctx, pairs, failed, func(p pair) source.Outcome {
		return p.source.FromBus(events[p.record], b.asOf(messages[p.record]))
	})
	return failed
}

// asOf returns the time that an event's own time is compared with. It is the same
// each time the message is received; otherwise an event could get an id derived
// from its time first and, once that is a day ago, another one.
func (b *batch) asOf(m source.Message) time.Time {
	if m.Sent.After(b.now) || m.Sent.Before(b.now.Add(-queueKeeps)) {
		return b.now
	}
	return m.Sent
}
