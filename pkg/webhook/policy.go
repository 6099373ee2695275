package webhook

import (
	"time"
)

// Policy decides what happens after a failed attempt: when the next one is due,
// when the delivery fails, and when its webhook is disabled. The empty Policy is
// the deployment's default.
type Policy string

// The policies.
const (
	PolicyDurable     Policy = "durable"     // retries for three days
	PolicySuperOffice Policy = "superoffice" // three attempts within seconds, as SuperOffice does
)

// Valid reports whether the policy is listed; the empty one is not.
func (p Policy) valid() bool { return p == PolicyDurable || p == PolicySuperOffice }

// Or returns the policy if it is valid, else the fallback.
func (p Policy) Or(fallback Policy) Policy {
	if p.valid() {
		return p
	}
	return fallback
}

// MaxRetryAfter is the longest time by which a target can postpone its next
// attempt.
const MaxRetryAfter = 24 * time.Hour

var (
	durableDelays = []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	superofficeDelays = []time.Duration{time.Second, 4 * time.Second}
)

// retryDelays returns the delays before the policy's retries: the first between
// attempts 1 and 2, and so on. There is one more attempt than there are delays.
func (p Policy) retryDelays() []time.Duration {
	if p == PolicySuperOffice {
		return superofficeDelays
	}
	return durableDelays
}

// Decide returns the outcome of an attempt, numbered from 1 in its round, that ended
// at now with result r. SweepAt is NextAt; a caller that also sends a message
// postpones it. disable says that the target permanently refuses events (410).
// jitter is a random number in [0, 1): it shortens or extends a delay of the durable
// policy by up to a fifth.
func (p Policy) Decide(attempt int, r Result, now time.Time, jitter float64) (o Outcome, disable bool) {
	o = Outcome{Attempt: r.attempt(attempt), Response: r.Excerpt, Status: StatusFailed}
	switch {
	case r.Error == AttemptOK:
		o.Status = StatusDelivered
		return o, false
	case r.StatusCode == 410:
		o.Reason = "the target responded with 410 Gone"
		return o, true
	case r.Error == AttemptAborted:
		o.Reason = "the target requested no further attempts"
		return o, false
	}
	delays := p.retryDelays()
	if attempt > len(delays) {
		o.Reason = "every attempt failed"
		return o, false
	}
	delay := delays[attempt-1]
	if p != PolicySuperOffice {
		delay = time.Duration(float64(delay) * (0.8 + 0.4*jitter))
	}
	next := now.Add(max(delay, min(r.RetryAfter, MaxRetryAfter)))
	o.Status, o.NextAt, o.SweepAt = StatusPending, next, next
	return o, false
}

// The limits at which a webhook is disabled if all of its attempts fail.
const (
	maxConsecutiveErrors  = 9
	durableFailingToLimit = 5 * 24 * time.Hour
)

// Exhausted reports whether a webhook with this health must be disabled as
// TooManyErrors: under the superoffice policy after 9 consecutive failed attempts,
// under the durable policy after at least 9 if every attempt has failed for 5
// days.
func (p Policy) Exhausted(h Health, now time.Time) bool {
	if h.ConsecutiveErrors < maxConsecutiveErrors {
		return false
	}
	return p == PolicySuperOffice || now.Sub(h.FailingSince) >= durableFailingToLimit
}
