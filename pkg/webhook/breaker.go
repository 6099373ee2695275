package webhook

import "time"

// Breaker stops attempts to a failing target, so that they are not wasted and
// deliveries do not use up their attempts. It is part of a webhook's health; the
// zero Breaker is closed.
//
// It opens after 10 failures without a success that began at least 2 s apart, the
// first and the last. So a burst of failures that ends as quickly as it began, or a
// target that fails half of its attempts, does not open it: successes are counted
// within a second of their attempts.
//
// While it is open, one attempt is made per step, the probe: 30 s after it opened,
// then after 1, 2, 4, … minutes, at most an hour, each ±10 % so that breakers that
// opened together do not probe together. A step is used up when its probe begins, so
// that a probe whose outcome is never reported counts as failed. A probe that is not
// made after all gives its step back.
//
// Every other delivery is parked: its row waits without using an attempt, a message
// or a write, however long the outage is. Any success closes the breaker, whether a
// probe's or not. The process that closes it has the parked rows drained; see delivery.Timer.
//
// For a target that recovers from an outage this means:
//   - The breaker closes at the next probe, at most one step and a minute later: no
//     longer than the outage lasted, and never more than 67 min.
//   - Parked rows are attempted from then on, oldest first in each of 8 partitions,
//     up to 16 at once in the first minute and then twice as many each minute, as long
//     as the target accepts them.
//   - No delivery is attempted before the time its policy set, so none runs out of
//     attempts earlier than it would without a breaker: parking only postpones
//     attempts. A probe is an attempt of a delivery that was due anyway.
type Breaker struct {
	// Failures counts the failures since the last success while the breaker is
	// closed.
	Failures int32
	// Step is the time between probes, before jitter. Zero: closed.
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
	breakerLimit     = 10              // failures
	breakerSpan      = 2 * time.Second // from the begin of the first to that of the last
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
// take, jitter a random number in [0, 1). The result's ProbeBy is by if the probe
// was granted.
func (b Breaker) Probe(by string, now time.Time, limit time.Duration, jitter float64) Breaker {
	if !b.ProbeDue(now) {
		return b
	}
	b.Step = min(2*b.Step, breakerMaxStep)
	b.ProbeAt = now.Add(max(jittered(b.Step, jitter), limit))
	b.ProbeBy, b.ProbeUntil = by, now.Add(limit)
	return b
}

// jittered returns a step that is up to a tenth shorter or longer.
func jittered(step time.Duration, jitter float64) time.Duration {
	return time.Duration(float64(step) * (0.9 + 0.2*jitter))
}

// failed counts a failure. since is when the first failure after the last success
// began; zero if this is the first. Attempts that were under way when the breaker
// opened change nothing, and neither do probes, whose step is already used up.
func (b Breaker) failed(r HealthReport, since time.Time) Breaker {
	if b.Open() {
		return b.unresolved(r.Probe)
	}
	b.Failures = saturatingIncrement(b.Failures)
	if b.Failures >= breakerLimit && !since.IsZero() && r.At.Sub(since) >= breakerSpan {
		b.Step = breakerFirstStep
		b.ProbeAt = r.At.Add(r.Duration).Add(jittered(b.Step, r.Jitter))
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
