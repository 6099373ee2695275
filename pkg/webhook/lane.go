package webhook

import "time"

// Lane is which way a first attempt goes.
type Lane string

// The lanes.
const (
	LaneNone  Lane = ""      // no attempt: the webhook is not Active
	LaneFast  Lane = "fast"  // at once, in the stream consumer, cut short after FastTimeout
	LaneQueue Lane = "queue" // by the delivery queue, with the webhook's full timeout
	// LaneParked: not now. The webhook's breaker is open, and the delivery waits
	// as a row for a time when it may be closed.
	LaneParked Lane = "parked"
)

// FastTimeout cuts an attempt in the fast lane short, so that a slow target
// delays no other. Its POST is a call, but neither an attempt nor an error.
const FastTimeout = 1500 * time.Millisecond

const (
	fastMaxLatency = 500 * time.Millisecond
	fastPenalty    = 10 * time.Minute
	fastShare      = 32
	redeliveryAge  = 2 * time.Second
)

// LaneQuestion is all that the choice of a lane depends on.
type LaneQuestion struct {
	Active bool
	// Known says whether the webhook has health at all, Health which, under
	// the webhook's activation.
	Known  bool
	Health Health
	// InBatch is how many attempts of the batch already went to this webhook
	// by the fast lane; Probes how many as a probe of its breaker.
	InBatch, Probes int
	// Alone says that no other webhook matches anything in the batch.
	Alone bool
	// Age is how old the record was when the invocation began.
	Age time.Duration
	// TimeShort says that the invocation has no time for another attempt.
	TimeShort bool
	Now       time.Time
}

// Choose answers the question. The fast lane is earned: by a target that has
// answered well, within half a second on average, and since it was last cut
// short, which must be ten minutes ago. So a webhook that is new, or hangs, makes
// its way back through the queue and holds up no batch of others meanwhile. A
// record that is two seconds old or more is perhaps a redelivery: the queue's
// lease keeps it from being sent twice. While the webhook's breaker is open one
// delivery goes by the queue when a probe is due, and the rest is parked; when
// time is short the queue is quicker than a row.
func (q LaneQuestion) Choose() Lane {
	share := fastShare
	if q.Alone {
		share = q.InBatch + 1
	}
	switch {
	case !q.Active:
		return LaneNone
	case q.TimeShort:
		return LaneQueue
	case q.Health.Breaker.Open():
		if q.Health.Breaker.ProbeDue(q.Now) && q.Probes == 0 {
			return LaneQueue
		}
		return LaneParked
	case q.Age >= redeliveryAge, q.InBatch >= share:
		return LaneQueue
	case !q.Known, !q.Health.LastOK.After(q.Health.FastTimeout), q.Health.Latency >= fastMaxLatency:
		return LaneQueue
	case !q.Health.FastTimeout.IsZero() && q.Now.Sub(q.Health.FastTimeout) < fastPenalty:
		return LaneQueue
	}
	return LaneFast
}
