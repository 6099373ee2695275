package webhook

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// noticeTime bounds what notices add to an invocation, and noticeSpare is
	// what must be left of it afterwards.
	noticeTime  = 1500 * time.Millisecond
	noticeSpare = 5 * time.Second
	// noticePause is how long a failure keeps others from being tried.
	noticePause = time.Minute
	// noticeAgain is how long a condition waits to be told again.
	noticeAgain = time.Hour
	// maxPending bounds what waits to be passed on, maxPendingPerTenant what
	// waits of one tenant, so that the webhooks of one leave room for others.
	maxPending          = 100
	maxPendingPerTenant = 20
	maxTold             = 1000 // conditions that are remembered
)

// Notifier collects the notices of a process and passes them on when an
// invocation has done its work. It is best effort, never fails a delivery, and
// delays none of the invocation's:
//
//   - Flush takes at most 1.5 s, by which it delays the next batch. It does
//     nothing within 6.5 s of the invocation's end or in the minute after a
//     failure. So an unreachable bus costs 1.5 s a minute.
//   - What was not passed on waits for the next Flush. It is lost if the process
//     ends before, or if more than 100 wait, or more than 20 of one tenant; the
//     log counts these.
//   - A notice may be passed on twice.
//
// A nil Notifier drops everything. The methods may be called concurrently.
type Notifier struct {
	notices Notices
	logger  *slog.Logger
	now     func() time.Time

	mu      sync.Mutex
	pending []Notice
	dropped int
	failed  time.Time // when a call last failed
	told    map[condition]time.Time
}

// condition identifies what a repeated notice is about.
type condition struct {
	kind   NoticeKind
	tenant Tenant
	source string
	class  NoticeError
	since  int64
}

// NewNotifier returns a Notifier, or nil if notices is nil.
func NewNotifier(notices Notices, logger *slog.Logger, now func() time.Time) *Notifier {
	if notices == nil {
		return nil
	}
	return &Notifier{notices: notices, logger: logger, now: now, told: map[condition]time.Time{}}
}

// Add has a notice passed on by the next Flush. It sets At. A condition that was
// added in the last hour is dropped.
func (n *Notifier) Add(notice Notice) {
	if n == nil {
		return
	}
	notice.At = n.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !notice.Kind.repeats() {
		n.keep(notice)
		return
	}
	key := condition{kind: notice.Kind, tenant: notice.Tenant, source: notice.Source, class: notice.Error, since: notice.Since.UnixMilli()}
	if last, ok := n.told[key]; ok && Elapsed(last, notice.At) < noticeAgain {
		return
	}
	if !n.keep(notice) {
		return
	}
	if len(n.told) >= maxTold {
		clear(n.told)
	}
	n.told[key] = notice.At
}

// keep reports whether there was room for the notice.
func (n *Notifier) keep(notice Notice) bool {
	ofTenant := 0
	for _, p := range n.pending {
		if notice.Tenant != "" && p.Tenant == notice.Tenant {
			ofTenant++
		}
	}
	if len(n.pending) >= maxPending || ofTenant >= maxPendingPerTenant {
		n.dropped++
		return false
	}
	n.pending = append(n.pending, notice)
	return true
}

// Flush passes on what was added. It is called at the end of an invocation.
func (n *Notifier) Flush(ctx context.Context) {
	notices, dropped := n.take(ctx)
	if dropped > 0 {
		n.logger.WarnContext(ctx, "operational events dropped: too many at once", "count", dropped)
	}
	if len(notices) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	for len(notices) > 0 {
		batch := notices[:min(len(notices), MaxNotices)]
		if err := n.notices.Notify(ctx, batch); err != nil {
			n.logger.WarnContext(ctx, "operational events not sent: kept for another try", "count", len(notices), "error", err)
			n.putBack(notices)
			return
		}
		notices = notices[len(batch):]
	}
}

// take returns what is to be passed on now, and how many notices were dropped.
func (n *Notifier) take(ctx context.Context) (notices []Notice, dropped int) {
	if n == nil {
		return nil, 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	deadline, bounded := ctx.Deadline()
	if !n.failed.IsZero() && Elapsed(n.failed, now) < noticePause || bounded && deadline.Sub(now) < noticeTime+noticeSpare {
		return nil, 0
	}
	notices, dropped = n.pending, n.dropped
	n.pending, n.dropped = nil, 0
	return notices, dropped
}

// putBack keeps the notices of a failed call in front of those added since.
func (n *Notifier) putBack(notices []Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = n.now()
	since := n.pending
	n.pending = nil
	for _, notice := range slices.Concat(notices, since) {
		n.keep(notice)
	}
}
