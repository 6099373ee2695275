package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

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
func retryDelays(p webhook.Policy) []time.Duration {
	if p == webhook.PolicySuperOffice {
		return superofficeDelays
	}
	return durableDelays
}

// Decide returns the outcome under policy p of an attempt, numbered from 1 in its
// round, that ended at now with result r. SweepAt is NextAt; a caller that also sends a message
// postpones it. disable says that the target permanently refuses events (410).
// jitter is a random number in [0, 1): it shortens or extends a delay of the durable
// policy by up to a fifth.
func Decide(p webhook.Policy, attempt int, r webhook.Result, now time.Time, jitter float64) (o Outcome, disable bool) {
	o = Outcome{Attempt: newAttempt(r, attempt), Response: r.Excerpt, Status: StatusFailed}
	switch {
	case r.Error == failure.None:
		o.Status = StatusDelivered
		return o, false
	case r.StatusCode == 410:
		o.Reason = "the target responded with 410 Gone"
		return o, true
	case r.Error == failure.Aborted:
		o.Reason = "the target requested no further attempts"
		return o, false
	case r.Error == failure.Body: // the next attempt would make the same body
		o.Reason = "the template makes too large a body of the event"
		return o, false
	}
	delays := retryDelays(p)
	if attempt > len(delays) {
		o.Reason = "every attempt failed"
		return o, false
	}
	delay := delays[attempt-1]
	if p != webhook.PolicySuperOffice {
		delay = time.Duration(float64(delay) * (0.8 + 0.4*jitter))
	}
	next := now.Add(max(delay, min(r.RetryAfter, MaxRetryAfter)))
	o.Status, o.NextAt, o.SweepAt = StatusPending, next, next
	return o, false
}

// newAttempt returns a result as a row stores it.
func newAttempt(r webhook.Result, number int) Attempt {
	return Attempt{Number: number, At: r.At, Duration: r.Duration, StatusCode: r.StatusCode, Error: r.Error, Detail: r.Detail, Sent: r.Sent}
}
