package httpapi

import (
	"net/http"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const headerUnmodifiedSince = "If-Unmodified-Since"

// unmodifiedSince reads the call's condition and gives the check of it, which
// returns ErrPrecondition for a webhook that was changed later. Without the
// header every webhook passes. The wire's times have whole seconds, so changes
// within a second are one.
//
// RFC 9110 lets a server pass over a date that it cannot read. That would
// overwrite what the caller meant to protect, so it is refused here.
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
