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
	offered    []T // its first page, until a worker has it
	last       T
	at         time.Time
	busy, done bool
}

// more reports whether a worker may take the place's next page, unless it is busy.
func (p *place[T]) more() bool { return !p.done || len(p.offered) > 0 }

func newWalk[T any](page int, at func(T) time.Time, read func(ctx context.Context, shard int, last T) ([]T, error)) *walk[T] {
	w := &walk[T]{read: read, at: at, page: page}
	w.freed.L = &w.mu
	return w
}

// await makes the workers wait for the first page of each shard until it is offered.
// It is called before next.
func (w *walk[T]) await() {
	for i := range w.places {
		w.places[i].busy = true
	}
}

// offer ends the wait for a shard. page holds its first items, if they have been read,
// and more says whether the walk reads on after them.
func (w *walk[T]) offer(shard int, page []T, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.places[shard] = place[T]{offered: page, done: !more}
	w.wake(shard)
}

// next returns the next page, empty if there are no more.
func (w *walk[T]) next(ctx context.Context) []T {
	for {
		shard, last, page, ok := w.take()
		if ok && len(page) == 0 {
			page = w.fetch(ctx, shard, last)
		}
		if !ok || len(page) > 0 {
			return page
		}
	}
}

// fetch reads a page of a shard and frees the shard, however the read ends: other
// workers wait for it.
func (w *walk[T]) fetch(ctx context.Context, shard int, last T) (page []T) {
	var err error
	defer func() { w.free(shard, page, err) }()
	err = guarded(func() (err error) {
		page, err = w.read(ctx, shard, last)
		return err
	})
	return page
}

// take chooses the shard of the next page, and returns the page if it was offered. It
// waits while each shard that has more is being read.
func (w *walk[T]) take() (shard int, last T, offered []T, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		shard, waits := -1, false
		for i, p := range w.places {
			switch {
			case p.busy:
				waits = true
			case !p.more():
			case shard < 0 || p.at.Before(w.places[shard].at):
				shard = i
			}
		}
		if shard >= 0 {
			p := &w.places[shard]
			if offered, p.offered = p.offered, nil; len(offered) > 0 {
				w.passed(p, offered)
				w.wake(shard)
			} else {
				p.busy = true
			}
			return shard, p.last, offered, true
		}
		if !waits {
			return 0, last, nil, false
		}
		w.freed.Wait()
	}
}

func (w *walk[T]) free(shard int, page []T, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.places[shard]
	if p.busy = false; err != nil {
		w.errs = append(w.errs, err)
	}
	p.done = err != nil || len(page) < w.page
	w.passed(p, page)
	w.wake(shard)
}

// wake wakes one waiting worker for a shard that has more, and all of them once no shard
// has.
func (w *walk[T]) wake(shard int) {
	if w.places[shard].more() {
		w.freed.Signal()
		return
	}
	for _, p := range w.places {
		if p.busy || p.more() {
			return
		}
	}
	w.freed.Broadcast()
}

// passed moves a shard's place past a page.
func (w *walk[T]) passed(p *place[T], page []T) {
	if len(page) > 0 {
		p.last = page[len(page)-1]
		p.at = w.at(p.last)
	}
}

// err returns the errors of the pages that could not be read.
func (w *walk[T]) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}
