package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/refresh"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	sourceLife = 5 * time.Second // how old a source may be
	readPause  = time.Second     // after a failed read of the list
)

// Cache remembers the sources of a deployment for a few seconds. Its methods may
// be called concurrently.
type Cache struct {
	stored source.Sources
	now    func() time.Time
	all    refresh.Value[list]
}

// list is all sources as a read that began at some time found them.
type list struct {
	sources []source.Source
	began   time.Time
	// incomplete reports that some stored sources could not be decoded.
	incomplete bool
}

// NewCache returns a Cache of the stored sources.
func NewCache(stored source.Sources, now func() time.Time) *Cache {
	c := &Cache{stored: stored, now: now}
	c.all = refresh.Value[list]{
		Read: c.read, Now: now, Elapsed: webhook.Elapsed, Life: sourceLife, Kept: sourceLife, Pause: readPause, KeptPause: readPause,
		Panicked: fmt.Errorf("list sources: panicked: %w", webhook.ErrUnavailable),
	}
	return c
}

func (c *Cache) read(ctx context.Context) (list, error) {
	began := c.now()
	sources, err := c.stored.List(ctx)
	unreadable, err := webhook.Readable(err)
	return list{sources: sources, began: began, incomplete: unreadable != nil}, err
}

// List returns all sources, as they were at since or later and at most 5 seconds
// ago, and whether all of them could be decoded. It returns nothing older, also
// while they cannot be read: a source may be new, be deleted, list fewer fields, or
// belong to another tenant than one of the same name did. Callers must not change
// the sources.
func (c *Cache) List(ctx context.Context, since time.Time) (sources []source.Source, complete bool, err error) {
	if now := c.now(); since.After(now) {
		since = now
	}
	l, err := c.all.Get(ctx)
	if err == nil && l.began.Before(since) {
		l, err = c.all.Newer(ctx, func(l list) bool { return l.began.Before(since) })
	}
	if err != nil {
		return nil, false, err
	}
	return l.sources, !l.incomplete, nil
}
