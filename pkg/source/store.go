package source

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// MaxSources is how many sources a deployment may have.
const MaxSources = 100

// Sources stores sources and their counts. It has two implementations and one
// conformance suite, as the stores of pkg/webhook have, and the same rules hold
// for all methods.
type Sources interface {
	// List returns all sources in the order of their names.
	List(ctx context.Context) ([]Source, error)

	// Get returns a source.
	Get(ctx context.Context, name string) (Source, error)

	// Put stores a source whose Revision is one more than the stored one's; 1
	// stores a new one. webhook.ErrConflict if the stored revision is another,
	// webhook.ErrExists for a new one whose name is taken,
	// a *webhook.ValidationError for one more than MaxSources.
	Put(ctx context.Context, s Source) error

	// Delete removes a source of this revision, with its counts.
	// webhook.ErrConflict and webhook.ErrNotFound as for Put.
	Delete(ctx context.Context, name string, revision int64) error

	// Count adds to the counts of a source, whether or not it still exists.
	Count(ctx context.Context, name string, c Counts) error

	// Counts returns the counts of a source; zero if nothing was counted.
	Counts(ctx context.Context, name string) (Counts, error)
}

// FullError returns the error of Put for one source more than MaxSources.
func FullError() error {
	return webhook.Invalid("A deployment may have %d sources: delete one before you create another", MaxSources)
}

// Counts tells what became of a source's records. They are approximate: an
// environment keeps its last ten seconds to itself until its next call, and
// loses them if it ends.
type Counts struct {
	Taken     int64 // records
	Made      int64 // events, repeated ones included
	Refused   int64 // calls that did not verify
	Truncated int64 // events that lost values to the limit of 256 KiB
	// Skipped counts the records that became no event, by reason; Missing what a
	// mapping names and a record lacked. Each has at most 50 entries.
	Skipped map[Reason]int64
	Missing map[string]int64
	// LastTaken is when a record last came; LastFault says what last went wrong
	// and LastFaultAt when.
	LastTaken   time.Time
	LastFault   string
	LastFaultAt time.Time
}

// Add returns the sum of two counts, with the later of their times.
func (c Counts) Add(more Counts) Counts {
	c.Taken, c.Made, c.Refused, c.Truncated = c.Taken+more.Taken, c.Made+more.Made, c.Refused+more.Refused, c.Truncated+more.Truncated
	c.Skipped, c.Missing = sum(c.Skipped, more.Skipped), sum(c.Missing, more.Missing)
	if more.LastTaken.After(c.LastTaken) {
		c.LastTaken = more.LastTaken
	}
	if more.LastFaultAt.After(c.LastFaultAt) {
		c.LastFault, c.LastFaultAt = more.LastFault, more.LastFaultAt
	}
	return c
}

// maxCounted bounds how many different names are counted.
const maxCounted = 50

// Limited returns the counts with the 50 most counted of their names: stores
// that add without reading may have a few more.
func (c Counts) Limited() Counts {
	c.Skipped, c.Missing = most(c.Skipped), most(c.Missing)
	return c
}

// Room returns the entries of more whose names are among those counted already,
// or fit next to them.
func Room(counted, more map[string]int64) map[string]int64 {
	all, fit := sum(counted, more), make(map[string]int64, len(more))
	for name, n := range more {
		if _, has := all[name]; has {
			fit[name] = n
		}
	}
	return fit
}

func most[K ~string](counted map[K]int64) map[K]int64 {
	if len(counted) <= maxCounted {
		return counted
	}
	names := slices.SortedFunc(maps.Keys(counted), func(a, b K) int {
		return cmp.Or(cmp.Compare(counted[b], counted[a]), cmp.Compare(a, b))
	})
	kept := make(map[K]int64, maxCounted)
	for _, name := range names[:maxCounted] {
		kept[name] = counted[name]
	}
	return kept
}

// sum returns the sum of two maps; names beyond maxCounted are not counted.
func sum[K ~string](a, b map[K]int64) map[K]int64 {
	if len(b) == 0 {
		return a
	}
	all := make(map[K]int64, len(a)+len(b))
	for name, n := range a {
		all[name] = n
	}
	for name, n := range b {
		if _, known := all[name]; known || len(all) < maxCounted {
			all[name] += n
		}
	}
	return all
}
