package webhook

import "time"

// Breaker stops attempts to a failing target, so that they are not wasted and
// deliveries do not use up their attempts. It is part of a webhook's health; the
// zero Breaker is closed.
//
// It opens after 10 failures without a success, however close together. While it
// is open, one attempt is made per step, the probe: 30 s after it opened, then
// after 1, 2, 4, … minutes, at most an hour. A step is used up when its probe
// begins, so that a probe whose outcome is never reported counts as failed. A
// probe that is not made after all gives its step back.
// Every other delivery is parked: its row waits without using an attempt, a message
// or a write, however long the outage is. Any success closes the breaker, whether a
// probe's or not. The process that closes it has the parked rows drained; see delivery.Timer.
//
// For a target that recovers from an outage this means:
//   - The breaker closes at the next probe, at most one step later: no longer
//     than the outage lasted, and never more than 1 h.
//   - Everything parked has been sent to the queue a quarter step and two minutes
//     after that: 17 min after an outage of hours, 2 min after one of minutes. So
//     the drain begins within 1 h and is complete within 1 h 17 min.
//   - The n deliveries of an outage are sent over that quarter step, n per 15 min
//     if the step is at its longest. Package sweep documents what its own rate
//     adds.
//   - No delivery is attempted before the time its policy set, so none runs out of
//     attempts earlier than it would without a breaker: parking only postpones
//     attempts. A probe is an attempt of a delivery that was due anyway.
type Breaker struct {
	// Failures counts the failures since the last success, up to the number that
	// opens the breaker.
	Failures int32
	// Step is the time between probes. Zero: closed.
	Step time.Duration
	// ProbeAt is when the next probe may begin.
	ProbeAt time.Time
	// ProbeBy names the attempt that is the current probe; empty once its
	// outcome is known. It expires at ProbeUntil: the process that made the probe
	// is then presumed dead.
	ProbeBy    string
	ProbeUntil time.Time
}

const (
	breakerLimit     = 10 // failures
	breakerFirstStep = 30 * time.Second
	breakerMaxStep   = time.Hour
)

// Open reports whether all attempts except probes are parked.
func (b Breaker) Open() bool { return b.Step > 0 }

// Probing reports whether a probe is under way at now.
func (b Breaker) Probing(now time.Time) bool { return b.ProbeBy != "" && now.Before(b.ProbeUntil) }

// ProbeDue reports whether the next attempt may be a probe.
func (b Breaker) ProbeDue(now time.Time) bool { return b.Open() && !now.Before(b.ProbeAt) }

// Probe makes the attempt named by the probe if one is due: the step is used up
// and the next one is twice as long. limit is the longest time the probe can
// take. The result's ProbeBy is by if the probe was granted.
func (b Breaker) Probe(by string, now time.Time, limit time.Duration) Breaker {
	if !b.ProbeDue(now) {
		return b
	}
	b.Step = min(2*b.Step, breakerMaxStep)
	b.ProbeAt = now.Add(max(b.Step, limit))
	b.ProbeBy, b.ProbeUntil = by, now.Add(limit)
	return b
}

// failed counts a failure. Attempts that were under way when the breaker opened
// change nothing, and neither do probes, whose step is already used up.
func (b Breaker) failed(r HealthReport) Breaker {
	if b.Open() {
		return b.unresolved(r.Probe)
	}
	if b.Failures++; b.Failures >= breakerLimit {
		b.Step = breakerFirstStep
		b.ProbeAt = r.At.Add(r.Duration).Add(b.Step)
	}
	return b
}

// unresolved ends a probe without closing the breaker.
func (b Breaker) unresolved(probe string) Breaker {
	if probe != "" && probe == b.ProbeBy {
		b.ProbeBy, b.ProbeUntil = "", time.Time{}
	}
	return b
}

// GiveBack restores the step of a probe that was never made, so that the next
// delivery can be the probe. before is the breaker before the call of Probe. A
// breaker that is no longer at this probe is returned unchanged.
func (b Breaker) GiveBack(by string, before Breaker) Breaker {
	if by == "" || b.ProbeBy != by {
		return b
	}
	b.Step, b.ProbeAt = before.Step, before.ProbeAt
	return b.unresolved(by)
}
