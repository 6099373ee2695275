package delivery

import "time"

// Park postpones an attempt because the webhook's breaker is open. From then on
// only the row keeps the delivery, whatever messages there were.
type Park struct {
	Key            Key
	Round, Attempt int // the postponed attempt
	Now            time.Time
	// Until is when the attempt is due again.
	Until time.Time
	Seed  Seed
}

// Apply creates an absent row, before its attempt, if the attempt is the first of
// round 1 (a later attempt without a row has outlived its delivery). An existing row
// must be
//   - pending in this round and just before this attempt: otherwise the message is
//     late and must not postpone the attempt that the row waits for;
//   - unleased: the holder may be making its POST, whose outcome must be recorded.
//     If the holder died, Lease takes its attempt over; postponing it would count
//     it twice.
//
// A later NextAt is kept: the delay of a policy or a Retry-After is never
// shortened. No attempt is used up, and resends restart at 0, since the row waits
// for a reason.
func (p Park) Apply(row Row) (Row, bool) {
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
	row.name(p.Seed)
	row.park(p.Until)
	row.touch(p.Now, p.Seed.ExpiresAt)
	return row, true
}

func (d *Row) park(until time.Time) {
	if until.After(d.NextAt) {
		d.NextAt = until
	}
	d.SweepAt, d.Resends = d.NextAt, 0
}

// Defer is the sweep's Park: while the webhook's breaker is open it postpones a due
// row instead of claiming it and sending a message.
type Defer struct {
	Key Key
	// Seen is the SweepAt that the index showed.
	Seen       time.Time
	Now, Until time.Time
	ExpiresAt  time.Time
}

// Apply succeeds if the row is pending, its SweepAt is still Seen (of two sweeps one
// wins, and a row that changed in the meantime is kept), and it has no lease, live
// or not: a leased attempt has begun and must be completed, so the sweep sends its
// message.
func (d Defer) Apply(row Row) (Row, bool) {
	if row.Status != StatusPending || !row.SweepAt.Equal(d.Seen) || row.LeaseBy != "" {
		return row, false
	}
	row.park(d.Until)
	row.touch(d.Now, d.ExpiresAt)
	return row, true
}
