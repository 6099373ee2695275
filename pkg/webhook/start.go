package webhook

import "time"

const (
	// LeaseMargin is how much longer a lease is than its attempt's timeout.
	LeaseMargin = 10 * time.Second
	// LeaseSpare is what must be left of that margin when the POST starts.
	LeaseSpare = 2 * time.Second
	// viewLife is how old a reading of a webhook may be when an attempt starts on
	// it.
	viewLife = 3 * time.Second
	// startWindow is how long first attempts may start in an invocation.
	startWindow = 15 * time.Second
	// handOffReserve is the end of an invocation, kept for recording and sending.
	handOffReserve = 20 * time.Second
)

// ViewFresh reports whether an attempt may start at now on a webhook that was read
// at viewed.
func ViewFresh(viewed, now time.Time) bool { return Elapsed(viewed, now) < viewLife }

// LeasedMayStart reports whether the POST of an attempt whose lease was asked for
// at leased may start at now: it ends within the lease, and the webhook, read at
// viewed, is fresh.
func LeasedMayStart(leased, viewed, now time.Time) bool {
	return Elapsed(leased, now) <= LeaseMargin-LeaseSpare && ViewFresh(viewed, now)
}

// Invocation is the time that one call of the dispatcher has.
type Invocation struct {
	Began    time.Time
	Deadline time.Time // zero: none
}

// TimeShort reports whether no further first attempt may start: recording and
// sending need their time.
func (i Invocation) TimeShort(now time.Time) bool {
	return Elapsed(i.Began, now) > startWindow || !i.Deadline.IsZero() && i.Deadline.Sub(now) < handOffReserve
}

// Holds reports whether the lease of an attempt that takes up to timeout ends
// before the invocation does.
func (i Invocation) Holds(timeout time.Duration, now time.Time) bool {
	return i.Deadline.IsZero() || i.Deadline.Sub(now) >= timeout+LeaseMargin
}

// WaitUntil is when waiting for a turn ends. It is zero without a deadline.
func (i Invocation) WaitUntil() time.Time {
	if i.Deadline.IsZero() {
		return time.Time{}
	}
	return i.Deadline.Add(-handOffReserve)
}
