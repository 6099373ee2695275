package simulation_test

import (
	"testing"
	"time"
	"unsafe"
)

// reading returns a time as a process reads it: the wall clock shows the given time
// and the monotonic clock mono, since a moment of its own. Times of a bubble have no
// monotonic reading, and such a time can only be made by writing to the fields of
// time.Time; TestReading detects a change of their layout.
func reading(wall time.Time, mono time.Duration) time.Time {
	const year1885 = -2682288000 // the first second that the form can hold
	var t time.Time
	inner := (*struct {
		wall      uint64
		monotonic int64
		location  *time.Location
	})(unsafe.Pointer(&t))
	inner.wall = 1<<63 | uint64(wall.Unix()-year1885)<<30 | uint64(wall.Nanosecond())
	inner.monotonic = int64(mono)
	return t
}

func TestReading(t *testing.T) {
	t.Parallel()
	wall := time.Date(2000, 1, 2, 3, 4, 5, 6, time.UTC)
	a, b := reading(wall, time.Hour), reading(wall.Add(time.Minute), time.Hour+time.Second)
	if !a.Equal(wall) || b.Sub(a) != time.Second || b.Round(0).Sub(a.Round(0)) != time.Minute || a.Sub(wall) != 0 {
		t.Errorf("got %v and %v, want readings a second apart on the monotonic clock and a minute apart on the wall's", a, b)
	}
}

// setClock sets a process's wall clock, which may differ from the others': the time
// service of AWS keeps clocks closer than this, and a lease outlives its attempt by
// more than the largest difference.
func (w *world) setClock(p *process) {
	if w.skew > 0 {
		p.skew.Store(int64(w.luck("clock", p.name, time.Since(w.began).String())(0)*float64(w.skew)) - int64(w.skew/2))
	}
}
