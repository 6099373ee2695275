package simulation_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// reasons counts what entitles processes to send a message for a delivery: a call of
// the stream consumer or an expansion of its event, an attempt that failed, a claim
// of the sweep, a retry that a user asked for, and a message that the queue refused.
type reasons struct {
	byEvent    map[webhook.EventID]int
	byDelivery map[delivery.Key]int
	used       map[delivery.Key]int
	received   map[delivery.Key]int // messages for the delivery, and drains that took it
	forwarded  map[delivery.Key]int // messages sent on to the slow lane
	written    map[delivery.Key]int // by consumers of the queue
	recorded   map[delivery.Key]int // by consumers of the stream
	unsure     map[string]int       // writes of which a process does not know whether they took effect
}

func newReasons() reasons {
	return reasons{map[webhook.EventID]int{}, map[delivery.Key]int{}, map[delivery.Key]int{}, map[delivery.Key]int{}, map[delivery.Key]int{}, map[delivery.Key]int{}, map[delivery.Key]int{}, map[string]int{}}
}

// countWrite checks that a row is written at most twice for each message that is received
// for its delivery, with the lease and with the outcome, once in each call of the stream
// that has its event, and once more for each write whose response was lost. The sweep's
// writes have checks of their own.
func (l *witness) countWrite(name string, p *process, key delivery.Key) {
	r := &l.reasons
	again := r.unsure[l.about(about(key), key.Event)]
	switch {
	case p == nil:
	case strings.HasPrefix(p.name, "retry"):
		if r.written[key]++; r.written[key] > 2*r.received[key]+again {
			l.w.violated("work", "%s is written %d times by consumers of the queue, which received %d messages for it", name, r.written[key], r.received[key])
		}
	case strings.HasPrefix(p.name, "deliver"):
		if r.recorded[key]++; r.recorded[key] > r.byEvent[key.Event]+again {
			l.w.violated("work", "%s is written %d times by the stream, which had its event in %d calls", name, r.recorded[key], r.byEvent[key.Event])
		}
	}
}

// spend checks that there is a reason for a message, and that it arrives when the
// row is due.
func (l *witness) spend(p *process, m delivery.Outgoing) {
	if m.Message.Kind != delivery.MessageAttempt {
		return
	}
	key := m.Message.Key()
	name := l.w.witness.about(about(key), webhook.EventID(l.events[key.Event].name))
	if m.Message.Slow && m.Message.Hops > 0 {
		// A message in hand was forwarded to the slow lane, or its attempt was cut late.
		if l.reasons.forwarded[key]++; l.reasons.forwarded[key] > l.reasons.received[key]+l.reasons.byDelivery[key] {
			l.w.violated("work", "%s is sent to the slow lane %d times, and was received %d times", name, l.reasons.forwarded[key], l.reasons.received[key])
		}
	} else if l.reasons.used[key]++; l.reasons.used[key] > l.reasons.byEvent[key.Event]+l.reasons.byDelivery[key] {
		l.w.violated("work", "%d messages are sent for %s, one more than there were reasons", l.reasons.used[key], name)
	}
	now, row := time.Now(), l.rows[key]
	if row.Status != delivery.StatusPending || row.Round != m.Message.Round || row.Attempt != m.Message.Attempt-1 || row.LeaseBy != "" || m.Message.Attempt == 1 {
		return
	}
	since := now // when the process computed the delay, or earlier
	if p != nil {
		since = p.current.began
	}
	for _, a := range l.attempts[key] {
		if a.process == p && a.reported {
			since = later(since, a.ended)
		}
	}
	due := later(now, row.NextAt)
	if healths := l.healths[about(key)]; p != nil && strings.HasPrefix(p.name, "sweep") {
		for _, h := range healths[max(len(healths)-5, 0):] { // the sweep may send the breaker's next probe
			due = later(due, h.Breaker.ProbeAt)
		}
	}
	if late := now.Add(m.Delay).Sub(due); late > now.Sub(since)+2*time.Second+l.w.skew {
		l.w.violated("lateness", "%s is due at %s, and its message arrives %s later", name, stamp(row.NextAt.Sub(l.w.began)), late)
	}
}

func (l *witness) unsureOf(delivery string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reasons.unsure[delivery]++
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// checkDue checks that a pending row is due when it should be: the wait after its last
// attempt is neither too short nor too long, and the sweep finds it soon after, unless
// it has done so often.
func (l *witness) checkDue(name string, p *process, old, row delivery.Row) {
	now := time.Now()
	if p == nil || row.Status != delivery.StatusPending {
		return
	}
	slow := now.Sub(p.current.began) // times in the row are from before the write
	if strings.HasPrefix(p.name, "sweep") && row.SweepAt.After(old.SweepAt) && old.Exists() && old.SweepAt.After(now.Add(time.Minute+l.w.skew)) {
		l.w.violated("work", "%s is written by the sweep, though it is due only at %s", name, stamp(old.SweepAt.Sub(l.w.began)))
	}
	if row.Resends == old.Resends+1 && row.SweepAt.After(later(now.Add(time.Minute), old.SweepAt)) && strings.HasPrefix(p.name, "sweep") && !row.SweepAt.Equal(row.NextAt) {
		least := min(5*time.Minute<<min(l.shown[shownAs(old)], 10), 6*time.Hour)
		if gap := row.SweepAt.Sub(later(p.current.began, row.NextAt)); gap < least-l.w.skew-time.Millisecond {
			l.w.violated("work", "%s was sent %d times without an attempt, and is sent again after %s instead of %s", name, old.Resends, gap, least)
		}
	}
	gap := min(5*time.Minute<<min(max(row.Resends, 0), 10), 6*time.Hour)
	if late := row.SweepAt.Sub(later(later(now, row.NextAt), row.LeaseUntil)); !row.Parked && late > gap+2*time.Minute+l.w.skew {
		l.w.violated("lateness", "%s was sent %d times without an attempt and is due at %s, but the sweep finds it %s after that", name, row.Resends, stamp(row.NextAt.Sub(l.w.began)), late)
	}
	if row.AttemptCount <= old.AttemptCount || row.Round != old.Round && old.Exists() {
		if wait := row.NextAt.Sub(later(now, old.NextAt)); wait > time.Hour+15*time.Minute+l.w.skew {
			l.w.violated("lateness", "%s is put off by %s", name, wait)
		}
		return
	}
	var last *attempt
	for _, a := range l.attempts[row.Key] {
		if a.process == p && a.reported && a.round == row.Round {
			last = a
		}
	}
	if last == nil {
		return
	}
	shortest, longest, ok := l.waitsAfter(last, row.Attempt)
	if wait := row.NextAt.Sub(last.ended); ok && (wait < shortest-time.Millisecond-l.w.skew || wait > longest+slow+time.Millisecond+l.w.skew) {
		l.w.violated("policy", "%s is due %s after attempt %d, which must be %s to %s", name, wait, row.Attempt, shortest, longest)
	}
}

// shown is a row as the index of due rows shows it.
type shown struct {
	delivery.Key
	sweepAt int64 // Unix milliseconds
}

func shownAs(row delivery.Row) shown { return shown{row.Key, row.SweepAt.UnixMilli()} }

// noteShown keeps how often a row had been sent when it first got its SweepAt. Repeated
// writes may count on without changing it, or return to it, and an index that lags
// still shows the first count.
func (l *witness) noteShown(row delivery.Row) {
	if n, known := l.shown[shownAs(row)]; !known || row.Resends < n {
		l.shown[shownAs(row)] = row.Resends
	}
}

// waitsAfter returns the shortest and the longest wait between a failed attempt and a
// retry, under any of the policies that may have been applied. ok is false if there
// must be no such retry.
func (l *witness) waitsAfter(x *attempt, retry int) (shortest, longest time.Duration, ok bool) {
	for _, v := range l.accounts[about(x.key)].history.Between(x.began.Add(-ledger.ViewLife), x.ended) {
		known := x.known
		if x.kind == ledger.Undecided {
			known = ledger.Response{} // it was refused, but only once
		}
		least, most, may := ledger.Wait(v.Policy, retry, known, x.began)
		if may && (!ok || least < shortest) {
			shortest = least
		}
		if may {
			longest, ok = max(longest, most), true
		}
	}
	return shortest, longest, ok
}

// checkSwept checks that a sweep without trouble has handled every row that was due
// when it began.
func (l *witness) checkSwept(inv *invocation) {
	p := inv.process
	if !strings.HasPrefix(p.name, "sweep") || time.Since(inv.began) > 40*time.Second || p.staleAt.After(inv.began) || inv.froze ||
		slices.ContainsFunc(p.troubles, func(t trouble) bool { return !t.at.Before(inv.began) }) {
		return
	}
	for _, key := range l.sortedRows() {
		row := l.rows[key]
		if row.NextAt.After(inv.began.Add(-l.w.skew)) && l.breakerOpen(about(key)) {
			continue // a dead letter made it due early: it is parked when its time comes
		}
		if row.Status == delivery.StatusPending && l.w.damage.readableSince(key, inv.began) && row.SweepAt.Before(inv.began.Add(-l.w.skew)) && l.committed[key].Before(l.w.lag.known(inv.began)) {
			l.w.violated("lateness", "%s has run and left w%d/%s, which was due at %s", p.name, about(key), l.events[key.Event].name, stamp(row.SweepAt.Sub(l.w.began)))
		}
	}
}

// wants records a reason for another message.
func (l *witness) wants(key delivery.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reasons.byDelivery[key]++
}

// neighborly is how long the backlog of a hog may delay a neighbor's first attempt: the
// stream's batch before it, whose attempts are cut after 1.5 s, and then the batches that
// the two consumers of the queue have begun, whose attempts end after 30 s. Then the
// queue prefers the neighbor's group.
const neighborly = 5*time.Second + 32*time.Second

// auditNeighbors checks that in a run without faults the backlog of one tenant delays
// no other tenant's first attempts. The time in which a consumer makes attempts of
// neighbors does not count: they wait for each other, since there are two consumers.
func (l *witness) auditNeighbors() {
	if l.w.weather.hog == 0 || l.w.weather.faults > 0 || l.w.weather.newer {
		return
	}
	calls := l.callsForNeighbors()
	for _, key := range l.sortedRows() {
		h := l.events[key.Event]
		if key.Tenant == tenants[0] || len(l.attempts[key]) == 0 || slices.ContainsFunc(l.healths[about(key)], func(h healthy) bool { return h.Breaker.Open() }) {
			continue
		}
		first := l.attempts[key][0]
		late, at := time.Duration(0), h.stored
		for _, call := range append(calls, span{first.began, first.began}) {
			if call.from.After(at) {
				late += max(earlier(call.from, first.began).Sub(at), 0)
			}
			at = later(at, call.until)
		}
		if first.retry == 0 && first.round == 1 && !first.replay && late > neighborly {
			l.w.violated("promise 3", "w%d/%s is attempted first after %s, while %s has %d events to get", about(key), h.name, late, tenants[0], l.w.weather.hog)
		}
	}
}

// span is a part of the run.
type span struct{ from, until time.Time }

// callsForNeighbors returns when consumers of the queue made attempts of other tenants
// than the hog, in order.
func (l *witness) callsForNeighbors() (spans []span) {
	for key, attempts := range l.attempts {
		for _, a := range attempts {
			if key.Tenant != tenants[0] && a.stream == nil {
				spans = append(spans, span{a.inv.began, a.ended})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), a.until.Compare(b.until)) })
	return spans
}
