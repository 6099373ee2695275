package sweep

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// skips counts the items that a stage of one Run skips because of an error, so
// that one bad item does not end the stage for the others. It may be used
// concurrently.
type skips struct {
	sweeper *Sweeper
	what    string // the kind of items, for the log

	mu    sync.Mutex
	count int
	lines int
	first error
}

const (
	skipLines     = 10    // log lines per stage and Run
	reportedItems = 1_000 // remembered as logged
)

// skip counts an item and logs it unless this Sweeper has done so before. After
// the stage's deadline it does nothing: the error is not the item's.
func (s *skips) skip(ctx context.Context, item string, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; s.first == nil {
		s.first = err
	}
	s.log(ctx, slog.LevelWarn, item, err) // the Run fails, which has an alarm
}

// leave logs an item that is left for an operator. It does not count as an error
// of the Run.
func (s *skips) leave(ctx context.Context, item string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log(ctx, slog.LevelError, item, err)
}

func (s *skips) log(ctx context.Context, level slog.Level, item string, err error) {
	if s.lines < skipLines && s.sweeper.reported.first(s.what+" "+item) {
		s.lines++
		s.sweeper.Logger.Log(ctx, level, "item skipped", "action", s.what, "error", fmt.Errorf("%s: %w", item, err))
	}
}

// readable skips the items that a list could not decode, and returns any other
// error.
func (s *skips) readable(ctx context.Context, err error) error {
	found, err := webhook.Readable(err)
	if found == nil {
		return err
	}
	for _, item := range found.Items {
		s.skip(ctx, item, found.Cause)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count += found.Count - len(found.Items)
	return nil
}

// err returns a summary, or nil if nothing was skipped.
func (s *skips) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return nil
	}
	return fmt.Errorf("%d %s skipped, first: %w", s.count, s.what, s.first)
}

// reported remembers which items were logged, over the life of a Sweeper.
type reported struct {
	mu    sync.Mutex
	items map[string]bool
}

// first reports whether an item is new, and remembers it. When it is full it
// starts over.
func (r *reported) first(item string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.items[item] {
		return false
	}
	if r.items == nil || len(r.items) >= reportedItems {
		r.items = map[string]bool{}
	}
	r.items[item] = true
	return true
}
