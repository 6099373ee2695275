package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// retryAfter is what a 503 asks a sender to wait, in seconds.
const retryAfter = "1"

// responses are the errors that a sender sees: neither an unknown source nor an
// invalid signature tells more than that.
var responses = map[int]struct{ errorType, text string }{
	http.StatusBadRequest:            {"ArgumentException", "The body cannot be read"},
	http.StatusUnauthorized:          {"SoUnauthorizedException", "The signature is missing or invalid"},
	http.StatusNotFound:              {"SoNotFoundException", "There is nothing at this address"},
	http.StatusMethodNotAllowed:      {"NotSupportedException", "The address accepts only POST"},
	http.StatusRequestEntityTooLarge: {"SoPayloadTooLargeException", "Too large: a body may have 1 MiB"},
	http.StatusUnsupportedMediaType:  {"SoMediaTypeException", "A body in a Content-Encoding is not read; send it plain"},
	http.StatusServiceUnavailable:    {"SoUnavailableException", "The event could not be stored; try again"},
}

// respond writes the response to a call.
func (r *Relay) respond(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusOK:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
		return
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Signature") // a 401 has one; no client prompts for this one
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	r.Fail(w, status, responses[status].errorType, responses[status].text)
}

// log writes the call's line, as the API does for its calls. It names a source only if that exists, and an event
// only if it was stored: the rest is what anyone may send.
func (r *Relay) log(ctx context.Context, got result, took time.Duration) {
	action := "unmatched"
	if got.routed {
		action = "POST " + RelayPath + "/v1/{source}"
	}
	line := []slog.Attr{
		slog.String("action", action), slog.Int("status", got.status), slog.Int64("duration_ms", took.Milliseconds()),
	}
	for _, attr := range []slog.Attr{
		slog.String("source", got.source), slog.String("tenant", string(got.event.Tenant)), slog.String("event", got.event.Name),
		slog.String("event_id", string(got.event.ID)), slog.String("reason", string(got.reason)), slog.String("request_id", r.RequestID(ctx)),
	} {
		if attr.Value.String() != "" {
			line = append(line, attr)
		}
	}
	level := slog.LevelInfo
	if got.cause != nil {
		level = slog.LevelWarn // not an error: an alarm of the gateway counts these responses
		line = append(line, slog.Any("error", got.cause))
	}
	r.Logger.LogAttrs(ctx, level, "request", line...)
}
