package explain

import (
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Patience is how long after its acceptance an event may be dispatched: a matching
// webhook without a delivery after that is a fault.
const Patience = 15 * time.Minute

// Committing is how long before it is stored a change of a webhook may be stamped: a
// save pings the target and writes a secret between the two, within the time of a call,
// and clocks differ.
const Committing = 32 * time.Second

// Wait is what a delivery that is not finished waits behind.
type Wait string

// The things to wait behind.
const (
	WaitNothing  Wait = ""
	WaitBreaker  Wait = "breaker"  // the target fails
	WaitBacklog  Wait = "backlog"  // the target responds again, and what was parked is attempted
	WaitLease    Wait = "lease"    // an attempt is under way, or its process died
	WaitDisabled Wait = "disabled" // the webhook is not Active: the delivery will be cancelled
)

// Explanation says what became of an event for one webhook, or for all.
type Explanation struct {
	// Webhook is 0 for all webhooks.
	Webhook int32
	Matches bool
	// Pattern of the webhook's Events that matches. Empty: none does.
	Pattern string
	// Revision is the one whose verdict this is.
	Revision int64
	Reasons  []Reason
	// Status, Round and Attempt are those of the delivery. Zero: it has no row.
	Status         delivery.Status
	Round, Attempt int
	AttemptCount   int
	// Last is the last attempt that ended. nil: none has.
	Last *delivery.Attempt
	// Lane and NextAttempt are those of the next attempt. Empty and zero: nothing
	// is left to attempt, or the attempt is under way.
	Lane          delivery.Lane
	NextAttempt   time.Time
	WaitingBehind Wait
	// Nearest has the webhooks that come closest, if no webhook matches.
	Nearest []Near
}

func (x *Explanation) add(code Code, values ...string) {
	x.Reasons = append(x.Reasons, reason(code, values...))
}

// Facts is what an explanation depends on.
type Facts struct {
	Event webhook.Event
	// Accepted is when the event was accepted: the time of its id.
	Accepted time.Time
	// Revisions of the webhook, oldest first, from the one that was in force at
	// Accepted, less Committing, or from the oldest one that is known. At least one.
	Revisions []webhook.Webhook
	// Deleted is when the webhook was deleted. Zero: it exists.
	Deleted time.Time
	// Row is the delivery's row. The zero Row: no row exists.
	Row delivery.Row
	// Health is that of the webhook, if Known.
	Health webhook.Health
	Known  bool
	// Hypothetical: the event or the webhook is not stored, so there is no row.
	Hypothetical bool
	Now          time.Time
}

// Explain returns the explanation of one webhook.
//
// The verdict is that of the revision in force when the event was accepted. Dispatch
// reads the webhook a moment later: if a revision within 15 minutes decides otherwise,
// changed_meanwhile names both. A row is proof that one of them matched. Without a row
// such a webhook does not match. A revision is in force from its stamp on, unless the
// row, or that there is none after 15 minutes, says that dispatch read the one before.
func Explain(f Facts) Explanation {
	at := inForce(f.Revisions, f.Accepted)
	first, current := f.Revisions[at], f.Revisions[len(f.Revisions)-1]
	x := Explanation{Webhook: first.ID, Revision: first.Revision}
	v := judge(f.Event, first, f.Accepted)
	row, overdue := f.Row.Exists(), !f.Hypothetical && !f.Row.Exists() && !f.young()
	other, differs := f.otherwise(at, v, v.matches && overdue || !v.matches && row)
	known := f.Hypothetical || !first.Updated.After(f.Accepted) || first.Revision == 1
	x.Matches, x.Pattern = v.matches, v.pattern
	if f.Hypothetical {
		differs = false
	} else if !v.matches && !differs && row {
		x.Matches = true
	} else if differs {
		x.Matches = row
	}
	// Dispatch may read webhooks before or after this one was created.
	created := v.matches && !f.Hypothetical && !row && (first.Registered.After(f.Accepted) || overdue && first.Registered.After(f.Accepted.Add(-Committing)))
	gone := !f.Deleted.IsZero() && !f.Deleted.After(f.Accepted) && !row
	switch {
	case gone:
		x.Matches, x.Pattern = false, ""
	case created:
		x.Matches = false
		x.add(CreatedLater, "at", clock(first.Registered))
	case v.matches:
		x.add(Matched, "pattern", v.pattern, "event", f.Event.Name)
	default:
		x.Reasons = append(x.Reasons, v.lacks...)
	}
	switch {
	case differs:
		older, newer := first, other
		if other.Revision < first.Revision {
			older, newer = other, first
		}
		x.add(ChangedMeantime, "revision", fmt.Sprint(older.Revision), "other", fmt.Sprint(newer.Revision), "at", clock(newer.Updated))
		if x.Matches && !v.matches {
			x.Revision, x.Pattern = other.Revision, judge(f.Event, other, f.Accepted).pattern
		}
	case !known:
		x.add(RevisionUnknown, "revision", fmt.Sprint(first.Revision), "at", clock(first.Updated))
		x.Matches = row || v.matches && f.young()
	case x.Matches && !v.matches:
		x.add(MatchedLater, "at", clock(f.Row.Created))
	}
	if !f.Deleted.IsZero() {
		x.add(Deleted, "at", clock(f.Deleted))
		current.State = webhook.StateStopped // as dispatch has it
	}
	switch {
	case row:
		x.row(f, current)
	case f.Hypothetical:
		if x.Matches {
			x.first(f, current, 0)
		}
	case (x.Matches || differs || created) && f.young():
		x.add(NotYet, "at", clock(f.Accepted))
		x.first(f, current, webhook.Elapsed(f.Accepted, f.Now))
	case x.Matches && known && f.Deleted.IsZero():
		x.add(Missing)
	}
	return x
}

// young reports whether the event may not be dispatched yet.
func (f Facts) young() bool { return webhook.Elapsed(f.Accepted, f.Now) < Patience }

// inForce returns the index of the revision that was in force at a time, by the stamps
// of the changes: 0 if all are later.
func inForce(revisions []webhook.Webhook, at time.Time) int {
	i := len(revisions) - 1
	for i > 0 && revisions[i].Updated.After(at) {
		i--
	}
	return i
}

// otherwise returns the first revision within 15 minutes of the event whose verdict is
// not v, that of the revision with the index. With earlier, it includes those that may
// have been replaced only after the event was accepted.
func (f Facts) otherwise(index int, v verdict, earlier bool) (webhook.Webhook, bool) {
	for i, w := range f.Revisions {
		switch {
		case i < index && (!earlier || !f.Revisions[i+1].Updated.After(f.Accepted.Add(-Committing))):
		case i > index && w.Updated.After(f.Accepted.Add(Patience)):
		case judge(f.Event, w, f.Accepted).matches != v.matches:
			return w, true
		}
	}
	return webhook.Webhook{}, false
}

// first adds how the first attempt would be made now.
func (x *Explanation) first(f Facts, w webhook.Webhook, age time.Duration) {
	h := f.Health.Under(w.Activation)
	x.Lane = delivery.LaneQuestion{Known: f.Known, Health: h, Age: age, Now: f.Now}.Choose()
	if x.Lane == delivery.LaneParked {
		x.WaitingBehind, x.NextAttempt = WaitBreaker, h.Breaker.ProbeAt
		x.add(BreakerOpen, "at", clock(h.Breaker.ProbeAt))
	}
}

// row adds what the row of the delivery says.
func (x *Explanation) row(f Facts, w webhook.Webhook) {
	row := f.Row
	x.Status, x.Round, x.Attempt, x.AttemptCount = row.Status, row.Round, row.Attempt, row.AttemptCount
	if n := len(row.Attempts); n > 0 {
		x.Last = &row.Attempts[n-1]
	}
	at := clock(row.Updated)
	switch row.Status {
	case delivery.StatusPending:
		x.pending(f, w)
	case delivery.StatusDelivered:
		x.add(Delivered, "at", at, "attempt", fmt.Sprint(row.Attempt))
	case delivery.StatusFailed:
		x.add(Failed, "at", at, "reason", row.Reason)
	case delivery.StatusCancelled:
		x.add(Cancelled, "at", at, "reason", row.Reason)
	case delivery.StatusExpired:
		x.add(Expired, "at", at, "reason", row.Reason)
	}
}

// pending adds the next attempt of a delivery, and what it waits behind.
func (x *Explanation) pending(f Facts, w webhook.Webhook) {
	row, h := f.Row, f.Health.Under(w.Activation)
	attempt := fmt.Sprint(row.Attempt)
	next := delivery.AttemptMessage(row.Key, row.Round, row.Attempt+1, row.Replay)
	switch {
	case row.Leased(f.Now):
		x.WaitingBehind = WaitLease
		x.add(Attempting, "attempt", attempt, "at", clock(row.LeaseUntil))
		return
	case row.LeaseBy != "":
		next.Attempt = row.Attempt
		x.WaitingBehind, x.NextAttempt = WaitLease, row.SweepAt
		x.add(AttemptLost, "attempt", attempt)
	case row.Attempt == 0:
		x.NextAttempt = row.NextAt
		x.add(FirstAttempt, "at", clock(row.NextAt))
	default:
		x.NextAttempt = row.NextAt
		x.add(Retry, "attempt", attempt, "error", string(lastError(row)), "at", clock(row.NextAt))
	}
	x.Lane = delivery.QueueLane(h)
	switch {
	case w.State != webhook.StateActive:
		x.WaitingBehind, x.Lane = WaitDisabled, ""
		state := w.State.String()
		if !f.Deleted.IsZero() {
			state = "deleted"
		}
		x.add(Inactive, "state", state, "at", clock(x.NextAttempt))
	case row.Parked:
		x.parked(f, h.Breaker)
	case row.LeaseBy == "" && next.Gate(w, h, f.Now) == delivery.GatePark:
		x.WaitingBehind, x.Lane = WaitBreaker, delivery.LaneParked
		x.add(BreakerOpen, "at", clock(h.Breaker.ProbeAt))
	}
}

// parked adds what a parked delivery waits for: drains take it once the breaker is
// closed, or a probe picks it.
func (x *Explanation) parked(f Facts, b webhook.Breaker) {
	x.add(Parked, "at", clock(f.Row.Updated))
	if !b.Open() {
		x.WaitingBehind = WaitBacklog
		x.add(Draining)
		return
	}
	x.WaitingBehind, x.Lane = WaitBreaker, delivery.LaneParked
	if b.ProbeAt.After(x.NextAttempt) {
		x.NextAttempt = b.ProbeAt
	}
	x.add(BreakerOpen, "at", clock(b.ProbeAt))
}

// lastError returns why the last attempt failed.
func lastError(row delivery.Row) failure.Kind {
	if len(row.Attempts) == 0 {
		return failure.Internal
	}
	return row.Attempts[len(row.Attempts)-1].Error
}
