package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// This file is what a visit of a timer decides, as pure functions of the timer and of
// what the visit has read.

const (
	// WaitingCounted is how many parked rows a visit counts.
	WaitingCounted = 1_000
	// ProbeAhead is how long before its time a probe is sent, with a delay to the second.
	ProbeAhead = time.Minute

	minWidth = 16
	maxWidth = 256
	// maxDrains are the drains of a minute, one after the other.
	maxDrains  = 12
	drainEvery = 5 * time.Second
)

// ProbeSoon reports whether a visit at now sends the probe of an open breaker, unless
// no rows are parked.
func ProbeSoon(b webhook.Breaker, now time.Time) bool {
	return !b.Probing(now) && !b.ProbeAt.After(now.Add(ProbeAhead))
}

// Waits returns the timer after a visit at now that finds the breaker open and no probe
// due: it is due again in time for the next probe, or when the one under way is over. A
// webhook whose target is down begins again with the smallest width.
func (t Timer) Waits(b webhook.Breaker, now time.Time) Timer {
	t.DueAt, t.EmptySince, t.Width = b.ProbeAt.Add(-ProbeAhead), time.Time{}, 0
	if b.Probing(now) {
		t.DueAt = b.ProbeUntil
	}
	return t.by(now.Add(timerInterval))
}

// Probes returns the probe of an open breaker that is due, and the timer after the visit
// at now that sends it. The timer is due again a minute after the probe begins, when its
// outcome is usually known.
func (t Timer) Probes(b webhook.Breaker, now time.Time) (Timer, []Outgoing) {
	at := now
	if b.ProbeAt.After(now) {
		at = b.ProbeAt
	}
	t.DueAt, t.EmptySince, t.Width = at.Add(timerAgain), time.Time{}, 0
	return t, []Outgoing{{Message: ProbeMessage(t.Key), Delay: at.Sub(now)}}
}

// Drains returns the drains of the next minute, and the timer after the visit at now
// that sends them because it finds the breaker closed, or the webhook not Active, and
// rows parked; waiting is their number, up to WaitingCounted. A drain begins at least as
// many attempts as it is wide, so a few rows take few drains. The next minute's are
// twice as wide; one that stops for failures halves that.
func (t Timer) Drains(waiting int, now time.Time) (Timer, []Outgoing) {
	width := max(t.Width, minWidth)
	drains := maxDrains
	if waiting < WaitingCounted {
		drains = min((waiting+width-1)/width, maxDrains)
	}
	out := make([]Outgoing, drains)
	for i := range out {
		out[i] = Outgoing{Message: DrainMessage(t.Key, i%ParkedPartitions, width), Delay: time.Duration(i) * drainEvery}
	}
	t.DueAt, t.EmptySince, t.Width = now.Add(timerAgain), time.Time{}, min(2*width, maxWidth)
	return t, out
}

// Empty returns the timer after a visit at now that finds nothing parked. From now on,
// parking a row makes the timer due.
func (t Timer) Empty(now time.Time) Timer {
	if t.EmptySince.IsZero() {
		t.EmptySince = now
	}
	t.DueAt, t.Width = t.EmptySince.Add(timerLooks), 0
	return t
}

// EmptyOpen is Empty while the breaker is open. No row is left to probe it with. Rows
// that the index does not show yet are found by the looks of the next five minutes; from
// then on the timer waits for a row, or for its longest interval.
func (t Timer) EmptyOpen(now time.Time) Timer {
	t = t.Empty(now)
	t.DueAt = now.Add(timerAgain)
	if t.Removable(now) {
		t.DueAt = now.Add(timerInterval)
	}
	return t
}

// Removable reports whether a look at now that finds nothing parked comes long enough
// after the first one. If the breaker is closed too, the timer is removed.
func (t Timer) Removable(now time.Time) bool {
	return !t.EmptySince.IsZero() && now.Sub(t.EmptySince) >= timerLooks
}

// by makes the timer due at a time at the latest.
func (t Timer) by(latest time.Time) Timer {
	if t.DueAt.After(latest) {
		t.DueAt = latest
	}
	return t
}
