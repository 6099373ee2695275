package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// LeaseMargin is how much longer a lease is than its attempt's timeout.
	LeaseMargin = 10 * time.Second
	// LeaseSpare is how much of that margin must be left when the POST starts.
	LeaseSpare = 2 * time.Second
	// viewLife is the oldest read of a webhook that an attempt may start from.
	viewLife = 3 * time.Second
	// startWindow is the part of an invocation in which first attempts may start.
	startWindow = 15 * time.Second
	// Of each batch, fastShare first attempts of a webhook may start, and more of them
	// within fastSpell.
	fastShare = 32
	fastSpell = time.Second
	// handOffReserve is the end of an invocation, reserved for recording outcomes
	// and sending messages.
	handOffReserve = 20 * time.Second
)

// ViewFresh reports whether an attempt may start at now from a webhook that was read
// at viewed.
func ViewFresh(viewed, now time.Time) bool { return webhook.Elapsed(viewed, now) < viewLife }

// LeasedMayStart reports whether the POST of an attempt whose lease was requested at
// leased may start at now: it ends within the lease, and the webhook, read at
// viewed, is fresh.
func LeasedMayStart(leased, viewed, now time.Time) bool {
	return webhook.Elapsed(leased, now) <= LeaseMargin-LeaseSpare && ViewFresh(viewed, now)
}

// Invocation is the time limit of one call of the dispatcher.
type Invocation struct {
	Began    time.Time
	Deadline time.Time // zero: none
}

// TimeShort reports whether no further first attempt may start, because the rest of
// the time is needed to record outcomes and send messages.
func (i Invocation) TimeShort(now time.Time) bool {
	return webhook.Elapsed(i.Began, now) > startWindow || !i.Deadline.IsZero() && i.Deadline.Sub(now) < handOffReserve
}

// Shares reports whether another first attempt of a webhook may start by the fast lane,
// of which started have started. A webhook that is alone has the whole batch. Another one
// must not hold back what else is in the batch for long: targets respond within half a
// second on average, and what they do not respond to is cut short after FastBudget, so
// two rounds of all slots of the webhook, or one after the spell, end within three
// seconds.
func (i Invocation) Shares(started int, alone bool, now time.Time) bool {
	return alone || started < fastShare || webhook.Elapsed(i.Began, now) < fastSpell
}

// Holds reports whether the lease of an attempt that takes up to timeout ends
// before the invocation does.
func (i Invocation) Holds(timeout time.Duration, now time.Time) bool {
	return i.Deadline.IsZero() || i.Deadline.Sub(now) >= timeout+LeaseMargin
}

// WaitUntil returns when to stop waiting for a turn, zero without a deadline.
func (i Invocation) WaitUntil() time.Time {
	if i.Deadline.IsZero() {
		return time.Time{}
	}
	return i.Deadline.Add(-handOffReserve)
}
