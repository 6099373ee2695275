package sweep

import (
	"sync/atomic"
	"time"
)

// lullTime is how long a failure bucket that was empty is not listed again: a list
// call each minute would cost more than the rest of an idle sweep. It is less than
// five minutes, so that a Run that begins a little early still lists in the fifth.
const lullTime = 5*time.Minute - 30*time.Second

// lull holds how long a failure bucket need not be listed. The zero value means that
// it must be.
type lull struct{ until atomic.Pointer[time.Time] }

// begin begins a lull: the bucket was empty now.
func (l *lull) begin(now time.Time) {
	until := now.Add(lullTime)
	l.until.Store(&until)
}

// lasts reports whether the bucket need not be listed now.
func (l *lull) lasts(now time.Time) bool {
	until := l.until.Load()
	return until != nil && now.Before(*until)
}
