package sweep

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// walk reads an index that is divided into shards, once, page by page, for any number
// of workers. Each page goes to one of them. The next page is of the shard that is
// furthest behind, so that the earliest items come first. A shard whose page cannot be
// read ends there, and the others go on.
type walk[T any] struct {
	read func(ctx context.Context, shard int, last T) ([]T, error)
	at   func(T) time.Time // an item's place in the order
	page int               // a shorter page is the last one of its shard

	mu     sync.Mutex
	freed  sync.Cond
	places [delivery.DueShards]place[T]
	errs   []error
}

// place is how far a walk has come in a shard.
type place[T any] struct {
	last       T
	at         time.Time
	busy, done bool
}

func newWalk[T any](page int, at func(T) time.Time, read func(ctx context.Context, shard int, last T) ([]T, error)) *walk[T] {
	w := &walk[T]{read: read, at: at, page: page}
	w.freed.L = &w.mu
	return w
}

// next returns the next page, empty if there are no more.
func (w *walk[T]) next(ctx context.Context) []T {
	for {
		shard, last, ok := w.take()
		if !ok {
			return nil
		}
		if page := w.fetch(ctx, shard, last); len(page) > 0 {
			return page
		}
	}
}

// fetch reads a page of a shard and gives the shard back, however the read ends: other
// workers wait for it.
func (w *walk[T]) fetch(ctx context.Context, shard int, last T) (page []T) {
	var err error
	defer func() { w.give(shard, page, err) }()
	err = guarded(func() (err error) {
		page, err = w.read(ctx, shard, last)
		return err
	})
	return page
}

// take chooses the shard of the next page. It waits while each shard that has more is
// being read.
func (w *walk[T]) take() (shard int, last T, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		shard, waits := -1, false
		for i, p := range w.places {
			switch {
			case p.done:
			case p.busy:
				waits = true
			case shard < 0 || p.at.Before(w.places[shard].at):
				shard = i
			}
		}
		if shard >= 0 {
			w.places[shard].busy = true
			return shard, w.places[shard].last, true
		}
		if !waits {
			return 0, last, false
		}
		w.freed.Wait()
	}
}

func (w *walk[T]) give(shard int, page []T, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.places[shard]
	if p.busy = false; err != nil {
		w.errs = append(w.errs, err)
	}
	if p.done = err != nil || len(page) < w.page; len(page) > 0 {
		p.last = page[len(page)-1]
		p.at = w.at(p.last)
	}
	w.freed.Broadcast()
}

// err returns the errors of the pages that could not be read.
func (w *walk[T]) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}
