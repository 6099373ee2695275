package webhook

import (
	"context"
	"log/slog"
	"time"
)

// Post is one HTTP POST to be made: everything that its bytes depend on but
// the clock.
type Post struct {
	Webhook Webhook
	Event   Event
	Secrets SecretDocument
	// Retry counts the attempts of this round that were made before; printed
	// as X-SuperOffice-Retry unless 0.
	Retry int
	// Replay marks a round that a replay or a manual retry began.
	Replay bool
	// Test marks the ping.
	Test bool
	// First is the secret to start with during a rotation. It fills
	// X-SuperOffice-Signature, which has room for one. SignerNone:
	// SignerCurrent.
	First Signer
	// Unchanged reports whether the webhook is still stored as the post has it.
	// It is asked before a second POST, whose secret may have been revoked
	// since the first. nil: it is.
	Unchanged func(ctx context.Context) bool
	// Timeout bounds the whole attempt. Zero: DefaultAttemptTimeout.
	Timeout time.Duration
}

// DefaultAttemptTimeout bounds an attempt where nothing else does.
const DefaultAttemptTimeout = 30 * time.Second

// Result is what came of an attempt: of its one POST or, during a rotation, of
// the second of two. It holds nothing secret: no URL, and an excerpt that is
// scrubbed of what was sent.
type Result struct {
	At         time.Time     // when the attempt began
	Duration   time.Duration // of the whole attempt
	StatusCode int
	Error      AttemptError // AttemptOK exactly for a success (any 2xx)
	Detail     AttemptDetail
	// Response is an excerpt of the answer, headers and body, for people: at
	// most MaxLastError bytes. Rows keep the first MaxStoredResponse of it.
	Response string
	// RetryAfter is how long the target asked to wait (429 and 503 only).
	RetryAfter time.Duration
	// Location is where a redirect pointed, host and path only.
	Location string

	// Repeats is how many POSTs the attempt took beyond its first: 1 if the
	// target refused one secret and was sent the other.
	Repeats int
	// Signer is the secret to start with next time: the one that the target
	// accepted, or the one that it did not refuse. SignerNone outside a
	// rotation, and if it refused both.
	Signer Signer
	// Undecided says that the target refused one secret and that nothing is
	// known of the other: there was no time for a second POST, or it was cut
	// short, or the webhook had changed. Only two refusals speak against a
	// target.
	Undecided bool
	// Interrupted says that the caller's context ended before the attempt did.
	// The result then says nothing about the target.
	Interrupted bool
}

// attempt gives the result as a row keeps it.
func (r Result) attempt(number int) Attempt {
	return Attempt{Number: number, At: r.At, Duration: r.Duration, StatusCode: r.StatusCode, Error: r.Error, Detail: r.Detail}
}

// Outcome joins a result and what a policy decided about it. SweepAt is
// NextAt; a caller that also sends a message moves it.
func (r Result) Outcome(number int, d Decision) Outcome {
	return Outcome{
		Attempt: r.attempt(number), Response: truncate(r.Response, MaxStoredResponse),
		Status: d.Status, Reason: d.Reason, NextAt: d.NextAt, SweepAt: d.NextAt,
	}
}

// LogValue keeps the excerpt out of logs.
func (r Result) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("status", r.StatusCode), slog.String("error", string(r.Error)),
		slog.Int64("duration_ms", r.Duration.Milliseconds()))
}
