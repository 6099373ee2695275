package httpapi

import (
	"net/http"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const headerUnmodifiedSince = "If-Unmodified-Since"

// unmodifiedSince reads the call's If-Unmodified-Since and returns its check, which
// returns ErrPrecondition for a webhook that was changed later. Without the
// header every webhook passes. Times on the wire have whole seconds, so changes
// within the same second are not told apart.
//
// RFC 9110 allows a server to ignore a date that it cannot read. That would
// overwrite the change that the caller wants to protect, so it is refused here.
func unmodifiedSince(c *call) (func(webhook.Webhook) error, error) {
	text := c.Header.Get(headerUnmodifiedSince)
	if text == "" {
		return func(webhook.Webhook) error { return nil }, nil
	}
	since, err := http.ParseTime(text)
	ok := err == nil
	if !ok {
		since, ok = parseDate(text)
	}
	if !ok {
		return nil, webhook.Invalid("%s must be a date, such as %q", headerUnmodifiedSince, "Tue, 24 Nov 2026 08:00:00 GMT")
	}
	return func(w webhook.Webhook) error {
		if w.Updated.Truncate(time.Second).After(since) {
			return errPrecondition
		}
		return nil
	}, nil
}
