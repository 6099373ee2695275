package sweep

import (
	"context"
	"sync/atomic"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// netLines is how many rows in the net a Run logs.
const netLines = 10

// minute is what one Run reports in its log line.
type minute struct {
	sent    atomic.Int64 // messages of due rows
	late    atomic.Int64 // milliseconds since the earliest row was due
	net     atomic.Int64 // rows that surfaced through the net
	timers  atomic.Int64 // timers that were due
	visited atomic.Int64
	waiting atomic.Int64 // rows that the visits saw, up to delivery.WaitingCounted each
}

// measure notes how late a page's earliest row is. A row is sent up to a minute before
// it is due.
func (r *dueRows) measure(page []delivery.DueRow) {
	if len(page) == 0 {
		return
	}
	late := r.Now().Sub(page[0].SweepAt).Milliseconds()
	for was := r.late.Load(); late > was && !r.late.CompareAndSwap(was, late); was = r.late.Load() {
	}
}

// caught counts a row that surfaced through the net: a drain should have taken it long
// ago.
func (r *dueRows) caught(ctx context.Context, d delivery.DueRow) {
	if r.net.Add(1) <= netLines {
		r.Logger.WarnContext(ctx, "delivery in the net",
			"tenant", string(d.Tenant), "webhook_id", d.Webhook, "event_id", string(d.Event))
	}
}

// log writes the line of the minute.
func (m *minute) log(ctx context.Context, s *Sweeper) {
	s.Logger.InfoContext(ctx, "sweep ended", "count", m.sent.Load(), "late_ms", m.late.Load(), "net", m.net.Load(),
		"timers", m.timers.Load(), "visited", m.visited.Load(), "waiting", m.waiting.Load())
}
