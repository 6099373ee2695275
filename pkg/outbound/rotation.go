package outbound

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// secondPost is how much of an attempt's time must be left for a second POST.
// With less it would most likely be cut short, and reach the target for nothing.
const secondPost = 500 * time.Millisecond

func limitOf(post webhook.Post) time.Duration {
	if post.Timeout <= 0 {
		return webhook.DefaultAttemptTimeout
	}
	return post.Timeout
}

// rotate makes the attempt's POST. While two secrets are valid, a target that
// refuses the first one gets one more POST with the other, at once and within
// the same time: X-SuperOffice-Signature has room for one signature, and which
// secret the target knows is not the target's fault.
func (s *Sender) rotate(ctx context.Context, post webhook.Post, start time.Time) webhook.Result {
	if _, other := post.Secrets.InOrder(post.First, start); other.IsZero() {
		return s.attempt(ctx, post, start)
	}
	ctx, cancel := context.WithTimeout(ctx, limitOf(post))
	defer cancel()
	other := post.First.Other()
	result := s.attempt(ctx, post, start)
	if !webhook.Refuses(result.StatusCode) {
		if result.Error == webhook.AttemptOK {
			result.Signer = other.Other()
		}
		return result
	}
	if s.shortOfTime(ctx) || post.Unchanged != nil && !post.Unchanged(ctx) {
		result.Signer, result.Undecided = other, true
		return result
	}
	now := s.config.Now()
	if _, valid := post.Secrets.InOrder(post.First, now); valid.IsZero() && other == webhook.SignerPrevious {
		return result // the overlap has ended meanwhile, and the secret that is left was refused
	}
	post.First = other
	result = s.attempt(ctx, post, now)
	result.Repeats = 1
	if !webhook.Refuses(result.StatusCode) {
		result.Signer = other
	}
	result.Undecided = result.Error == webhook.AttemptTimeout
	return result
}

// shortOfTime reports whether too little is left of an attempt for another POST.
func (s *Sender) shortOfTime(ctx context.Context) bool {
	deadline, _ := ctx.Deadline()
	return ctx.Err() != nil || deadline.Sub(s.config.Now()) < secondPost
}
