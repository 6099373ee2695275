// Package refresh keeps one value that is read from another system and read
// again when it is old. Calls make the reads, never a goroutine in the
// background, and no two calls read at once.
//
// The package does not know what is read, and does no input or output of its own.
// It repeats no read: a failed one is held against the calls of the next moments,
// and the call after those reads again.
package refresh

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Value is a value of type T with the means to read it. All exported fields must
// be set before use and not be changed after. Its methods may be called
// concurrently. A Value must not be copied after first use.
type Value[T any] struct {
	// Read reads the value, in the goroutine and under the context of the call
	// that needs it.
	Read func(ctx context.Context) (T, error)
	// Now is the clock. Elapsed returns the time from one of its readings to a
	// later one.
	Now     func() time.Time
	Elapsed func(from, to time.Time) time.Duration

	// Life is how long a value is used before it is read again, from when its
	// read began.
	Life time.Duration
	// Kept is how long a value is used while it cannot be read again, at least
	// Life.
	Kept time.Duration
	// Pause is how long a failed read is not repeated: calls get its error.
	// KeptPause is the same for calls that use a kept value instead.
	Pause, KeptPause time.Duration
	// Panicked is the error that calls get during Pause after a read that
	// panicked.
	Panicked error

	mu     sync.Mutex
	known  bool
	value  T
	read   time.Time     // when the read of value began
	flight chan struct{} // closed when the read in progress ends; nil: no read
	failed time.Time     // when a read failed, if none has succeeded since
	err    error         // why
}

// Get returns the value: the known one during its life, or a new one. While
// another call reads, and while reads fail, it returns the known one as long as
// that is kept. Errors: those of Read, and ctx's own if it ends while the call
// waits for another call's read.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	value, err := v.await(ctx, v.usable)
	if err == nil {
		return value, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.younger(v.Now(), v.Kept) {
		return v.value, nil
	}
	return value, err
}

// Newer returns a value that is not stale, whatever its age: the known one, or
// else the next that is read, which may be stale again. It never falls back on
// the known one. Errors are those of Get. stale must return quickly.
func (v *Value[T]) Newer(ctx context.Context, stale func(T) bool) (T, error) {
	return v.await(ctx, func(time.Time) bool { return v.known && !stale(v.value) })
}

// usable reports whether Get returns the known value as it is. Callers hold the
// lock.
func (v *Value[T]) usable(now time.Time) bool {
	return v.younger(now, v.Life) || v.younger(now, v.Kept) && (v.flight != nil || v.failing(now, v.KeptPause))
}

func (v *Value[T]) younger(now time.Time, limit time.Duration) bool {
	return v.known && v.Elapsed(v.read, now) < limit
}

func (v *Value[T]) failing(now time.Time, pause time.Duration) bool {
	return v.err != nil && v.Elapsed(v.failed, now) < pause
}

// await returns the known value once enough holds, which is called under the
// lock, or one that it reads.
func (v *Value[T]) await(ctx context.Context, enough func(now time.Time) bool) (none T, err error) {
	for {
		v.mu.Lock()
		now := v.Now()
		switch {
		case enough(now):
			defer v.mu.Unlock()
			return v.value, nil
		case v.failing(now, v.Pause):
			defer v.mu.Unlock()
			return none, v.err
		}
		flight := v.flight
		if flight == nil {
			v.flight = make(chan struct{})
			v.mu.Unlock()
			return v.fly(ctx)
		}
		v.mu.Unlock()
		select {
		case <-flight: // if its caller gave up, the next one reads
		case <-ctx.Done():
			return none, fmt.Errorf("wait for the read in progress: %w", ctx.Err())
		}
	}
}

// fly makes the read and stores its outcome. A read whose caller gave up says
// nothing about the value. Waiting calls are released even if Read panics.
func (v *Value[T]) fly(ctx context.Context) (value T, err error) {
	began := v.Now()
	err = v.Panicked
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch {
		case err == nil:
			v.known, v.value, v.read, v.failed, v.err = true, value, began, time.Time{}, nil
		case ctx.Err() == nil:
			v.failed, v.err = v.Now(), err
		}
		close(v.flight)
		v.flight = nil
	}()
	value, err = v.Read(ctx)
	return value, err
}
