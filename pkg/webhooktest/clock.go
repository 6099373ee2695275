// Package webhooktest is what tests of several packages share: a clock and a
// source of randomness that the test controls, a target that records raw
// requests, and a logger that fails the test when a secret or an unlisted key
// is logged. It holds no assertions about the domain and no doubles of the
// module's own parts, and only tests import it.
package webhooktest

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// Clock is a clock that moves only when it is told to. Make it with NewClock;
// it may be used concurrently.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that stands at an instant.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now is where the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to an instant, also backwards.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Advance moves the clock on and returns where it stands then.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Random is an endless reader of bytes that a seed determines. It may be used
// concurrently; the order of concurrent reads is then not determined.
func Random(seed uint64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &lockedReader{source: rand.NewChaCha8(key)}
}

type lockedReader struct {
	mu     sync.Mutex
	source io.Reader
}

func (r *lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}
