package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// linger is how long the committing goroutine waits for more writes: long
// compared with the time a writer needs to come back, short compared with a
// sync.
const linger = 300 * time.Microsecond

// patience is how long a write that is not urgent waits for an urgent one to be committed
// with. Each event costs two urgent writes, itself and its row, and about as many others:
// at a few hundred events a second this halves the number of commits.
const patience = 5 * time.Millisecond

// maxGroup bounds the changes of one transaction.
const maxGroup = 1024

// write is a change waiting to be committed.
type write struct {
	change func(*bbolt.Tx) error
	urgent bool
	done   chan error
}

// update commits a change and returns the change's error or the commit's. If
// the context ends first, update returns the context's error, and the change
// may still be committed. A change may run more than once, and after update has
// returned, so it must not write to anything its caller reads. To return a
// value, use commit.
func (db *DB) update(ctx context.Context, change func(*bbolt.Tx) error) error {
	return db.write(ctx, &write{change: change, urgent: true, done: make(chan error, 1)})
}

// updateSoon is update for a change that no call and no attempt waits for. It is
// committed with the next urgent one, or after patience.
func (db *DB) updateSoon(ctx context.Context, change func(*bbolt.Tx) error) error {
	return db.write(ctx, &write{change: change, done: make(chan error, 1)})
}

func (db *DB) write(ctx context.Context, w *write) error {
	db.mu.Lock()
	if db.closing {
		db.mu.Unlock()
		return errClosed
	}
	db.senders.Add(1)
	db.mu.Unlock()
	defer db.senders.Done()
	select {
	case db.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit is update, or updateSoon, for a change that returns a value.
func commit[T any](ctx context.Context, update func(context.Context, func(*bbolt.Tx) error) error, change func(*bbolt.Tx) (T, error)) (T, error) {
	made := new(T) // owned by the committing goroutine until update returns
	err := update(ctx, func(tx *bbolt.Tx) (err error) {
		*made, err = change(tx)
		return err
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		var none T
		return none, err
	}
	return *made, err
}

// view reads the last committed state.
func (db *DB) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.View(read)
}

// commitAll runs the committing goroutine.
func (db *DB) commitAll() {
	defer close(db.closed)
	for first := range db.writes {
		db.commitGroup(db.gather(first))
	}
}

// gather collects the waiting writes, and those that arrive while it lingers.
func (db *DB) gather(first *write) []*write {
	group, urgent := []*write{first}, first.urgent
	timer := time.NewTimer(lingers(urgent))
	defer timer.Stop()
	for len(group) < maxGroup {
		select {
		case w, open := <-db.writes:
			if !open {
				return group
			}
			group = append(group, w)
			if w.urgent && !urgent {
				urgent = true
				timer.Reset(lingers(urgent))
			}
		case <-timer.C:
			return group
		}
	}
	return group
}

func lingers(urgent bool) time.Duration {
	if urgent {
		return linger
	}
	return patience
}

// commitGroup runs the changes of a group in one transaction and wakes their
// writers. A change that fails other than by a refusal may have written part of
// its data: the transaction is rolled back, and the group runs again without
// it.
func (db *DB) commitGroup(group []*write) {
	for len(group) > 0 {
		results := make([]error, len(group))
		broken := -1
		err := db.bolt.Update(func(tx *bbolt.Tx) error {
			for i, w := range group {
				if results[i] = run(w, tx); results[i] != nil && !refusal(results[i]) {
					broken = i
					return results[i]
				}
			}
			return nil
		})
		if broken >= 0 {
			group[broken].done <- err
			group = append(group[:broken:broken], group[broken+1:]...)
			continue
		}
		for i, w := range group {
			if err != nil {
				results[i] = fmt.Errorf("commit: %w: %w", webhook.ErrUnavailable, err)
			}
			w.done <- results[i]
		}
		break
	}
	db.fed.raise()
	db.queued.raise()
}

// refusal reports whether err is one that changes return only before they write
// anything.
func refusal(err error) bool {
	for _, sentinel := range []error{delivery.ErrRefused, webhook.ErrConflict, webhook.ErrNotFound, webhook.ErrExists} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	var full *webhook.LimitError
	return errors.As(err, &full)
}

func run(w *write, tx *bbolt.Tx) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("change panicked: %v", cause)
		}
	}()
	return w.change(tx)
}
