package simulation_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// lag is how far the index of due rows is behind its table: in one run in eight by up to
// five minutes, for a while.
type lag struct {
	w       *world
	by      time.Duration
	history int // commits that the database must keep for it

	mu      sync.Mutex
	commits []commit
}

// commit is when the table had a number of commits.
type commit struct {
	at     time.Time
	number int
}

func newLag(w *world) *lag {
	l := &lag{w: w, history: 100}
	rnd := rand.New(rand.NewPCG(w.seed, 0x6c6167))
	if w.weather.faults == 0 || w.weather.crowd > 0 || w.weather.hog > 0 || rnd.IntN(8) > 0 {
		return l
	}
	l.history = 2000
	by := []time.Duration{20 * time.Second, 2 * time.Minute, 5 * time.Minute}[rnd.IntN(3)]
	from := w.began.Add(time.Duration(rnd.Int64N(int64(min(w.weather.lasts, 10*time.Minute)))))
	until := from.Add(time.Duration(rnd.Int64N(int64(2 * time.Hour))))
	w.at(from, func() { l.set(by) })
	w.at(until, func() { l.set(0) })
	return l
}

func (l *lag) set(by time.Duration) {
	l.mu.Lock()
	l.by = by
	l.mu.Unlock()
	l.w.tracef("weather", "the index of due rows is %s behind", by)
}

// committed notes how many commits there are by now.
func (l *lag) committed(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.commits)
	if n > 2*l.history {
		l.commits = slices.Delete(l.commits, 0, n-l.history)
		n = l.history
	}
	if n == 0 || l.commits[n-1].number < number {
		l.commits = append(l.commits, commit{time.Now(), number})
	}
}

// now returns by how many commits the index is behind.
func (l *lag) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since(l.by)
}

// longestStale is how old the data of an eventually consistent read may be.
const longestStale = 2 * time.Minute

// stale returns by how many commits an eventually consistent read may be behind.
func (l *lag) stale() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since(longestStale)
}

// since returns how many commits there were in the last while.
func (l *lag) since(while time.Duration) int {
	if while == 0 || len(l.commits) == 0 {
		return 0
	}
	shown, newest := 0, l.commits[len(l.commits)-1].number
	for _, c := range l.commits {
		if c.at.After(time.Now().Add(-while)) {
			break
		}
		shown = c.number
	}
	return newest - shown
}

// known returns the time up to which the index shows everything.
func (l *lag) known(at time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return at.Add(-l.by)
}
