package webhooktest

import (
	"time"
	"unsafe"
)

// Thawed returns t as a process reads it after a freeze of d: the wall clock shows
// t, and the monotonic clock is d behind. t must have a monotonic reading. Such a
// time can only be made by writing to the fields of time.Time; the test of
// webhook.Elapsed detects a change of their layout.
func Thawed(t time.Time, d time.Duration) time.Time {
	inner := (*struct {
		wall      uint64
		monotonic int64
		location  *time.Location
	})(unsafe.Pointer(&t)) //nolint:gosec // no other way to make such a time
	inner.monotonic -= int64(d)
	return t
}
