package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Lane is the way a first attempt is made.
type Lane string

// The lanes.
const (
	LaneFast  Lane = "fast"  // immediately, in the stream consumer, cut short after 1.5 s
	LaneQueue Lane = "queue" // through the delivery queue, with the webhook's full timeout
	// LaneParked: not now. The webhook's breaker is open, and the delivery waits as
	// a row until the breaker may be closed.
	LaneParked Lane = "parked"
)

const (
	fastMaxLatency = 500 * time.Millisecond
	fastPenalty    = 10 * time.Minute
	fastShare      = 32
	redeliveryAge  = 2 * time.Second
)

// LaneQuestion holds everything that the choice of a lane depends on.
type LaneQuestion struct {
	// Known says whether the webhook has a Health. Health is that of the webhook's
	// activation.
	Known  bool
	Health webhook.Health
	// InBatch is how many attempts of the batch have already gone to this webhook
	// by the fast lane, Probes how many as a probe of its breaker.
	InBatch, Probes int
	// Alone says that no other webhook matches anything in the batch.
	Alone bool
	// Age is the age of the record at the start of the invocation.
	Age time.Duration
	// TimeShort says that the invocation has no time left for another attempt.
	TimeShort bool
	Now       time.Time
}

// Choose returns the lane of the attempt. A target earns the fast lane by
// responding successfully, within half a second on average, since it was last cut
// short, which must be ten minutes ago. So a webhook that is new or hangs earns it
// through the queue and does not delay a batch of others meanwhile. A record that
// is two seconds old or more may be a redelivery: the queue's lease keeps it from
// being sent twice. While the webhook's breaker is open, one delivery takes the
// queue when a probe is due, and the others are parked. When time is short,
// sending a message is quicker than writing a row.
func (q LaneQuestion) Choose() Lane {
	share := fastShare
	if q.Alone {
		share = q.InBatch + 1
	}
	switch {
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
