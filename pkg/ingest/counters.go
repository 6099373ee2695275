package ingest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// countsInterval is how often the counts of a source are written at most.
	countsInterval = 10 * time.Second
	// maxCounted bounds the sources whose counts are held: all that there may
	// be, and the built-in one.
	maxCounted = source.MaxSources + 1
)

// Counters collects the counts of sources in memory and adds them to the stored
// ones, those of a source at most every 10 s. What it holds is lost when the
// process ends.
//
// The exported fields must be set before use and not changed after. Its methods
// may be called concurrently.
type Counters struct {
	Sources source.Sources
	Now     func() time.Time
	Logger  *slog.Logger

	mu   sync.Mutex
	held map[string]*tally
}

// tally is what is held of one source.
type tally struct {
	counts  source.Counts
	pending bool      // counts has something to write
	written time.Time // when the last write began; zero: never
}

func (t *tally) due(now time.Time) bool {
	return t.written.IsZero() || webhook.Elapsed(t.written, now) >= countsInterval
}

// Add adds to the counts of a source. It does no input or output.
func (c *Counters) Add(name string, counts source.Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, known := c.held[name]
	if !known {
		if !c.room() {
			return
		}
		t = &tally{}
		c.held[name] = t
	}
	t.counts, t.pending = t.counts.Add(counts), true
}

// room reports whether another source can be held, and forgets those that hold
// nothing if there are too many. Callers hold the lock.
func (c *Counters) room() bool {
	if c.held == nil {
		c.held = map[string]*tally{}
	}
	if len(c.held) < maxCounted {
		return true
	}
	now := c.Now()
	for name, t := range c.held {
		if !t.pending && t.due(now) {
			delete(c.held, name)
		}
	}
	return len(c.held) < maxCounted
}

// Flush writes the counts of each source whose last write was at least 10 s ago,
// until ctx ends. Call it at the end of a call that has other work. Counts that
// cannot be written are logged and kept for a later call; if the failed write
// took place after all they are counted twice.
func (c *Counters) Flush(ctx context.Context) {
	due := c.take()
	for _, name := range slices.Sorted(maps.Keys(due)) {
		counts := due[name]
		err := ctx.Err()
		if err == nil {
			err = c.Sources.Count(ctx, name, counts)
		}
		if err != nil {
			c.Logger.WarnContext(ctx, "counts not written", "source", name, "error", err)
			c.Add(name, counts)
		}
	}
}

// take removes and returns the counts that are due.
func (c *Counters) take() map[string]source.Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	taken := map[string]source.Counts{}
	for name, t := range c.held {
		if t.pending && t.due(now) {
			taken[name] = t.counts
			*t = tally{written: now}
		}
	}
	return taken
}
