package webhook

import "time"

// This file is the row protocol: every change that a delivery's row can go
// through, as pure functions of the row. A store carries each out as one
// conditional write; the conformance suite holds every store to these
// functions, row by row. A condition that is not met leaves the row as it is
// and makes the function return false.
//
// Why there are conditions at all: a message can arrive twice, late or out of
// order, a consumer can die, or freeze and thaw, between any two of its steps,
// and the stream hands records over again. The row is the only place where all
// of them meet.

// Seed is what a write puts into a row that it creates.
type Seed struct {
	EventName  string
	PrimaryKey int32
	Replay     string
	ExpiresAt  time.Time
}

func (s Seed) row(key DeliveryKey, now time.Time) Delivery {
	return Delivery{
		DeliveryKey: key, EventName: s.EventName, PrimaryKey: s.PrimaryKey, Replay: s.Replay,
		Created: now, Updated: now, ExpiresAt: s.ExpiresAt,
	}
}

// touch stamps a write; a row's life is counted from its last one.
func (d *Delivery) touch(now, expiresAt time.Time) {
	d.Updated = now
	if expiresAt.After(d.ExpiresAt) {
		d.ExpiresAt = expiresAt
	}
}

func (d *Delivery) unlease() { d.LeaseBy, d.LeaseUntil = "", time.Time{} }

// end makes the row terminal.
func (d *Delivery) end(status Status, reason string) {
	d.unlease()
	d.Status, d.Reason = status, reason
	d.NextAt, d.SweepAt, d.Resends = time.Time{}, time.Time{}, 0
}

// record appends an attempt, and keeps the start of the response.
func (d *Delivery) record(a Attempt, response string) {
	attempts := make([]Attempt, 0, len(d.Attempts)+1)
	attempts = append(append(attempts, d.Attempts...), a)
	if extra := len(attempts) - maxStoredAttempts; extra > 0 {
		attempts = attempts[extra:]
	}
	d.Attempts, d.AttemptCount, d.Response = attempts, d.AttemptCount+1, truncate(response, maxStoredResponse)
}

// Outcome is what an attempt led to: the attempt itself and what becomes of the
// delivery. Status is StatusPending with NextAt and SweepAt for a retry,
// StatusDelivered, or StatusFailed with a Reason.
type Outcome struct {
	Attempt  Attempt
	Response string // excerpt; rows keep the first 512 bytes of it
	Status   Status
	Reason   string
	NextAt   time.Time
	SweepAt  time.Time
}

func (d *Delivery) apply(o Outcome) {
	d.record(o.Attempt, o.Response)
	d.end(o.Status, o.Reason)
	if o.Status == StatusPending {
		d.NextAt, d.SweepAt = o.NextAt, o.SweepAt
	}
}

// Lease asks for the right to make attempt Attempt of round Round.
type Lease struct {
	Key            DeliveryKey
	Round, Attempt int
	Token          string // fresh and random for each try
	Now, Until     time.Time
	// SweepAt is when the sweep is to look at a row that the lease creates.
	SweepAt time.Time
	Seed    Seed
}

// Apply grants the lease if
//   - there is no row and the attempt is the first of round 1 (a first attempt
//     that came by the queue), or
//   - the row is pending in this round, unleased, and the attempt is the next, or
//   - the row is pending in this round at this very attempt and its lease ran
//     out before now: its holder died or froze, and may still wake up; Finish
//     will refuse it by the token.
//
// The index attributes of an existing row stay as they are, so that a lease
// costs no index write.
func (l Lease) Apply(row Delivery) (Delivery, bool) {
	switch {
	case !row.Exists():
		if l.Round != 1 || l.Attempt != 1 {
			return row, false
		}
		row = l.Seed.row(l.Key, l.Now)
		row.Status, row.Round, row.NextAt, row.SweepAt = StatusPending, 1, l.Now, l.SweepAt
	case row.Status != StatusPending || row.Round != l.Round:
		return row, false
	case row.Attempt == l.Attempt-1 && row.LeaseBy == "":
	case row.Attempt == l.Attempt && row.LeaseBy != "" && row.LeaseUntil.Before(l.Now):
	default:
		return row, false
	}
	row.Attempt, row.LeaseBy, row.LeaseUntil = l.Attempt, l.Token, l.Until
	row.touch(l.Now, l.Seed.ExpiresAt)
	return row, true
}

// Finish records the outcome of a leased attempt and gives the lease back.
type Finish struct {
	Key            DeliveryKey
	Round, Attempt int
	Token          string
	Now            time.Time
	ExpiresAt      time.Time
	Outcome        Outcome
}

// Apply holds if the row is pending in this round at this attempt and the lease
// is the caller's. If it is refused, a success goes on as MarkDelivered and a
// failure is dropped: whoever took the lease over speaks for the delivery now.
func (f Finish) Apply(row Delivery) (Delivery, bool) {
	if row.Status != StatusPending || row.Round != f.Round || row.Attempt != f.Attempt || row.LeaseBy != f.Token || f.Token == "" {
		return row, false
	}
	row.apply(f.Outcome)
	row.touch(f.Now, f.ExpiresAt)
	return row, true
}

// RecordFirst records the outcome of a first attempt that was made without a
// lease, in the stream consumer: the common case, and one write.
type RecordFirst struct {
	Key     DeliveryKey
	Now     time.Time
	Seed    Seed
	Outcome Outcome
}

// Apply holds if there is no row. If there is one, somebody else has begun the
// delivery: a success goes on as MarkDelivered; a failure is dropped, and no
// message is sent for it.
func (r RecordFirst) Apply(row Delivery) (Delivery, bool) {
	if row.Exists() {
		return row, false
	}
	row = r.Seed.row(r.Key, r.Now)
	row.Round, row.Attempt = 1, 1
	row.apply(r.Outcome)
	return row, true
}

// MarkDelivered records a success that found its row in other hands. Within a
// round, delivered beats everything.
type MarkDelivered struct {
	Key       DeliveryKey
	Round     int
	Now       time.Time
	Seed      Seed
	Attempt   Attempt
	Response  string
	ExpiresAt time.Time
}

// Apply holds if there is no row, or the row is in this round and not delivered
// yet, leased or not. A pending row at an earlier attempt is moved on to the
// attempt that succeeded.
func (m MarkDelivered) Apply(row Delivery) (Delivery, bool) {
	switch {
	case !row.Exists():
		row = m.Seed.row(m.Key, m.Now)
		row.Round = m.Round
	case row.Round != m.Round || row.Status == StatusDelivered:
		return row, false
	}
	row.Attempt = max(row.Attempt, m.Attempt.Number)
	row.record(m.Attempt, m.Response)
	row.end(StatusDelivered, "")
	row.touch(m.Now, m.ExpiresAt)
	return row, true
}

// StartRound begins the next round: a retry that somebody asked for, or a
// replay.
type StartRound struct {
	Key     DeliveryKey
	Now     time.Time
	SweepAt time.Time
	// Job is the replay job that asks; empty for a single retry. A job starts
	// a round of a row once, however often it is repeated.
	Job  string
	Seed Seed
}

// Apply holds unless a live lease holds the row, or the row's last round was
// started by this very job. A row that is absent starts with round 1.
func (s StartRound) Apply(row Delivery) (Delivery, bool) {
	switch {
	case !row.Exists():
		row = s.Seed.row(s.Key, s.Now)
	case row.Leased(s.Now) || s.Job != "" && row.Replay == s.Job:
		return row, false
	}
	row.unlease()
	row.Status, row.Reason = StatusPending, ""
	row.Round, row.Attempt, row.Resends, row.Replay = row.Round+1, 0, 0, s.Job
	row.NextAt, row.SweepAt = s.Now, s.SweepAt
	row.touch(s.Now, s.Seed.ExpiresAt)
	return row, true
}

// End finishes a delivery without an attempt: cancelled since its webhook is
// not Active, or expired since its event is gone.
type End struct {
	Key    DeliveryKey
	Round  int
	Status Status // StatusCancelled, StatusExpired or StatusFailed
	Reason string
	Now    time.Time
	Seed   Seed
}

// Apply holds if there is no row, or the row is pending in this round and no
// live lease holds it.
func (e End) Apply(row Delivery) (Delivery, bool) {
	switch {
	case !row.Exists():
		row = e.Seed.row(e.Key, e.Now)
		row.Round = e.Round
	case row.Status != StatusPending || row.Round != e.Round || row.Leased(e.Now):
		return row, false
	}
	row.end(e.Status, e.Reason)
	row.touch(e.Now, e.Seed.ExpiresAt)
	return row, true
}

// MakeDue turns an attempt that is not to be made now into a row that the sweep
// finds: a message that has hopped too often or fell into the dead-letter
// queue.
type MakeDue struct {
	Key            DeliveryKey
	Round, Attempt int // of the message
	Now, SweepAt   time.Time
	Seed           Seed
}

// Apply creates a row before its attempt if there is none. If the row is
// pending in this round, at the attempt or the one before, only the time of its
// sweep changes, and resends goes up. Any other row has moved on and stays.
func (m MakeDue) Apply(row Delivery) (Delivery, bool) {
	switch {
	case !row.Exists():
		row = m.Seed.row(m.Key, m.Now)
		row.Status, row.Round, row.Attempt, row.NextAt = StatusPending, m.Round, m.Attempt-1, m.SweepAt
	case row.Status != StatusPending || row.Round != m.Round || row.Attempt != m.Attempt && row.Attempt != m.Attempt-1:
		return row, false
	}
	row.SweepAt, row.Resends = m.SweepAt, row.Resends+1
	row.touch(m.Now, m.Seed.ExpiresAt)
	return row, true
}

// Claim is the sweep's right to send one message for a row.
type Claim struct {
	Key DeliveryKey
	// Seen is the SweepAt that the index showed; Next is where it moves to.
	Seen, Next time.Time
	Now        time.Time
}

// Apply holds if the row is pending and its SweepAt is still what was seen: of
// two sweeps at the same row one wins.
func (c Claim) Apply(row Delivery) (Delivery, bool) {
	if row.Status != StatusPending || !row.SweepAt.Equal(c.Seen) {
		return row, false
	}
	row.SweepAt, row.Resends, row.Updated = c.Next, row.Resends+1, c.Now
	return row, true
}

// Park puts an attempt off without making it: the webhook's breaker is open.
// The row alone keeps the delivery from then on, whatever message there was.
type Park struct {
	Key            DeliveryKey
	Round, Attempt int // the attempt that is put off
	Now            time.Time
	// Until is when the attempt comes up again.
	Until time.Time
	Seed  Seed
}

// Apply creates a row before its attempt if there is none and the attempt is
// the first of round 1 (a later one without a row has outlived its delivery).
// A row must be
//   - pending in this round and just before this attempt: else the message was
//     late, and the attempt that the row waits for is not the message's to move;
//   - unleased: a holder may be at its POST, and what it finds must stand, and
//     the attempt of one that died is taken over by Lease and not put off, or it
//     would count twice.
//
// A time that is later already stays: a policy's gap or a Retry-After is never
// cut short. No attempt is used up, and resends start again from 0, since the
// row waits for a reason.
func (p Park) Apply(row Delivery) (Delivery, bool) {
	switch {
	case !row.Exists():
		if p.Round != 1 || p.Attempt != 1 {
			return row, false
		}
		row = p.Seed.row(p.Key, p.Now)
		row.Status, row.Round = StatusPending, 1
	case row.Status != StatusPending || row.Round != p.Round || row.Attempt != p.Attempt-1 || row.LeaseBy != "":
		return row, false
	}
	row.park(p.Until)
	row.touch(p.Now, p.Seed.ExpiresAt)
	return row, true
}

func (d *Delivery) park(until time.Time) {
	if until.After(d.NextAt) {
		d.NextAt = until
	}
	d.SweepAt, d.Resends = d.NextAt, 0
}

// Defer is the sweep's Park: it moves a due row on, instead of claiming it and
// sending a message, while the webhook's breaker is open.
type Defer struct {
	Key DeliveryKey
	// Seen is the SweepAt that the index showed.
	Seen       time.Time
	Now, Until time.Time
	ExpiresAt  time.Time
}

// Apply holds if the row is pending, its SweepAt is still what was seen (of two
// sweeps one wins, and a row that went on meanwhile stays), and no lease is on
// it, live or not: a leased attempt was begun and must be seen to its end, so
// the sweep sends its message.
func (d Defer) Apply(row Delivery) (Delivery, bool) {
	if row.Status != StatusPending || !row.SweepAt.Equal(d.Seen) || row.LeaseBy != "" {
		return row, false
	}
	row.park(d.Until)
	row.touch(d.Now, d.ExpiresAt)
	return row, true
}
