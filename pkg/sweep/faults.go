package sweep

import (
	"context"
	"fmt"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// faults counts the items that a stage of one Run skips because of an error, so
// that one bad item does not end the stage for the others. It may be used
// concurrently.
type faults struct {
	sweeper *Sweeper
	what    string // the kind of items, for the log

	mu    sync.Mutex
	count int
	lines int
	first error
}

const (
	faultLines = 10    // log lines per stage and Run
	toldItems  = 1_000 // remembered as logged
)

// skip counts an item and logs it unless this Sweeper has done so before. After
// the stage's deadline it does nothing: the error is not the item's.
func (f *faults) skip(ctx context.Context, item string, err error) {
	if ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.first == nil {
		f.first = err
	}
	f.log(ctx, item, err)
}

// leave logs an item that is left for an operator. It does not count as a fault
// of the Run.
func (f *faults) leave(ctx context.Context, item string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log(ctx, item, err)
}

func (f *faults) log(ctx context.Context, item string, err error) {
	if f.lines < faultLines && f.sweeper.told.first(f.what+" "+item) {
		f.lines++
		f.sweeper.Logger.ErrorContext(ctx, "item skipped", "action", f.what, "error", fmt.Errorf("%s: %w", item, err))
	}
}

// readable skips the items that a list could not decode, and returns any other
// error.
func (f *faults) readable(ctx context.Context, err error) error {
	found, err := webhook.Readable(err)
	if found == nil {
		return err
	}
	for _, item := range found.Items {
		f.skip(ctx, item, found.Cause)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count += found.Count - len(found.Items)
	return nil
}

// err returns a summary, or nil if nothing was skipped.
func (f *faults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("%d %s skipped, first: %w", f.count, f.what, f.first)
}

// told remembers which items were logged, over the life of a Sweeper.
type told struct {
	mu    sync.Mutex
	items map[string]bool
}

// first reports whether an item is new, and remembers it. When it is full it
// starts over.
func (t *told) first(item string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.items[item] {
		return false
	}
	if t.items == nil || len(t.items) >= toldItems {
		t.items = map[string]bool{}
	}
	t.items[item] = true
	return true
}
