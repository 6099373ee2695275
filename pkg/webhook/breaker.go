package webhook

import "time"

// Breaker keeps a target that does not answer well from being called in vain,
// and its deliveries from using up their attempts on it. It is part of a
// webhook's health; the zero Breaker is closed.
//
// It opens after 10 failures without a success, however close together. While
// it is open one attempt a step is made, the probe: 30 s after it opened, then
// 1, 2, 4, … minutes after each other, at most an hour. A step is used up when
// its probe begins, so that one that is never heard of again counts as failed;
// one that is not made after all gives its step back.
// Every other delivery is parked: its row waits for the next probe's time and a
// random part of a quarter step beyond, with no attempt used and no message.
// A success, whoever made it, closes the breaker; parked rows then go out as
// their time comes, which spreads them.
//
// What follows from that, for a target that answers again after an outage:
//   - The breaker closes at the next probe, at most one step later: as long as
//     the outage lasted, and never more than 1 h.
//   - All that was parked has been sent on to the queue a quarter step and two
//     minutes after that: 17 min after an outage of hours, 2 min after one of
//     minutes. So the whole drain begins within 1 h and is out within 1 h 17 min.
//   - The n deliveries of an outage leave over that quarter step, n per 15 min
//     at its longest; what the sweep's own rate adds stands in package sweep.
//   - No delivery is attempted before its policy's time for it, so none has
//     used up its attempts earlier than without a breaker: parking only moves
//     attempts out. A probe is an attempt of a delivery that was due anyway.
type Breaker struct {
	// Failures counts those without a success since, up to the number that
	// opens.
	Failures int32
	// Step is the distance between probes. Zero: closed.
	Step time.Duration
	// ProbeAt is when the next probe may begin.
	ProbeAt time.Time
	// ProbeBy names the attempt that is the current probe; empty when its
	// outcome is known. It counts until ProbeUntil: then its maker has died.
	ProbeBy    string
	ProbeUntil time.Time
}

const (
	breakerLimit     = 10 // failures
	breakerFirstStep = 30 * time.Second
	breakerMaxStep   = time.Hour
	// breakerProbeWait is how long rows wait for the outcome of a probe that is
	// about to be made or under way, and again as much as a random part.
	breakerProbeWait = time.Minute
	// breakerSpread is the part of a step that parked rows are spread over.
	breakerSpread = 4
)

// Open reports whether attempts but probes are to be parked.
func (b Breaker) Open() bool { return b.Step > 0 }

// Probing reports whether a probe is under way at now.
func (b Breaker) Probing(now time.Time) bool { return b.ProbeBy != "" && now.Before(b.ProbeUntil) }

// probeDue reports whether the next attempt may be a probe.
func (b Breaker) probeDue(now time.Time) bool { return b.Open() && !now.Before(b.ProbeAt) }

// Probe makes the attempt named by the probe, if one is due: the step is used
// up and the next one is twice as long. limit is the longest that the probe can
// take. Whether it was granted shows in ProbeBy.
func (b Breaker) Probe(by string, now time.Time, limit time.Duration) Breaker {
	if !b.probeDue(now) {
		return b
	}
	b.Step = min(2*b.Step, breakerMaxStep)
	b.ProbeAt = now.Add(max(b.Step, limit))
	b.ProbeBy, b.ProbeUntil = by, now.Add(limit)
	return b
}

// ParkUntil is when a delivery that is parked now comes up again. jitter is a
// random number in [0, 1).
func (b Breaker) ParkUntil(now time.Time, jitter float64) time.Time {
	if b.Probing(now) || b.probeDue(now) {
		// The answer is a matter of seconds; it would be a pity to wait for
		// the next one.
		return now.Add(breakerProbeWait + time.Duration(jitter*float64(breakerProbeWait)))
	}
	return b.ProbeAt.Add(time.Duration(jitter * float64(b.Step) / breakerSpread))
}

// failed counts a failure. Failures of attempts that were under way when the
// breaker opened change nothing, and neither do those of probes, whose step is
// used up already.
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

// unresolved ends a probe that did not close the breaker.
func (b Breaker) unresolved(probe string) Breaker {
	if probe != "" && probe == b.ProbeBy {
		b.ProbeBy, b.ProbeUntil = "", time.Time{}
	}
	return b
}

// GiveBack returns the step of a probe that was never made, so that the next
// delivery can be the probe. before is the breaker as Probe found it. A breaker
// that is no longer at this probe stays as it is.
func (b Breaker) GiveBack(by string, before Breaker) Breaker {
	if by == "" || b.ProbeBy != by {
		return b
	}
	b.Step, b.ProbeAt = before.Step, before.ProbeAt
	return b.unresolved(by)
}
