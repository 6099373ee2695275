package webhook

import "time"

// Elapsed returns the time from a to b by the clock that advanced further. Use it
// for every duration that may span a freeze of a Lambda environment: the
// monotonic clock stops during a freeze, and the wall clock can be set back.
// Times without a monotonic reading are compared by the wall clock alone.
func Elapsed(a, b time.Time) time.Duration {
	return max(b.Sub(a), b.Round(0).Sub(a.Round(0)))
}
