package sweep

import (
	"context"
	"fmt"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// faults counts the items that a stage of one Run passes over because of a
// fault of theirs, so that none of them ends the stage for the others. It may
// be used concurrently.
type faults struct {
	sweeper *Sweeper
	what    string // the items, for people

	mu    sync.Mutex
	count int
	lines int
	first error
}

const (
	faultLines = 10    // of the log, for one stage of one Run
	toldItems  = 1_000 // remembered as told
)

// skip counts an item, and tells of it unless this Sweeper has done so before.
// Once the stage's time is over an error says nothing about the item.
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

// leave tells of an item that is left for a person, which is no fault of the
// Run.
func (f *faults) leave(ctx context.Context, item string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log(ctx, item, err)
}

func (f *faults) log(ctx context.Context, item string, err error) {
	if f.lines < faultLines && f.sweeper.told.first(f.what+" "+item) {
		f.lines++
		f.sweeper.Logger.ErrorContext(ctx, "item passed over", "action", f.what, "error", fmt.Errorf("%s: %w", item, err))
	}
}

// readable passes over what a list could not decode, and returns any other
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

// err sums up, nil if nothing was passed over.
func (f *faults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("%d %s passed over, the first: %w", f.count, f.what, f.first)
}

// told remembers what the log has, over the life of a Sweeper.
type told struct {
	mu    sync.Mutex
	items map[string]bool
}

// first reports whether an item is new, and remembers it. When the memory is
// full it begins anew.
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
