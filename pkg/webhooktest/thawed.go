package webhooktest

import (
	"time"
	"unsafe"
)

// Thawed returns t as a process reads it after a freeze of d: the wall clock
// shows t, the monotonic clock missed d. t must have a monotonic reading. The
// only way to make such a time is to write into it; the test of webhook.Elapsed
// detects a change of time.Time's layout.
func Thawed(t time.Time, d time.Duration) time.Time {
	inner := (*struct {
		wall      uint64
		monotonic int64
		location  *time.Location
	})(unsafe.Pointer(&t)) //nolint:gosec // no other way to make such a time
	inner.monotonic -= int64(d)
	return t
}
