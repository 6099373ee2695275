package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
)

// Post is one HTTP POST to be made: everything that its bytes depend on except the
// time.
type Post struct {
	Webhook Webhook
	Event   Event
	Secrets SecretDocument
	// Retry counts the earlier attempts of this round. It is sent as
	// X-SuperOffice-Retry unless 0.
	Retry int
	// Replay marks the attempts of a replay or a manual retry.
	Replay bool
	// Test marks an event that did not happen: a test, or the ping of a save.
	Test bool
	// First is the secret to start with during a rotation. It makes
	// X-SuperOffice-Signature, which holds only one signature. SignerNone means
	// SignerCurrent.
	First Signer
	// Unchanged reports whether the stored webhook is still that of the post. It
	// is called before a second POST, whose secret may have been revoked since
	// the first. nil: the webhook is unchanged.
	Unchanged func(ctx context.Context) bool
	// Timeout bounds the whole attempt. Zero: DefaultAttemptTimeout.
	Timeout time.Duration
}

// DefaultAttemptTimeout bounds an attempt if no other timeout is set.
const DefaultAttemptTimeout = 30 * time.Second

// Result is the outcome of an attempt: of its only POST or, during a rotation, of
// the second of two. It holds no secret: no URL, and an excerpt from which the
// secrets that were sent are removed.
type Result struct {
	At         time.Time     // when the attempt began
	Duration   time.Duration // of the whole attempt
	StatusCode int
	Error      failure.Kind // failure.None exactly for a success (any 2xx)
	Detail     failure.Detail
	// Response is an excerpt of the response, headers and body, for people: at most
	// MaxLastError bytes.
	Response string
	// Excerpt is the same for the delivery log: see KeepListed.
	Excerpt string
	// RetryAfter is the wait that the target requested (429 and 503 only).
	RetryAfter time.Duration
	// Location is the target of a redirect, host and path only.
	Location string

	// Sent identifies the request, of the last POST. Its Revision is not set.
	Sent Sent
	// Repeats is the number of POSTs after the first: 1 if the target refused one
	// secret and was then sent the other.
	Repeats int
	// Signer is the secret to start with next time: the one that the target
	// accepted, or the one that it did not refuse. SignerNone outside a rotation,
	// and if the target refused both.
	Signer Signer
	// Undecided says that the target refused one secret and its response to the
	// other is unknown: there was no time for a second POST, or it was cut short,
	// or the webhook had changed. Only two refusals count against a target.
	Undecided bool
	// Interrupted says that the caller's context ended before the attempt. The
	// result then says nothing about the target.
	Interrupted bool
}

// LogValue keeps the excerpt out of logs.
func (r Result) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("status", r.StatusCode), slog.String("error", string(r.Error)),
		slog.Int64("duration_ms", r.Duration.Milliseconds()))
}
