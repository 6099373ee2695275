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
