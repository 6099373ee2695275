package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Lane is the way an attempt is made. A lane cuts short what takes longer than it
// allows, and the delivery continues in the next one. So a slow target delays
// deliveries to slow targets only. Whatever is cut short is sent again: a target that
// had received it sees a duplicate.
type Lane string

// The lanes.
const (
	LaneFast  Lane = "fast"  // immediately, in the stream consumer, cut short after 1.5 s
	LaneQueue Lane = "queue" // through the delivery queue, cut short after 5 s
	LaneSlow  Lane = "slow"  // through a queue of its own, with the webhook's full timeout
	// LaneParked: not now. The webhook's breaker is open, and the delivery waits as
	// a row until the breaker may be closed.
	LaneParked Lane = "parked"
)

const (
	fastMaxLatency = 500 * time.Millisecond
	fastPenalty    = 10 * time.Minute
	redeliveryAge  = 2 * time.Second
	// fastBatch is how many attempts of a batch may take the fast lane before a webhook
	// that has had its share gets no more. All of them wait for slots at once, in memory.
	fastBatch = 1024
)

// FastBudget is how long an attempt in the fast lane may take.
const FastBudget = 1500 * time.Millisecond

// Limit returns how long an attempt in the lane may take at most, for a webhook with
// this timeout. cuts reports whether that is less than the timeout.
func (l Lane) Limit(timeout time.Duration) (limit time.Duration, cuts bool) {
	limit = timeout
	switch l {
	case LaneFast:
		limit = min(FastBudget, timeout)
	case LaneQueue:
		limit = min(webhook.QueueBudget, timeout)
	case LaneSlow, LaneParked:
	}
	return limit, limit < timeout
}

// QueueLane returns the lane of an attempt that a message requests, for a webhook with
// this health.
func QueueLane(h webhook.Health) Lane {
	if h.Slow {
		return LaneSlow
	}
	return LaneQueue
}

// Lane returns the lane of the attempt that the message requests, which is that of the
// queue that the message is in.
func (m Message) Lane() Lane {
	if m.Slow {
		return LaneSlow
	}
	return LaneQueue
}

// LaneQuestion holds everything that the choice of a lane depends on.
type LaneQuestion struct {
	// Known says whether the webhook has a Health. Health is that of the webhook's
	// activation.
	Known  bool
	Health webhook.Health
	// InBatch is how many attempts of the batch have already gone to this webhook by the
	// fast lane, Probes how many as a probe of its breaker. Fast is how many have gone
	// to any webhook by the fast lane.
	InBatch, Probes, Fast int
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
// being sent twice. In a large batch a webhook takes the queue after its share. While
// the webhook's breaker is open, one delivery takes the queue when a probe is due, and
// the others are parked. When time is short, sending a message is quicker than writing a
// row. What takes the queue takes the slow lane if the webhook's target is slow.
func (q LaneQuestion) Choose() Lane {
	over := !q.Alone && q.InBatch >= fastShare && q.Fast >= fastBatch
	switch {
	case q.TimeShort:
		return QueueLane(q.Health)
	case q.Health.Breaker.Open():
		if q.Health.Breaker.ProbeDue(q.Now) && q.Probes == 0 {
			return QueueLane(q.Health)
		}
		return LaneParked
	case q.Age >= redeliveryAge, over:
		return QueueLane(q.Health)
	case !q.Known, !q.Health.LastOK.After(q.Health.FastTimeout), q.Health.Latency >= fastMaxLatency:
		return QueueLane(q.Health)
	case !q.Health.FastTimeout.IsZero() && q.Now.Sub(q.Health.FastTimeout) < fastPenalty:
		return QueueLane(q.Health)
	}
	return LaneFast
}
