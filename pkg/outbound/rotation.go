package outbound

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// secondPost is how much of an attempt's time must remain for a second POST.
// With less, the POST would probably be cut short and reach the target for
// nothing.
const secondPost = 500 * time.Millisecond

func limitOf(post webhook.Post) time.Duration {
	if post.Timeout <= 0 {
		return webhook.DefaultAttemptTimeout
	}
	return post.Timeout
}

// rotate makes the attempt's POST. While two secrets are valid, a target that
// refuses the first gets one more POST with the other, at once and within the
// same time limit: X-SuperOffice-Signature holds one signature, and the target
// cannot help which secret it knows.
func (s *Sender) rotate(ctx context.Context, post webhook.Post, start time.Time) webhook.Result {
	if _, other := post.Secrets.InOrder(post.First, start); other.IsZero() {
		return s.attempt(ctx, post, start)
	}
	ctx, cancel := context.WithTimeout(ctx, limitOf(post))
	defer cancel()
	other := otherSecret(post.First)
	result := s.attempt(ctx, post, start)
	if !refuses(result.StatusCode) {
		if result.Error == failure.None {
			result.Signer = otherSecret(other)
		}
		return result
	}
	if s.shortOfTime(ctx) || post.Unchanged != nil && !post.Unchanged(ctx) {
		result.Signer, result.Undecided = other, true
		return result
	}
	now := s.config.Now()
	if _, valid := post.Secrets.InOrder(post.First, now); valid.IsZero() && other == webhook.SignerPrevious {
		return result // the overlap has ended, and the remaining secret was refused
	}
	post.First = other
	result = s.attempt(ctx, post, now)
	result.Repeats = 1
	if !refuses(result.StatusCode) {
		result.Signer = other
	}
	result.Undecided = result.Error == failure.Timeout
	return result
}

// shortOfTime reports whether the attempt has too little time left for another
// POST.
func (s *Sender) shortOfTime(ctx context.Context) bool {
	deadline, _ := ctx.Deadline()
	return ctx.Err() != nil || deadline.Sub(s.config.Now()) < secondPost
}

// refuses reports whether a status is the answer to a signature that the target
// does not accept, or may be: during a rotation it leads to one more POST with
// the other secret.
func refuses(status int) bool { return status == 400 || status == 401 || status == 403 }

// otherSecret returns the other one of a webhook's two secrets. SignerNone signs
// as SignerCurrent does.
func otherSecret(signer webhook.Signer) webhook.Signer {
	if signer == webhook.SignerPrevious {
		return webhook.SignerCurrent
	}
	return webhook.SignerPrevious
}
