package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"
)

// weather is how bad conditions are in a run. Every seed draws its own and
// leaves out many kinds of trouble, so that rare pairs of faults occur
// undisturbed.
type weather struct {
	pause     float64 // time passes and nothing happens
	die       float64
	freeze    float64
	store     float64 // a DynamoDB fault
	rows      float64 // a DynamoDB fault on delivery rows only
	stale     float64 // stale data from an eventually consistent read
	queue     float64 // a queue fault
	secret    float64 // a secret store fault
	unread    float64 // a new secret version that is not readable yet
	network   float64 // a POST that does not arrive or whose response is lost
	slow      float64
	locked    float64 // a slow read of a secret
	duplicate float64 // a message that the queue delivers twice
	late      float64 // a message that the queue delivers late
	giveUp    float64 // an event source mapping gives up a running invocation
	double    float64 // two sweeps at once
	repeat    float64 // a write that the SDK repeats after a lost response
	hold      float64 // a process is delayed before a step, by at most a second
	outage    float64 // a fault is the first of several
	receives  int     // before a message becomes a dead letter
	retries   int     // before Lambda gives up on a batch
	lossy     bool    // the first records given up are lost, and redispatched
	rivals    bool    // the users all change one webhook at once
	flap      bool    // the rivals stop and start it, and its target refuses everything
	hurry     bool    // everything is fast, so that records are young when they fail
	weeks     bool    // one target is down for longer than a webhook may fail
	hog       int     // events of the first tenant in a burst, for a target that is down
	newer     bool    // the API is updated before the other functions
	panics    float64 // a POST whose sender panics
	siege     bool    // all targets are down for a long time, and many events arrive
	crowd     int     // webhooks subscribed to every event from the start
	old       int     // webhooks with a long history of successes
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
		pause:     []float64{0.01, 0.02, 0.05, 0.15, 0.3, 0.5}[rnd.IntN(6)],
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
		giveUp:    some(0.12),
		double:    some(0.3),
		repeat:    some(0.15),
		hold:      some(0.25),
		outage:    some(0.7),
		receives:  []int{2, 3, maxReceives, maxReceives}[rnd.IntN(4)],
		retries:   []int{0, 2, streamRetries, streamRetries}[rnd.IntN(4)],
		rivals:    rnd.IntN(4) == 0,
		faults:    []int{0, 1, 2, 4, 8, 16, 40, 80}[rnd.IntN(8)],
		lasts:     []time.Duration{time.Minute, 10 * time.Minute, 40 * time.Minute, 6 * time.Hour, 30 * time.Hour}[rnd.IntN(5)],
	}
	if w.hurry = rnd.IntN(4) == 0; w.hurry {
		w.pause, w.queue, w.outage = 0.05, max(w.queue, 0.2), max(w.outage, 0.5)
		w.retries, w.faults = 10, max(w.faults, 8)
	}
	switch rnd.IntN(6) {
	case 0:
		w.rows, w.store = 0.2+0.5*rnd.Float64(), 0
		w.faults = max(w.faults, 16)
	case 1:
		w.locked = 0.5
		w.faults = max(w.faults, 4)
	case 2:
		if w.lossy = rnd.IntN(2) == 0; w.lossy {
			w.retries, w.queue, w.outage = 0, max(w.queue, 0.3), max(w.outage, 0.3)
			w.faults = max(w.faults, 8)
		}
	}
	switch rnd.IntN(200) {
	case 0:
		w.crowd = 501 + rnd.IntN(20) // more than one message to expand an event
	case 1, 2, 3:
		w.crowd = 101 + rnd.IntN(40)
	default:
		if w.siege = !w.hurry && rnd.IntN(5) == 0; w.siege {
			w.store, w.outage = max(w.store, 0.1), max(w.outage, 0.4)
			w.faults = max(w.faults, []int{0, 16, 40}[rnd.IntN(3)])
		}
	}
	if w.weeks = w.crowd == 0 && !w.siege && !w.hurry && rnd.IntN(120) == 0; w.weeks {
		w.lasts, w.faults, w.rivals, w.pause, w.lossy = 220*time.Hour, min(w.faults, 8), false, 0.01, false
	}
	if w.crowd == 0 && !w.weeks && rnd.IntN(250) == 0 {
		w.hog = []int{300, 800, 2400}[rnd.IntN(3)] // 2,400 rows are more than a page of each shard
		w.siege, w.rivals, w.lossy, w.hold, w.late, w.pause, w.faults = false, false, false, 0, 0, 0.005, []int{0, 0, 4}[rnd.IntN(3)]
		if w.faults == 0 {
			w.repeat = 0 // a repeated call may refuse its own lease, and wait for its end
		}
	}
	w.flap = w.rivals && w.hog == 0 && !w.siege && rnd.IntN(3) == 0
	w.newer = rnd.IntN(15) == 0
	w.panics = some(0.05)
	if w.crowd > 0 {
		// This much work takes enough time already.
		w.pause, w.hold, w.late, w.rivals = 0.01, 0, 0, false
	} else {
		w.old = max(rnd.IntN(5)-1, 0)
	}
	return w
}

// String lists the troubles that can occur in a run.
func (w weather) String() string {
	var b strings.Builder
	v := reflect.ValueOf(w)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i); {
		case f.IsZero():
		case f.Kind() == reflect.Float64:
			fmt.Fprintf(&b, "%s %.3f, ", name, f.Float())
		case name != "lasts":
			fmt.Fprintf(&b, "%s %v, ", name, f)
		}
	}
	return fmt.Sprintf("%slasts %s", b.String(), w.lasts)
}

// judge draws the verdict on one side effect.
func (w *world) judge(g *gate) verdict {
	if g.ctx.Err() != nil && g.kind != kindAnswer && g.kind != kindPost {
		// The caller stopped waiting; the call may or may not have arrived.
		if w.chance(0.5) {
			return failAfter
		}
		return failBefore
	}
	if w.calm {
		return proceed
	}
	if w.ingestion.poisons(g) {
		return failBefore
	}
	if v := w.outOfService(g); v != proceed {
		return v
	}
	if w.faults == 0 {
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
		if g.about != "" {
			p = max(p, w.weather.rows)
		}
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
		if w.chance(w.weather.outage) {
			w.breakDown(g)
		}
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
	slowness := w.weather.slow
	if g.kind == kindSecret {
		slowness = max(slowness*5, w.weather.locked) // read once, and not often
	}
	if w.chance(slowness) {
		return slow
	}
	return proceed
}

// service names what a call depends on: DynamoDB, the queue or the secret
// store, either for all processes or for one.
func service(k kind) string {
	switch k {
	case kindStore, kindStale:
		return "DynamoDB"
	case kindQueue, kindSend:
		return "the queue"
	case kindSecret:
		return "the secret store"
	case kindPost, kindAnswer:
	}
	return ""
}

// breakDown makes a service fail for a while.
func (w *world) breakDown(g *gate) {
	name := service(g.kind)
	if name == "" {
		return
	}
	if g.about != "" && w.chance(0.3) {
		d := w.between(time.Minute, 20*time.Minute)
		w.down[g.about] = time.Now().Add(d)
		w.tracef("weather", "*** the row's partition is throttled for %s", d.Round(time.Second))
		return
	}
	if w.chance(0.5) {
		name += " for " + g.process.name
	}
	d := w.between(50*time.Millisecond, 4*time.Second)
	if w.chance(0.2) {
		d = w.between(4*time.Second, 3*time.Minute)
	}
	w.down[name] = time.Now().Add(d)
	w.tracef("weather", "*** %s is out of service for %s", name, d.Round(time.Millisecond))
}

// outOfService returns the verdict on a call while its service is down.
func (w *world) outOfService(g *gate) verdict {
	name, now := service(g.kind), time.Now()
	if name == "" || !w.down[name].After(now) && !w.down[name+" for "+g.process.name].After(now) && (g.about == "" || !w.down[g.about].After(now)) {
		return proceed
	}
	switch {
	case g.kind == kindSend && w.chance(0.3):
		return partial
	case w.chance(0.8):
		return failBefore
	}
	return failAfter
}

// holds pauses a process before a step, so that others overtake it.
func (w *world) holds(p *process) bool {
	if w.calm || !w.chance(w.weather.hold) {
		return false
	}
	p.frozen = true
	w.at(time.Now().Add(w.between(time.Millisecond, time.Second)), func() { p.frozen = false })
	return true
}

// wakeOvertaken thaws processes whose lease was just taken over: the worst
// moment is while the new holder is running.
func (w *world) wakeOvertaken() {
	w.witness.mu.Lock()
	tokens := w.witness.overtaken
	w.witness.overtaken = nil
	if len(tokens) == 0 {
		w.witness.mu.Unlock()
		return
	}
	var asleep []*process
	for _, grants := range w.witness.grants {
		for _, g := range grants {
			if g.process != nil && g.process.frozen && slices.Contains(tokens, g.token) {
				asleep = append(asleep, g.process)
			}
		}
	}
	w.witness.mu.Unlock()
	slices.SortFunc(asleep, func(a, b *process) int { return strings.Compare(a.name, b.name) })
	for _, p := range slices.Compact(asleep) {
		if !w.chance(0.7) {
			continue
		}
		w.at(time.Now().Add(w.between(0, []time.Duration{50 * time.Millisecond, time.Second, 10 * time.Second}[w.rnd.IntN(3)])), func() {
			if p.frozen {
				p.thaw()
				w.tracef(p.name, "*** thaws, and its lease was taken over")
			}
		})
	}
}

// weatherFreezes stops a process for a while, like a paused virtual machine,
// preferably in the middle of a delivery.
func (w *world) weatherFreezes(g *gate) bool {
	p, chance := g.process, w.weather.freeze
	if g.about != "" || g.kind == kindSecret {
		chance *= 3
	}
	if w.calm || w.faults == 0 || !w.chance(chance) {
		return false
	}
	w.faults--
	var d time.Duration
	switch w.rnd.IntN(5) {
	case 0:
		d = w.between(time.Second, 6*time.Second)
	case 1:
		d = w.between(4*time.Second, 15*time.Second)
	case 2:
		d = w.between(6*time.Second, 70*time.Second)
	case 3:
		d = w.between(time.Minute, 15*time.Minute)
	default:
		d = w.between(15*time.Minute, 4*time.Hour)
	}
	if strings.HasPrefix(p.name, "api-") {
		// The sweep assumes that an API call is over after an hour, and Lambda
		// after half a minute, so a second freeze kills the call.
		if d = min(d, 20*time.Minute); p.current.froze {
			w.tracef(p.name, "*** FREEZES permanently")
			w.kill(p, dieBefore)
			return true
		}
		p.current.froze = true
	}
	p.frozen, p.since = true, time.Now()
	w.tracef(p.name, "*** FREEZES for %s", d.Round(time.Second))
	w.at(time.Now().Add(d), func() {
		if p.frozen {
			p.thaw()
			w.tracef(p.name, "*** thaws")
		}
	})
	return true
}
