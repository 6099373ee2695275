// Package backoff retries calls: a bounded number of times, at random and
// growing intervals, and only until a context ends.
//
// Every loop in the module that repeats a failed call uses [Policy.Retry].
// Randomness is injected, so that a simulation is reproducible. The caller
// decides whether an error is worth another try, and what it means if the last
// try fails.
package backoff

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// Policy says how often to try and how long to wait in between. It is a value
// and may be used concurrently.
type Policy struct {
	// Tries is the maximum number of tries, including the first. Less than 1
	// means 1.
	Tries int
	// First bounds the wait after the first try. The bound doubles with each
	// further try.
	First time.Duration
	// Most bounds every wait. 0 means no such bound.
	Most time.Duration
}

// Retry calls try until it returns nil or an error that again rejects, the
// tries are used up, or ctx ends. It returns try's last error. If ctx ends
// before a further try, the error joins both. Retry reads 8 bytes of random
// before each wait.
func (p Policy) Retry(ctx context.Context, random io.Reader, again func(error) bool, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || n >= p.Tries || !again(err) {
			return err
		}
		if ended := sleep(ctx, p.Wait(random, n)); ended != nil {
			return errors.Join(err, ended)
		}
	}
}

// Wait returns how long to wait after the nth try, counted from 1: a random
// time between half the bound and the bound, which is First, doubled n-1 times
// and limited by Most. If random fails, it is three quarters of the bound.
func (p Policy) Wait(random io.Reader, n int) time.Duration {
	bound := p.First
	for i := 1; i < n && bound < 1<<61 && (p.Most == 0 || bound < p.Most); i++ {
		bound *= 2
	}
	if p.Most > 0 {
		bound = min(bound, p.Most)
	}
	return bound/2 + time.Duration(Fraction(random)*float64(bound-bound/2))
}

// Fraction returns a number in [0, 1) from 8 bytes of random, 0.5 if random fails:
// jitter need not be secure.
func Fraction(random io.Reader) float64 {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0.5
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}

// sleep returns nil after d, or ctx's error if ctx ends earlier.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
