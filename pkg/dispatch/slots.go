package dispatch

import (
	"context"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// slots bounds how many attempts run at once: per webhook, and in total by shares,
// so that targets that hang use up no slots but their own.
type slots struct {
	shares     *shares // nil: not bounded
	perWebhook int

	mu        sync.Mutex
	byWebhook map[webhook.Key]*slot
}

type slot struct {
	tokens chan struct{}
	users  int
}

func newSlots(shares *shares, perWebhook int) *slots {
	return &slots{shares: shares, perWebhook: perWebhook, byWebhook: map[webhook.Key]*slot{}}
}

// acquire waits for a slot of the webhook and then for one of the process, so that
// attempts waiting for their webhook's slot delay no other webhook. It returns
// false when the context has ended, even if a slot is free at that moment. After
// true, release must be called.
func (s *slots) acquire(ctx context.Context, key webhook.Key) (release func(), ok bool) {
	s.mu.Lock()
	own := s.byWebhook[key]
	if own == nil {
		own = &slot{tokens: make(chan struct{}, s.perWebhook)}
		s.byWebhook[key] = own
	}
	own.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(s.byWebhook, key)
		}
	}
	if !take(ctx, own.tokens) {
		leave()
		return nil, false
	}
	if s.shares != nil && !s.shares.acquire(ctx, key.Tenant) {
		<-own.tokens
		leave()
		return nil, false
	}
	return func() {
		if s.shares != nil {
			s.shares.release(key.Tenant)
		}
		<-own.tokens
		leave()
	}, true
}

// take puts a token into a channel, unless the context has ended.
func take(ctx context.Context, tokens chan struct{}) bool {
	select {
	case tokens <- struct{}{}:
		if ctx.Err() == nil {
			return true
		}
		<-tokens
	case <-ctx.Done():
	}
	return false
}
