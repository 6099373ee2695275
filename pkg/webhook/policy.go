package webhook

import (
	"time"
)

// Policy decides what follows a failed attempt: when the next one is due, when
// the delivery has failed, and when its webhook is disabled. The empty Policy
// is the deployment's default.
type Policy string

// The policies.
const (
	PolicyDurable     Policy = "durable"     // retries for three days
	PolicySuperOffice Policy = "superoffice" // three attempts within seconds, as SuperOffice does
)

// Valid reports whether the policy is one of the list (the empty one is not).
func (p Policy) Valid() bool { return p == PolicyDurable || p == PolicySuperOffice }

// Or returns the policy, or the fallback if it is not one of the list.
func (p Policy) Or(fallback Policy) Policy {
	if p.Valid() {
		return p
	}
	return fallback
}

// MaxRetryAfter is as far as a target can move its next attempt out.
const MaxRetryAfter = 24 * time.Hour

var (
	durableGaps = []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	superofficeGaps = []time.Duration{time.Second, 4 * time.Second}
)

// Gaps lists the waits of the policy: the first between attempt 1 and 2, and so
// on. There is one attempt more than there are gaps.
func (p Policy) Gaps() []time.Duration {
	if p == PolicySuperOffice {
		return superofficeGaps
	}
	return durableGaps
}

// Decision is what a policy makes of an attempt.
type Decision struct {
	Status Status // StatusDelivered, StatusPending (retry at NextAt) or StatusFailed
	Reason string // of a failure, for people
	NextAt time.Time
	// Disable says that the target asked for no more events for ever (410).
	Disable bool
}

// Decide says what follows attempt number attempt (from 1) of a round, that
// ended at now with result r. jitter is a random number in [0, 1): a gap of the
// durable policy is moved by up to a fifth, either way.
func (p Policy) Decide(attempt int, r Result, now time.Time, jitter float64) Decision {
	switch {
	case r.Error == AttemptOK:
		return Decision{Status: StatusDelivered}
	case r.StatusCode == 410:
		return Decision{Status: StatusFailed, Reason: "the target answered 410 Gone", Disable: true}
	case r.Error == AttemptAborted:
		return Decision{Status: StatusFailed, Reason: "the target asked for no further attempt"}
	}
	gaps := p.Gaps()
	if attempt > len(gaps) {
		return Decision{Status: StatusFailed, Reason: "every attempt failed"}
	}
	gap := gaps[attempt-1]
	if p != PolicySuperOffice {
		gap = time.Duration(float64(gap) * (0.8 + 0.4*jitter))
	}
	gap = max(gap, min(r.RetryAfter, MaxRetryAfter))
	return Decision{Status: StatusPending, NextAt: now.Add(gap)}
}

// The limits at which a webhook whose attempts all fail is disabled.
const (
	maxConsecutiveErrors  = 9
	durableFailingToLimit = 5 * 24 * time.Hour
)

// Exhausted reports whether a webhook with this health is to be disabled as
// TooManyErrors: under the superoffice policy after 9 consecutive failed
// attempts, under the durable one when there were at least 9 and every attempt
// for 5 days failed.
func (p Policy) Exhausted(h Health, now time.Time) bool {
	if h.ConsecutiveErrors < maxConsecutiveErrors {
		return false
	}
	return p == PolicySuperOffice || now.Sub(h.FailingSince) >= durableFailingToLimit
}
