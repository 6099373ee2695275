package delivery

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	netAfter  = 40 * time.Hour
	netSpread = 8 * time.Hour
)

// Net returns the SweepAt of a row that is parked at now: 40 to 48 h later. Drains
// take parked rows long before that. The net catches a row that all of them missed.
// jitter is a random number in [0, 1).
func Net(now time.Time, jitter float64) time.Time {
	return now.Add(netAfter + time.Duration(jitter*float64(netSpread)))
}

// Park makes an attempt wait because the webhook's breaker is open. From then on
// only the row keeps the delivery, whatever messages there were, and a drain takes
// it when the breaker closes. Before a row is parked its webhook must have a timer;
// see Timers.
type Park struct {
	Key            Key
	Round, Attempt int // the waiting attempt
	Now            time.Time
	Net            time.Time // see the function Net
	Seed           Seed
}

// Apply creates an absent row, before its attempt, if the attempt is the first of
// round 1 (a later attempt without a row has outlived its delivery). An existing row
// must be
//   - pending in this round and just before this attempt: otherwise the message is
//     late and must not park the attempt that the row waits for;
//   - unleased: the holder may be making its POST, whose outcome must be recorded.
//     If the holder died, Lease takes its attempt over; parking it would count it
//     twice;
//   - due: NextAt is not after now. The delay of a policy or a Retry-After is never
//     shortened, so a row whose time has not come stays where the sweep finds it;
//   - not parked yet. Parking a parked row would be a write without effect.
//
// NextAt and the attempt do not change, and resends restart at 0, since the row
// waits for a reason.
func (p Park) Apply(row Row) (Row, bool) {
	switch {
	case !row.Exists():
		if p.Round != 1 || p.Attempt != 1 {
			return row, false
		}
		row = p.Seed.row(p.Key, p.Now)
		row.Status, row.Round, row.NextAt = StatusPending, 1, p.Now
	case row.Status != StatusPending || row.Round != p.Round || row.Attempt != p.Attempt-1:
		return row, false
	case row.LeaseBy != "" || row.Parked || row.NextAt.After(p.Now):
		return row, false
	}
	row.name(p.Seed)
	row.park(p.Net)
	row.touch(p.Now, p.Seed.ExpiresAt)
	return row, true
}

func (d *Row) park(net time.Time) { d.Parked, d.SweepAt, d.Resends = true, net, 0 }

// Defer is the sweep's Park: it parks a due row instead of claiming it and sending a
// message. Of a row that surfaced through the net it renews the net.
type Defer struct {
	Key Key
	// Seen is the SweepAt that the index showed.
	Seen      time.Time
	Now, Net  time.Time
	ExpiresAt time.Time
}

// Apply succeeds if the row is pending, its SweepAt is still Seen (of two sweeps one
// wins, and a row that changed in the meantime is kept), its NextAt is not after now,
// and it has no lease, live or not: a leased attempt has begun and must be completed,
// so the sweep sends its message.
func (d Defer) Apply(row Row) (Row, bool) {
	if row.Status != StatusPending || !row.SweepAt.Equal(d.Seen) || row.LeaseBy != "" || row.NextAt.After(d.Now) {
		return row, false
	}
	row.park(d.Net)
	row.touch(d.Now, d.ExpiresAt)
	return row, true
}

// Yield returns the lease of an attempt that was cut because it took longer than its
// lane allows, and uses up no attempt. The row comes first, then the message that
// requests the same attempt in the next lane.
type Yield struct {
	Key            Key
	Round, Attempt int
	Token          string
	Now            time.Time
	// SweepAt is when the sweep looks at the row if the message is lost.
	SweepAt   time.Time
	ExpiresAt time.Time
	// Cut is the attempt, to be shown. Its Number is 0, and it is not counted.
	Cut Attempt
}

// Apply succeeds if the row is pending in this round at this attempt and the lease
// is the caller's. If it is refused, the new holder of the lease is responsible for
// the delivery.
func (y Yield) Apply(row Row) (Row, bool) {
	if row.Status != StatusPending || row.Round != y.Round || row.Attempt != y.Attempt || row.LeaseBy != y.Token || y.Token == "" {
		return row, false
	}
	row.unlease()
	row.Attempt, row.Resends, row.SweepAt = y.Attempt-1, 0, y.SweepAt
	response, count := row.Response, row.AttemptCount
	row.record(y.Cut, response)
	row.AttemptCount = count
	row.touch(y.Now, y.ExpiresAt)
	return row, true
}

// ParkedPartitions is the number of partitions of a webhook's rows in the index of
// parked deliveries.
const ParkedPartitions = 8

// ParkedRow is a parked row as the index shows it, with what a lease of it needs.
type ParkedRow struct {
	Key
	Round, Attempt int // Attempt is the last one begun in this round
	AttemptCount   int // over all rounds
	Replay         string
}

// Message returns the message that requests the attempt that the row waits for.
func (p ParkedRow) Message() Message { return AttemptMessage(p.Key, p.Round, p.Attempt+1, p.Replay) }

// Backlog is the part of a delivery store that lists what waits. Both methods read an
// index that may lag behind writes: rows may be missing for a while, or be listed
// although they are no longer parked. Lease decides.
type Backlog interface {
	// Parked returns up to limit parked rows of a webhook's partition (0 to
	// ParkedPartitions-1), oldest event first, with event ids greater than after. A
	// short list means that there are no more.
	Parked(ctx context.Context, key webhook.Key, partition int, after webhook.EventID, limit int) ([]ParkedRow, error)

	// Waiting counts the parked rows of a webhook. It stops at limit: that result
	// means limit or more.
	Waiting(ctx context.Context, key webhook.Key, limit int) (int, error)
}
