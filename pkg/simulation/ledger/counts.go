package ledger

import (
	"math"
	"time"
)

// Counts is what the statistics and the breaker of a webhook must say.
type Counts struct {
	Activation                 int64
	Calls, Errors, Consecutive int64
	// LastOK, FailingSince and LastCounted are when attempts began: the last
	// success, the first failure since, and the last one that counted.
	LastOK, FailingSince, LastCounted time.Time
	// Latency is a moving average.
	Latency time.Duration
	// Cut is when a lane last cut an attempt short.
	Cut time.Time
	// Slow says that the queue lane did, and that answers take two seconds or more on
	// average since.
	Slow bool
	// Failures counts towards opening the breaker. Step is zero while it is closed.
	// ProbeAt may be a tenth of a step earlier or later.
	Failures int
	Step     time.Duration
	ProbeAt  time.Time
}

// Kind is how an attempt ended.
type Kind string

// The kinds.
const (
	Accepted  Kind = "accepted"
	Failed    Kind = "failed"
	CutShort  Kind = "cut short" // by the fast lane
	CutLate   Kind = "cut late"  // by the queue lane
	Undecided Kind = "undecided" // refused with one of two secrets
)

// FastLimit and QueueLimit are how long an attempt in the fast lane and one in the queue
// lane may take.
const (
	FastLimit  = 1500 * time.Millisecond
	QueueLimit = 5 * time.Second
)

// Outcome is an attempt that a process has the result of.
type Outcome struct {
	Activation  int64
	Policy      string
	Began, Over time.Time
	Posts       int
	Kind        Kind
	// Replay: a replay asked for it. It counts in the totals, and an accepted one shows
	// that the target responds.
	Replay bool
}

const (
	breakerLimit = 10
	breakerSpan  = 2 * time.Second // at least, from the first failure to the one that opens it
	firstStep    = 30 * time.Second
	longestStep  = time.Hour
	disableLimit = 9
	failingLimit = 5 * 24 * time.Hour
)

// Under returns the counts under an activation: a newer one starts over, but for
// the totals.
func (c Counts) Under(activation int64) Counts {
	if activation > c.Activation {
		c.Consecutive, c.FailingSince, c.LastCounted = 0, time.Time{}, time.Time{}
		c.Failures, c.Step, c.ProbeAt = 0, 0, time.Time{}
		c.Activation = activation
	}
	return c
}

// After returns the counts after an outcome.
func (c Counts) After(o Outcome) Counts {
	c = c.Under(o.Activation)
	c.Calls = min(c.Calls+int64(o.Posts), math.MaxInt32)
	mine := o.Activation == c.Activation
	switch o.Kind {
	case Undecided:
	case CutShort:
		c.Cut = latest(c.Cut, o.Began)
	case CutLate:
		c.Cut = latest(c.Cut, o.Began)
		c.Slow, c.Latency = true, max(c.Latency, QueueLimit)
	case Accepted:
		c = c.answered(o)
		if mine {
			c.Failures, c.Step, c.ProbeAt = 0, 0, time.Time{}
		}
		if o.Replay {
			break
		}
		c.LastOK = latest(c.LastOK, o.Began)
		if mine {
			c.Consecutive, c.FailingSince, c.LastCounted = 0, time.Time{}, time.Time{}
		}
	case Failed:
		c = c.answered(o)
		c.Errors = min(c.Errors+1, math.MaxInt32)
		if mine && !o.Replay && o.Began.After(c.LastOK) {
			c = c.failed(o)
		}
	}
	return c
}

// answered adds an attempt to the average latency, of which the last eight attempts
// make most.
func (c Counts) answered(o Outcome) Counts {
	took := o.Over.Sub(o.Began) / time.Duration(o.Posts)
	if c.Latency == 0 {
		c.Latency = took
	} else {
		c.Latency += (took - c.Latency) / 8
	}
	if c.Latency < 2*time.Second {
		c.Slow = false
	}
	return c
}

func (c Counts) failed(o Outcome) Counts {
	if c.Step == 0 {
		if c.Failures++; c.Failures >= breakerLimit && !o.Began.Before(c.FailingSince.Add(breakerSpan)) {
			c.Step, c.ProbeAt = firstStep, o.Over.Add(firstStep)
		}
	}
	if o.Policy == "durable" && !c.LastCounted.IsZero() && o.Began.Before(c.LastCounted.Add(time.Second)) {
		return c
	}
	c.Consecutive = min(c.Consecutive+1, math.MaxInt32)
	c.LastCounted = o.Began
	if c.FailingSince.IsZero() {
		c.FailingSince = o.Began
	}
	return c
}

// Near returns the counts with the time of the probe that stored ones have, if it is as
// near as it must be.
func (c Counts) Near(stored Counts) Counts {
	if off := stored.ProbeAt.Sub(c.ProbeAt).Abs(); c.Step == stored.Step && off <= c.Step/10+time.Millisecond {
		c.ProbeAt = stored.ProbeAt
	}
	return c
}

// Exhausted reports whether a webhook with these counts must be disabled.
func (c Counts) Exhausted(policy string, now time.Time) bool {
	if c.Consecutive < disableLimit {
		return false
	}
	return policy == "superoffice" || !now.Before(c.FailingSince.Add(failingLimit))
}

// Probed returns the counts after a probe that takes at most limit was begun, and
// whether one may begin.
func (c Counts) Probed(now time.Time, limit time.Duration) (Counts, bool) {
	if c.Step == 0 || now.Before(c.ProbeAt) {
		return c, false
	}
	c.Step = min(2*c.Step, longestStep)
	c.ProbeAt = now.Add(max(c.Step, limit))
	return c, true
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
