package simulation_test

import (
	"math/rand/v2"
	"strings"
	"time"
)

// weather is how bad things are in a run. Every seed draws its own, and leaves
// many kinds of trouble out, so that rare pairs of faults meet undisturbed.
type weather struct {
	pause     float64 // that time passes instead of something happening
	die       float64
	freeze    float64
	store     float64 // a fault of DynamoDB
	stale     float64 // an old answer of an eventually consistent read
	queue     float64 // a fault of the queue
	secret    float64 // a fault of the secret store
	unread    float64 // a new version that is not readable yet
	network   float64 // a POST that does not arrive, or whose answer is lost
	slow      float64
	duplicate float64 // a message that the queue hands out twice
	late      float64 // a message that the queue hands out late
	giveUp    float64 // an event source mapping gives a running invocation up
	double    float64 // two sweeps at once
	repeat    float64 // a write that the SDK repeats since its answer was lost
	faults    int
	lasts     time.Duration // how long the bad weather lasts
}

func drawWeather(rnd *rand.Rand) weather {
	some := func(p float64) float64 {
		if rnd.Float64() < 0.45 {
			return 0
		}
		return p * rnd.Float64()
	}
	w := weather{
		pause:     []float64{0.05, 0.15, 0.3, 0.5}[rnd.IntN(4)],
		die:       some(0.04),
		freeze:    some(0.03),
		store:     some(0.15),
		stale:     some(1),
		queue:     some(0.3),
		secret:    some(0.2),
		unread:    some(0.6),
		network:   some(0.2),
		slow:      some(0.1),
		duplicate: some(0.3),
		late:      some(0.2),
		giveUp:    some(0.05),
		double:    some(0.3),
		repeat:    some(0.15),
		faults:    []int{0, 1, 2, 4, 8, 16, 40, 80}[rnd.IntN(8)],
		lasts:     []time.Duration{time.Minute, 10 * time.Minute, 40 * time.Minute, 6 * time.Hour, 30 * time.Hour}[rnd.IntN(5)],
	}
	return w
}

// judge draws what becomes of one side effect.
func (w *world) judge(g *gate) verdict {
	if g.ctx.Err() != nil && g.kind != kindAnswer && g.kind != kindPost {
		// The caller stopped waiting; whether the call arrived nobody knows.
		if w.chance(0.5) {
			return failAfter
		}
		return failBefore
	}
	if w.calm || w.faults == 0 {
		return proceed
	}
	v := w.drawFault(g)
	if v != proceed && v != slow && v != stale {
		w.faults--
	}
	return v
}

func (w *world) drawFault(g *gate) verdict {
	if w.chance(w.weather.die) {
		if g.kind == kindAnswer || w.chance(0.5) {
			return dieBefore
		}
		return dieAfter
	}
	p := 0.0
	switch g.kind {
	case kindStore, kindStale:
		p = w.weather.store
	case kindQueue, kindSend:
		p = w.weather.queue
	case kindSecret:
		p = w.weather.secret
	case kindPost:
		p = w.weather.network
	case kindAnswer:
		return proceed
	}
	if w.chance(p) {
		switch {
		case g.kind == kindSend && w.chance(0.5):
			return partial
		case w.chance(0.5):
			return failBefore
		}
		return failAfter
	}
	if g.kind == kindStale && w.chance(w.weather.stale) {
		return stale
	}
	if w.chance(w.weather.slow) {
		return slow
	}
	return proceed
}

// weatherFreezes stops a process for a while, as a paused virtual machine is.
func (w *world) weatherFreezes(p *process) bool {
	if w.calm || w.faults == 0 || !w.chance(w.weather.freeze) {
		return false
	}
	w.faults--
	var d time.Duration
	switch w.rnd.IntN(4) {
	case 0:
		d = w.between(time.Second, 6*time.Second)
	case 1:
		d = w.between(6*time.Second, 70*time.Second)
	case 2:
		d = w.between(time.Minute, 15*time.Minute)
	default:
		d = w.between(15*time.Minute, 4*time.Hour)
	}
	if strings.HasPrefix(p.name, "api-") {
		// The sweep takes an API call to be over after an hour, and Lambda
		// after half a minute; so a second freeze of one is its end.
		if d = min(d, 20*time.Minute); p.current.froze {
			w.tracef(p.name, "*** FREEZES for ever")
			w.kill(p, dieBefore)
			return true
		}
		p.current.froze = true
	}
	p.frozen = true
	w.tracef(p.name, "*** FREEZES for %s", d.Round(time.Second))
	w.at(time.Now().Add(d), func() {
		if p.frozen {
			p.frozen = false
			w.tracef(p.name, "*** thaws")
		}
	})
	return true
}
