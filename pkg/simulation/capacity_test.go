package simulation_test

import (
	"math/rand/v2"
	"time"
)

// capacity is how many calls Lambda runs at once. While it is used up, mappings and the
// schedule are throttled: a batch of the queue comes again after its visibility timeout
// and has used up a receive, a batch of the stream is tried again and uses up nothing,
// and a run of the sweep is left out.
type capacity struct {
	w       *world
	limited bool
	most    int
}

// newCapacity limits the calls for some time in one run in six. Like newIngestion, it
// draws nothing from the world's random numbers.
func newCapacity(w *world) *capacity {
	c := &capacity{w: w}
	rnd := rand.New(rand.NewPCG(w.seed, 0x6361706163697479))
	if w.weather.faults == 0 || rnd.IntN(6) > 0 {
		return c
	}
	from := w.began.Add(time.Duration(rnd.Int64N(int64(min(w.weather.lasts, 5*time.Minute)))))
	for range 1 + rnd.IntN(3) {
		most := rnd.IntN(3)
		until := from.Add(time.Duration(1 + rnd.Int64N(int64([]time.Duration{time.Second, time.Minute, 20 * time.Minute}[rnd.IntN(3)]))))
		w.at(from, func() { c.set(true, most) })
		w.at(until, func() { c.set(false, 0) })
		from = until.Add(time.Duration(rnd.Int64N(int64(time.Minute))))
	}
	return c
}

func (c *capacity) set(limited bool, most int) {
	c.limited, c.most = limited, most
	if limited {
		c.w.tracef("weather", "*** Lambda runs at most %d calls at once", most)
	} else {
		c.w.tracef("weather", "Lambda runs any number of calls again")
	}
}

// throttles reports whether a call cannot begin now.
func (c *capacity) throttles(what string) bool {
	running := 0
	for _, inv := range c.w.running {
		if !inv.closed {
			running++
		}
	}
	if !c.limited || running < c.most {
		return false
	}
	c.w.tracef("weather", "*** %s is throttled", what)
	return true
}
