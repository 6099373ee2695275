package auth

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Throttle slows down guessing without locking anyone out.
//
// Wrong credentials are counted per source, and per source and user. A source
// that has used up its allowance is refused before anything is looked up, with
// one exception: a credential that was right from the same source before. An
// attacker who guesses a user's password slows down only the attacker's own
// address; the user can still call, from every other address and from the same one.
//
// The counts are in memory, per process; a Lambda function runs in several. Their
// size is bounded.
type Throttle struct {
	// Now must be set.
	Now func() time.Time

	mu      sync.Mutex
	buckets map[digest]bucket
	right   map[digest]struct{}
}

// digest is the SHA-256 of a counted key, so that no credential is stored.
type digest [sha256.Size]byte

const (
	perUser       = 10 // allowance of wrong credentials, by source and user
	perUserStep   = 30 * time.Second
	perSource     = 50 // allowance of wrong credentials, by source
	perSourceStep = 5 * time.Second

	maxBuckets = 8192
	maxRight   = 8192
)

// bucket is a token bucket that regains one token per step. Its zero value is full.
type bucket struct {
	// spent is how many tokens were missing at the time at.
	spent int
	at    time.Time
}

// spentAt returns the bucket as of a time.
func (b bucket) spentAt(now time.Time, step time.Duration) bucket {
	back := int(webhook.Elapsed(b.at, now) / step)
	if back >= b.spent {
		return bucket{}
	}
	if back > 0 {
		b.spent, b.at = b.spent-back, b.at.Add(time.Duration(back)*step)
	}
	return b
}

// guess is one credential from one source.
type guess struct {
	*Throttle
	bySource, byUser, credential digest
}

func (t *Throttle) guess(source string, p presented) guess {
	sum := func(parts ...string) digest {
		var text []byte
		for _, part := range parts {
			inner := sha256.Sum256([]byte(part))
			text = append(text, inner[:]...)
		}
		return sha256.Sum256(text)
	}
	return guess{
		t, sum("source", source), sum("user", source, string(p.kind), p.user),
		sum("credential", source, string(p.kind), p.text, p.app),
	}
}

// allowed returns nil if the credential may be looked up now, else a
// *webhook.ThrottledError that says when.
func (g guess) allowed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.right[g.credential]; known {
		return nil
	}
	now := g.Now()
	wait := time.Duration(0)
	for _, b := range []struct {
		key  digest
		size int
		step time.Duration
	}{{g.bySource, perSource, perSourceStep}, {g.byUser, perUser, perUserStep}} {
		if now := now; g.buckets[b.key].spentAt(now, b.step).spent >= b.size {
			wait = max(wait, g.buckets[b.key].spentAt(now, b.step).at.Add(b.step).Sub(now))
		}
	}
	if wait > 0 {
		return &webhook.ThrottledError{Reason: "Too many wrong credentials came from this address; wait before the next", After: wait}
	}
	return nil
}

// failed counts a wrong credential.
func (g guess) failed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.buckets == nil {
		g.buckets = map[digest]bucket{}
	}
	// A credential that was right before and is wrong now has been revoked.
	delete(g.right, g.credential)
	now := g.Now()
	g.makeRoom(now)
	for key, step := range map[digest]time.Duration{g.bySource: perSourceStep, g.byUser: perUserStep} {
		b := g.buckets[key].spentAt(now, step)
		if b.spent == 0 {
			b.at = now
		}
		b.spent++
		g.buckets[key] = b
	}
}

// passed remembers that the credential was right.
func (g guess) passed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.right[g.credential]; known {
		return
	}
	if g.right == nil {
		g.right = map[digest]struct{}{}
	}
	for key := range g.right { // an arbitrary one
		if len(g.right) < maxRight {
			break
		}
		delete(g.right, key)
	}
	g.right[g.credential] = struct{}{}
}

// makeRoom makes room for two more buckets. It removes full buckets first, then
// arbitrary ones, and many at once, so that it seldom walks over all of them.
func (t *Throttle) makeRoom(now time.Time) {
	if len(t.buckets) <= maxBuckets-2 {
		return
	}
	for key, b := range t.buckets {
		if b.spentAt(now, perUserStep).spent == 0 {
			delete(t.buckets, key)
		}
	}
	for key := range t.buckets {
		if len(t.buckets) <= maxBuckets*3/4 {
			return
		}
		delete(t.buckets, key)
	}
}
