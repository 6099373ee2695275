package delivery

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Status is the state of a delivery.
type Status string

// The statuses. All but StatusPending are terminal within a round.
const (
	StatusPending   Status = "pending"
	StatusDelivered Status = "delivered"
	StatusFailed    Status = "failed"    // attempts used up, 410, or the target said to stop
	StatusCancelled Status = "cancelled" // the webhook was not Active when the delivery was due
	StatusExpired   Status = "expired"   // the event expired before it could be delivered
)

// Statuses lists the statuses.
var Statuses = []Status{StatusPending, StatusDelivered, StatusFailed, StatusCancelled, StatusExpired}

// terminal reports whether the status ends a round.
func (s Status) terminal() bool { return s != StatusPending && s != "" }

// Attempt is one attempt as the row stores it.
type Attempt struct {
	// Round is the round that the attempt was made in, and Lane LaneFast, LaneQueue or
	// LaneSlow. Zero and empty for attempts stored by an older version.
	Round      int
	Lane       Lane
	Number     int // 1, 2, … within its round; 0 for one that its lane cut short
	At         time.Time
	Duration   time.Duration
	StatusCode int // 0 without a response
	Error      failure.Kind
	Detail     failure.Detail
	// Sent identifies the request. Rows keep that of the last attempt only.
	Sent webhook.Sent `json:",omitzero"`
}

// Advice returns what to do about the attempt's failure, in one sentence; "" for a
// success.
func (a Attempt) Advice() string { return a.Error.Advice(a.Detail) }

// maxStoredAttempts is the number of attempts a row keeps; earlier ones are only
// counted.
const maxStoredAttempts = 12

// Key names one delivery: one event to one webhook.
type Key struct {
	Tenant  webhook.Tenant
	Webhook int32
	Event   webhook.EventID
}

// Row is a delivery as it is stored. Times have a resolution of one millisecond.
// The zero Row means "no row".
//
// A row is unleased if LeaseBy is empty. A pending row always has a SweepAt, so that
// the sweep finds it whatever else is lost. A terminal row has no LeaseBy,
// LeaseUntil, NextAt or SweepAt: they are removed, never zeroed. A parked row is
// pending and unleased.
type Row struct {
	Key
	EventName  string
	PrimaryKey int32
	// Entity is the event's entity if it is not the one that EventName says; empty
	// otherwise. EventKey is the event's Key. Long ones are shortened; see rowName.
	Entity   string
	EventKey string

	Status  Status
	Round   int // from 1
	Attempt int // the last attempt begun in this round; 0 before the first
	// Reason says why the delivery was cancelled, failed or expired, for people.
	Reason string

	LeaseBy    string
	LeaseUntil time.Time
	// NextAt is when the next attempt is due, as shown to users.
	NextAt time.Time
	// SweepAt is when the sweep looks at the row unless it changes before.
	SweepAt time.Time
	// Parked says that no message and no sweep brings the delivery back: it waits until a
	// drain takes it, because its webhook's breaker was open. Its NextAt is past, and
	// SweepAt is the net; see Net.
	Parked bool
	// Resends counts the sweep's messages since the last attempt.
	Resends int
	// Replay is the job that started this round; empty if none did.
	Replay string

	Attempts     []Attempt // the last 12
	AttemptCount int       // all of them, over all rounds
	Response     string    // excerpt of the last response; see rowRoom

	Created   time.Time
	Updated   time.Time
	ExpiresAt time.Time // when the store may delete the row
}

// Exists reports whether there is a row.
func (d Row) Exists() bool { return d.Status != "" }

// Waiting reports whether the row's round has not begun: its first attempt is still to
// be made.
func (d Row) Waiting() bool {
	return d.Status == StatusPending && d.Attempt == 0 && d.LeaseBy == ""
}

// Awaits reports whether the attempt that the message requests is the row's next one.
func (d Row) Awaits(m Message) bool {
	return d.Status == StatusPending && d.Round == m.Round && d.Attempt == m.Attempt-1 && d.LeaseBy == ""
}

// Leased reports whether the row has a live lease at now.
func (d Row) Leased(now time.Time) bool {
	return d.LeaseBy != "" && !d.LeaseUntil.Before(now)
}

// DueShards is the number of partitions of the index of due deliveries.
const DueShards = 16

// DueShard returns a delivery's partition in the index of due deliveries, from 0
// to DueShards-1. It hashes the whole key: ids start at 1 in every tenant, and one
// webhook can have more due rows than a partition can serve.
func DueShard(k Key) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.Tenant))
	_, _ = h.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(k.Webhook)))
	_, _ = h.Write([]byte(k.Event))
	return int(h.Sum32() % DueShards)
}
