package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// This file is the row protocol: every transition of a delivery's row, as pure
// functions of the row. A store performs each as one conditional write; the
// conformance suite checks every store against these functions, row by row. If
// the condition is not met, the function returns the row unchanged and false.
//
// The conditions are needed because a message can arrive twice, late or out of
// order, a consumer can die, or freeze and thaw, between any two steps, and the
// stream delivers records again. Only the row is shared by all of them.

// Seed holds the members of a row that the write sets when it creates the row.
type Seed struct {
	EventName  string
	PrimaryKey int32
	Entity     string // see Row
	EventKey   string
	Replay     string
	// Fast is the attempt in the fast lane that was cut short before the row
	// existed. nil: there was none.
	Fast      *Attempt
	ExpiresAt time.Time
}

func (s Seed) row(key Key, now time.Time) Row {
	d := Row{Key: key, Replay: s.Replay, Created: now, Updated: now, ExpiresAt: s.ExpiresAt}
	d.name(s)
	if s.Fast != nil {
		d.Attempts = []Attempt{*s.Fast}
	}
	return d
}

// name sets what the row says about its event, unless the row knows it: a row that
// was made from a message alone does not.
func (d *Row) name(s Seed) {
	if d.EventName == "" {
		d.EventName, d.PrimaryKey, d.Entity, d.EventKey = s.EventName, s.PrimaryKey, s.Entity, s.EventKey
	}
}

// touch records the time of a write. A row's life is counted from its last write.
func (d *Row) touch(now, expiresAt time.Time) {
	d.Updated = now
	if expiresAt.After(d.ExpiresAt) {
		d.ExpiresAt = expiresAt
	}
}

func (d *Row) unlease() { d.LeaseBy, d.LeaseUntil = "", time.Time{} }

// end makes the row terminal.
func (d *Row) end(status Status, reason string) {
	d.unlease()
	d.Status, d.Reason = status, reason
	d.NextAt, d.SweepAt, d.Parked, d.Resends = time.Time{}, time.Time{}, false, 0
}

// record appends an attempt, and keeps as much of the response as there is room for:
// everything else about the row must be set before.
func (d *Row) record(a Attempt, response string) {
	attempts := make([]Attempt, 0, len(d.Attempts)+1)
	attempts = append(attempts, d.Attempts...)
	for i := range attempts {
		attempts[i].Sent = webhook.Sent{}
	}
	attempts = append(attempts, a)
	if extra := len(attempts) - maxStoredAttempts; extra > 0 {
		attempts = attempts[extra:]
	}
	d.Attempts, d.AttemptCount = attempts, d.AttemptCount+1
	d.Response = webhook.Truncate(response, d.rowRoom())
}

// Outcome is the result of an attempt for its delivery: the attempt itself and the
// delivery's next state. Status is StatusPending with NextAt and SweepAt for a
// retry, StatusDelivered, or StatusFailed with a Reason.
type Outcome struct {
	Attempt  Attempt
	Response string // excerpt; rows keep at most the first 512 bytes of it
	Status   Status
	Reason   string
	NextAt   time.Time
	SweepAt  time.Time
}

func (d *Row) apply(o Outcome) {
	d.end(o.Status, o.Reason)
	if o.Status == StatusPending {
		d.NextAt, d.SweepAt = o.NextAt, o.SweepAt
	}
	d.record(o.Attempt, o.Response)
}

// Lease claims the right to make attempt Attempt of round Round.
type Lease struct {
	Key            Key
	Round, Attempt int
	Token          string // a new random token for each try
	Now, Until     time.Time
	// SweepAt is when the sweep should look at a row that the lease creates or takes
	// from where it was parked: five minutes after the lease's end.
	SweepAt time.Time
	Seed    Seed
	// Parked says that the caller saw the row parked. It saves a store a call. If the
	// row is gone by now, it has expired or was erased, and is not created again.
	Parked bool
	// Takeover says that the caller may only take over the lease of a holder that died:
	// the webhook's breaker is open.
	Takeover bool
}

// Apply grants the lease if
//   - there is no row, none was seen, and the attempt is the first of round 1 (a
//     first attempt that took the queue), but not for a takeover, or
//   - the row is pending in this round, unleased, and the attempt is the next, but not
//     for a takeover, or
//   - the row is pending in this round at this attempt and its lease expired
//     before now: its holder died or froze, and may still wake up; Finish will
//     then refuse its token.
//
// The index attributes of an existing row do not change, so that a lease costs no
// index write, unless the row is parked: its SweepAt is days away, and if the holder
// died nothing else would find the row before. A row that does not know its event
// learns it.
func (l Lease) Apply(row Row) (Row, bool) {
	switch {
	case !row.Exists():
		if l.Round != 1 || l.Attempt != 1 || l.Parked || l.Takeover {
			return row, false
		}
		row = l.Seed.row(l.Key, l.Now)
		row.Status, row.Round, row.NextAt, row.SweepAt = StatusPending, 1, l.Now, l.SweepAt
	case row.Status != StatusPending || row.Round != l.Round:
		return row, false
	case row.Attempt == l.Attempt-1 && row.LeaseBy == "" && !l.Takeover:
	case row.Attempt == l.Attempt && row.LeaseBy != "" && row.LeaseUntil.Before(l.Now):
	default:
		return row, false
	}
	if row.Parked {
		row.Parked, row.SweepAt = false, l.SweepAt
	}
	row.name(l.Seed)
	row.Attempt, row.LeaseBy, row.LeaseUntil = l.Attempt, l.Token, l.Until
	row.touch(l.Now, l.Seed.ExpiresAt)
	return row, true
}

// Finish records the outcome of a leased attempt and releases the lease.
type Finish struct {
	Key            Key
	Round, Attempt int
	Token          string
	Now            time.Time
	ExpiresAt      time.Time
	Outcome        Outcome
}

// Apply succeeds if the row is pending in this round at this attempt and the lease
// is the caller's. If it is refused, the caller records a success by MarkDelivered
// and drops a failure: the new holder of the lease is responsible for the
// delivery.
func (f Finish) Apply(row Row) (Row, bool) {
	if row.Status != StatusPending || row.Round != f.Round || row.Attempt != f.Attempt || row.LeaseBy != f.Token || f.Token == "" {
		return row, false
	}
	row.apply(f.Outcome)
	row.touch(f.Now, f.ExpiresAt)
	return row, true
}

// RecordFirst records the outcome of a first attempt made without a lease, in the
// stream consumer: the common case, in one write.
type RecordFirst struct {
	Key     Key
	Now     time.Time
	Seed    Seed
	Outcome Outcome
}

// Apply succeeds if there is no row. If there is one, another consumer has begun
// the delivery: the caller records a success by MarkDelivered, and drops a failure
// without sending a message for it.
func (r RecordFirst) Apply(row Row) (Row, bool) {
	if row.Exists() {
		return row, false
	}
	row = r.Seed.row(r.Key, r.Now)
	row.Round, row.Attempt = 1, 1
	row.apply(r.Outcome)
	return row, true
}

// MarkDelivered records a success whose row was changed by another consumer. Within
// a round, delivered overrides every other state.
type MarkDelivered struct {
	Key       Key
	Round     int
	Now       time.Time
	Seed      Seed
	Attempt   Attempt
	Response  string
	ExpiresAt time.Time
}

// Apply succeeds if there is no row, or if the row is in this round and not yet
// delivered, leased or not. A pending row at an earlier attempt advances to the
// attempt that succeeded.
func (m MarkDelivered) Apply(row Row) (Row, bool) {
	switch {
	case !row.Exists():
		row = m.Seed.row(m.Key, m.Now)
		row.Round = m.Round
	case row.Round != m.Round || row.Status == StatusDelivered:
		return row, false
	}
	row.Attempt = max(row.Attempt, m.Attempt.Number)
	row.end(StatusDelivered, "")
	row.record(m.Attempt, m.Response)
	row.touch(m.Now, m.ExpiresAt)
	return row, true
}

// StartRound starts the next round: a manual retry, or a replay.
type StartRound struct {
	Key Key
	// Seen is the status of the row by which the caller decided; empty for no row.
	Seen Status
	Now  time.Time
	// Due is when the first attempt of the round is due.
	Due     time.Time
	SweepAt time.Time
	// Job is the replay job that starts the round; empty for a manual retry. A job
	// starts one round of a row, however often it is repeated.
	Job  string
	Seed Seed
}

// Apply succeeds if the status is still the one that was seen, unless
//   - the row has a live lease: its holder may be making its POST,
//   - its round has not begun: a second one would only be another POST, or
//   - the same job started its last round.
//
// An absent row starts with round 1.
func (s StartRound) Apply(row Row) (Row, bool) {
	switch {
	case row.Status != s.Seen, row.Leased(s.Now), row.Waiting(), s.Job != "" && row.Replay == s.Job:
		return row, false
	case !row.Exists():
		row = s.Seed.row(s.Key, s.Now)
	}
	row.name(s.Seed)
	row.unlease()
	row.Status, row.Reason = StatusPending, ""
	row.Round, row.Attempt, row.Resends, row.Replay = row.Round+1, 0, 0, s.Job
	row.NextAt, row.SweepAt, row.Parked = s.Due, s.SweepAt, false
	row.touch(s.Now, s.Seed.ExpiresAt)
	return row, true
}

// End ends a delivery without an attempt: cancelled because its webhook is not
// Active, or expired because its event no longer exists.
type End struct {
	Key    Key
	Round  int
	Status Status // StatusCancelled, StatusExpired or StatusFailed
	Reason string
	// Seen says that the caller saw the row: one that is gone was erased, and is not
	// created again.
	Seen bool
	Now  time.Time
	Seed Seed
}

// Apply succeeds if there is no row and none was seen, or if the row is pending in
// this round without a live lease.
func (e End) Apply(row Row) (Row, bool) {
	switch {
	case !row.Exists() && e.Seen:
		return row, false
	case !row.Exists():
		row = e.Seed.row(e.Key, e.Now)
		row.Round = e.Round
	case row.Status != StatusPending || row.Round != e.Round || row.Leased(e.Now):
		return row, false
	}
	row.name(e.Seed)
	row.end(e.Status, e.Reason)
	row.touch(e.Now, e.Seed.ExpiresAt)
	return row, true
}

// MakeDue turns an attempt that cannot be made now into a row that the sweep finds,
// for a message that has too many hops or is in the dead-letter queue.
type MakeDue struct {
	Key            Key
	Round, Attempt int // of the message
	Now, SweepAt   time.Time
	Seed           Seed
}

// Apply creates an absent row, before its attempt. If the row is pending in this
// round, at the attempt or the one before, Apply changes only the time of its sweep
// and increments its resends. Any other row has moved on and does not change.
func (m MakeDue) Apply(row Row) (Row, bool) {
	switch {
	case !row.Exists():
		row = m.Seed.row(m.Key, m.Now)
		row.Status, row.Round, row.Attempt, row.NextAt = StatusPending, m.Round, m.Attempt-1, m.SweepAt
	case row.Status != StatusPending || row.Round != m.Round || row.Attempt != m.Attempt && row.Attempt != m.Attempt-1:
		return row, false
	}
	row.SweepAt, row.Parked, row.Resends = m.SweepAt, false, row.Resends+1
	row.touch(m.Now, m.Seed.ExpiresAt)
	return row, true
}

// Claim reserves a row for one sweep, which then sends its message.
type Claim struct {
	Key Key
	// Seen is the SweepAt that the index showed; Next is the new one.
	Seen, Next time.Time
	Now        time.Time
}

// Apply succeeds if the row is pending and its SweepAt is still Seen: if two sweeps
// claim the same row, one wins.
func (c Claim) Apply(row Row) (Row, bool) {
	if row.Status != StatusPending || !row.SweepAt.Equal(c.Seen) {
		return row, false
	}
	row.SweepAt, row.Parked, row.Resends, row.Updated = c.Next, false, row.Resends+1, c.Now
	return row, true
}
