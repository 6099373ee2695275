package telemetry

import (
	"io"
	"log/slog"
	"slices"
	"time"
)

var keys = []string{
	"tenant", "webhook_id", "event", "event_id", "lane", "attempt", "outcome", "status",
	"duration_ms", "host", "round", "error", "request_id", "user", "app",
	"action", "count", "source", "credential_id", "matches", "next_attempt", "path", "error_type", "changed", "ignored", "via", "reason", "kind",
	"age_ms", "late_ms", "net", "timers", "visited", "waiting",
}

// Listed reports whether a line may have the key, besides time, level and msg.
func Listed(key string) bool { return slices.Contains(keys, key) }

// NewHandler returns a handler that writes one JSON object per line, as
// Lambda's JSON log format requires. It is safe for concurrent use.
func NewHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: listed})
}

// NewTextHandler returns a handler that writes key=value lines for a terminal,
// with times in local time and whole seconds, such as 2026-11-27T09:30:00+01:00.
// It is safe for concurrent use.
func NewTextHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
			return slog.String(slog.TimeKey, a.Value.Time().Format(time.RFC3339))
		}
		return listed(groups, a)
	}})
}

// listed drops attributes that are not on the list; slog omits an empty Attr.
func listed(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return slog.Attr{}
	}
	switch a.Key {
	case slog.TimeKey, slog.LevelKey, slog.MessageKey:
		return a
	}
	if !Listed(a.Key) {
		return slog.Attr{}
	}
	return a
}
