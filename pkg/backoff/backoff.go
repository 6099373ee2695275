// Package backoff tries things again: a bounded number of times, at growing
// distances that are drawn at random, and no longer than a context lasts.
//
// Every loop of the module that repeats a call after it failed goes through
// [Policy.Retry]. Randomness is injected, so that a simulation repeats to the
// letter. Whether an error is worth another try is the caller's to say, and so is
// what it means that the last try failed.
package backoff

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// Policy says how often something is tried and how long to wait in between. It
// is a value and may be used concurrently.
type Policy struct {
	// Tries is how often at most, the first time included. Less than 1 counts
	// as 1.
	Tries int
	// First bounds the wait after the first try. It doubles with each further
	// one.
	First time.Duration
	// Most bounds every wait. 0: nothing but First's doubling does.
	Most time.Duration
}

// Retry calls try until it returns nil or an error that again does not accept,
// the policy's tries are used up, or ctx ends, and returns try's last error. If
// ctx ended while another try was due, its error is joined to that. random is
// read by 8 bytes before each wait.
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

// Wait returns the time to wait after the nth try (1 and up): between half of
// what First, doubled n-1 times, and Most allow, and all of it. If random fails
// it is three quarters of that.
func (p Policy) Wait(random io.Reader, n int) time.Duration {
	bound := p.First
	for i := 1; i < n && bound < 1<<61 && (p.Most == 0 || bound < p.Most); i++ {
		bound *= 2
	}
	if p.Most > 0 {
		bound = min(bound, p.Most)
	}
	return bound/2 + time.Duration(fraction(random)*float64(bound-bound/2))
}

// fraction draws a number in [0, 1).
func fraction(random io.Reader) float64 {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0.5 // jitter is no security
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}

// sleep returns nil after d, or the error of a context that ends before.
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
