package simulation_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// world is one run. The clock is the bubble's, and the seed chooses here among
// everything that can happen next.
type world struct {
	seed    uint64
	rnd     *rand.Rand // used only by the scheduler
	weather weather
	began   time.Time

	arrival chan struct{}
	mu      sync.Mutex // guards waiting and the state shared by released goroutines
	waiting []*gate
	running []*invocation
	timers  []timer
	order   int

	faults  int                  // left to inject
	down    map[string]time.Time // services that fail, until when
	calm    bool
	steps   int
	trace   []string
	keep    bool // the trace's lines; otherwise only their hash
	digest  uint64
	verdict []string // violations of promises

	db           *database
	queue        *queue
	vault        *vault
	root         *rootSecret
	sealed       bool // new secrets are sealed
	bucket       *bucket
	targets      *targets
	witness      *witness
	ingestion    *ingestion
	relays       *relays
	explanations *explanations
	doom         *doom
	aliens       *aliens
	damage       *damage
	capacity     *capacity
	lag          *lag
	quitter      *quitter
	actors       []actor
	shards       []*shard
	tenants      []webhook.Tenant // of this run
	policy       webhook.Policy
	tokens       int
	newer        bool          // events are stored in a form that the processes cannot read
	skew         time.Duration // of any two processes' clocks, at most
	drawn        int           // webhooks
	senders      []*outbound.Sender
	processes    []*process

	duplicates map[string]int // explained duplicates, by cause
}

// actor is a part that acts by itself: a user, an event source mapping, the
// schedule.
type actor interface {
	// actions lists what the actor could do now.
	actions(now time.Time) []action
	// moment returns when the actor may next have something to do, or zero if
	// that depends on others.
	moment(now time.Time) time.Time
}

type action struct {
	label string
	do    func()
}

type timer struct {
	at    time.Time
	order int
	do    func()
}

func (w *world) at(when time.Time, do func()) {
	w.order++
	w.timers = append(w.timers, timer{when, w.order, do})
}

// tracef adds a line to the trace.
func (w *world) tracef(who, format string, args ...any) {
	line := fmt.Sprintf("%s  %-12s %s", stamp(time.Since(w.began)), who, fmt.Sprintf(format, args...))
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", w.digest, line)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.digest = h.Sum64()
	if w.keep {
		w.trace = append(w.trace, line)
	}
}

func stamp(d time.Duration) string {
	h, m, s := int(d.Hours()), int(d.Minutes())%60, d.Seconds()-60*float64(int(d.Minutes()))
	return fmt.Sprintf("%3d:%02d:%06.3f", h, m, s)
}

// violated records a broken promise.
func (w *world) violated(promise string, format string, args ...any) {
	text := promise + ": " + fmt.Sprintf(format, args...)
	w.mu.Lock()
	if len(w.verdict) < 20 {
		w.verdict = append(w.verdict, text)
	}
	w.mu.Unlock()
	w.tracef("LEDGER", "%s", text)
}

// chance returns true with probability p.
func (w *world) chance(p float64) bool { return p > 0 && w.rnd.Float64() < p }

// between returns a random duration.
func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rnd.Int64N(int64(b-a)))
}

// settle lets every goroutine run to its next gate, then closes finished
// invocations and fires due timers.
func (w *world) settle() {
	for {
		synctest.Wait()
		if w.dismiss() || w.reap() || w.fire() {
			continue // released goroutines run now
		}
		return
	}
}

// dismiss ends the goroutines of dead processes that wait at a gate.
func (w *world) dismiss() (any bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(g *gate) bool {
		if g.process.dead {
			g.leave <- dieBefore
			any = true
		}
		return g.process.dead
	})
	return any
}

// reap closes invocations that returned, and kills or gives up those that timed
// out.
func (w *world) reap() (any bool) {
	now := time.Now()
	for _, inv := range slices.Clone(w.running) {
		switch {
		case inv.returned && !inv.closed:
			w.witness.returned(inv)
			w.close(inv, true)
			any = true
		case inv.gone && !inv.closed:
			w.close(inv, false)
			any = true
		case !inv.closed && !inv.gone && now.After(inv.deadline.Add(50*time.Millisecond)):
			any = true
			if inv.process.frozen || w.chance(0.2) {
				w.tracef(inv.process.name, "given up but still running: %s", inv.label)
				w.close(inv, false)
			} else {
				w.tracef(inv.process.name, "killed at its timeout: %s", inv.label)
				w.kill(inv.process, dieBefore)
			}
		}
	}
	w.running = slices.DeleteFunc(w.running, func(inv *invocation) bool { return inv.gone && inv.closed })
	return any
}

func (w *world) fire() bool {
	now := time.Now()
	first := -1
	for i, t := range w.timers {
		if t.at.After(now) {
			continue
		}
		if first < 0 || t.at.Before(w.timers[first].at) || t.at.Equal(w.timers[first].at) && t.order < w.timers[first].order {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	do := w.timers[first].do
	w.timers = slices.Delete(w.timers, first, first+1)
	do()
	return true
}

// gates returns the waiting gates in groups. Gates of one process with the same
// label and path are indistinguishable and pass together.
func (w *world) gates() [][]*gate {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.waiting, func(a, b *gate) int {
		return cmp.Or(strings.Compare(a.process.name, b.process.name), strings.Compare(a.label, b.label), cmp.Compare(a.path, b.path))
	})
	var groups [][]*gate
	for i := 0; i < len(w.waiting); {
		j := i + 1
		for j < len(w.waiting) && w.waiting[j].process == w.waiting[i].process && w.waiting[j].label == w.waiting[i].label && w.waiting[j].path == w.waiting[i].path {
			j++
		}
		if !w.waiting[i].process.frozen {
			groups = append(groups, slices.Clone(w.waiting[i:j]))
		}
		i = j
	}
	return groups
}

const maxSteps = 600_000

// run makes things happen until done returns true.
func (w *world) run(done func() bool) {
	for {
		w.settle()
		w.wakeOvertaken()
		if done() || len(w.verdict) > 0 {
			return
		}
		if w.steps++; w.steps > maxSteps+200*(w.weather.crowd+w.weather.hog) {
			w.violated("run", "does not settle within %d steps", maxSteps)
			return
		}
		if w.steps%explainEvery == 0 {
			w.explanations.one()
		}
		groups := w.gates()
		var actions []action
		now := time.Now()
		for _, a := range w.actors {
			actions = append(actions, a.actions(now)...)
		}
		// Under the lock, so that the race detector sees that goroutines woken
		// by a timer rather than a gate may read what was written here.
		w.mu.Lock()
		n := len(groups) + len(actions)
		w.mu.Unlock()
		switch {
		case n == 0:
			if !w.sleep(w.nextMoment(now)) && !done() {
				w.violated("run", "nothing is left to do, but the run is not done")
				return
			}
		case w.chance(w.weather.pause):
			w.sleep(now.Add(w.pause()))
		default:
			if i := w.rnd.IntN(n); i < len(groups) {
				w.release(groups[i])
			} else {
				actions[i-len(groups)].do()
			}
			time.Sleep(time.Microsecond) // so that no two things happen at once
		}
	}
}

// pause returns how long a step takes: usually milliseconds, sometimes seconds.
func (w *world) pause() time.Duration {
	switch r := w.rnd.Float64(); {
	case r < 0.75 || w.weather.hurry && r < 0.98:
		return w.between(time.Millisecond, 30*time.Millisecond)
	case r < 0.95:
		return w.between(30*time.Millisecond, 500*time.Millisecond)
	default:
		return w.between(500*time.Millisecond, 3*time.Second)
	}
}

// nextMoment returns when something may happen by itself.
func (w *world) nextMoment(now time.Time) time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, t := range w.timers {
		consider(t.at)
	}
	for _, a := range w.actors {
		consider(a.moment(now))
	}
	for _, inv := range w.running {
		if !inv.closed {
			consider(inv.deadline.Add(51 * time.Millisecond))
		}
	}
	return next
}

// sleep lets time pass until the given time, or until a goroutine reaches a
// gate.
func (w *world) sleep(until time.Time) bool {
	if until.IsZero() {
		return false
	}
	select {
	case <-w.arrival: // the goroutine is at a gate by now
	default:
	}
	t := time.NewTimer(max(time.Until(until), time.Microsecond))
	defer t.Stop()
	select {
	case <-w.arrival:
	case <-t.C:
	}
	return true
}

// release lets a group pass its gate, with or without a fault.
func (w *world) release(group []*gate) {
	g := group[0]
	p := g.process
	if w.holds(p) || w.weatherFreezes(g) {
		return
	}
	if w.chance(0.002) {
		w.setClock(p) // the wall clock jumps
	}
	v := w.judge(g)
	w.mu.Lock()
	w.waiting = slices.DeleteFunc(w.waiting, func(x *gate) bool { return slices.Contains(group, x) })
	w.mu.Unlock()
	switch {
	case v == proceed && len(group) == 1:
		w.tracef(p.name, "%s", g.label)
	case v == proceed:
		w.tracef(p.name, "%s  (%d times)", g.label, len(group))
	default:
		w.tracef(p.name, "%s  *** %s", g.label, v)
	}
	if v == dieBefore || v == dieAfter {
		for _, x := range group {
			x.leave <- v
		}
		synctest.Wait()
		w.kill(p, v)
		return
	}
	if v != proceed && strings.Contains(g.label, "health") {
		p.misled = time.Now()
	}
	if v == stale {
		p.staleAt = time.Now()
	}
	if v != proceed && v != slow && v != stale {
		p.troubles = append(p.troubles, trouble{at: time.Now(), what: v, kind: g.kind, about: g.about})
	}
	for _, x := range group {
		x.leave <- v
		synctest.Wait() // they use the process's shared state one after another
	}
}
