package simulation_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The net of a parked row: the sweep finds it if everything else fails.
const (
	shortestNet = 40 * time.Hour
	longestNet  = 48 * time.Hour
)

func keyOfHook(id hook) webhook.Key { return webhook.Key{Tenant: id.tenant(), ID: id.id()} }

// timerWritten notes when a timer is due.
func (l *witness) timerWritten(ctx context.Context, id hook) {
	t, err := l.w.db.peek.Deliveries().Timer(ctx, keyOfHook(id))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		l.w.tracef("timers", "w%d has no timer", id)
		delete(l.timers, id)
	case err != nil:
		l.w.violated("store", "the timer of w%d was written but cannot be read: %v", id, err)
	default:
		l.w.tracef("timers", "w%d is due at %s, width %d, empty %t", id, stamp(t.DueAt.Sub(l.w.began)), t.Width, !t.EmptySince.IsZero())
		l.timers[id] = t.DueAt
	}
}

// checkParked checks the write of a row that is parked, and that the net caught none.
func (l *witness) checkParked(name string, p *process, old, row delivery.Row) {
	gone := l.accounts[about(row.Key)] == nil || !l.accounts[about(row.Key)].history.Last().Exists // its rows end in the net
	down := row.Parked && l.breakerOpen(about(row.Key))                                            // and in an outage of two days they surface
	if p != nil && strings.HasPrefix(p.name, "sweep") && old.Parked && row.SweepAt.After(old.SweepAt) && !gone && !down {
		l.w.violated("net", "%s was parked and no drain has taken it", name)
	}
	if !row.Parked {
		return
	}
	l.parked[putOff{row.Key, row.Round, row.Attempt + 1}] = true
	now := time.Now()
	if old.Parked && row.SweepAt.Equal(old.SweepAt) && row.Attempt == old.Attempt {
		l.w.violated("park", "%s is parked and written again", name)
	}
	if net := row.SweepAt.Sub(now); p != nil && (net < shortestNet-time.Minute-l.w.skew || net > longestNet+l.w.skew) {
		l.w.violated("park", "%s is parked, and its net is %s away", name, net)
	}
	if row.NextAt.After(now.Add(l.w.skew)) {
		l.w.violated("park", "%s is parked, but due at %s", name, stamp(row.NextAt.Sub(l.w.began)))
	}
	if row.LeaseBy != "" || row.Status != delivery.StatusPending {
		l.w.violated("park", "%s is parked, but %s and leased by %q", name, row.Status, row.LeaseBy)
	}
	id := about(row.Key)
	if _, timed := l.timers[id]; !timed && p != nil && !p.current.froze && l.accounts[id] != nil && l.accounts[id].history.Last().Exists {
		l.w.violated("park", "%s is parked, but w%d has no timer", name, id)
	}
}
