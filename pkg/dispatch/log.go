package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// logAttempt writes the line of an attempt. next is the earliest time of the
// delivery's next attempt; zero if there is none. age_ms is how long ago the event was
// accepted.
func (e *Engine) logAttempt(ctx context.Context, a madeAttempt, next time.Time) {
	r := a.result
	line := make([]slog.Attr, 0, 16)
	line = append(line,
		slog.String("tenant", string(a.event.Tenant)), slog.Int("webhook_id", int(a.webhook.ID)),
		slog.String("event", a.event.Name), slog.String("event_id", string(a.event.ID)),
		slog.String("lane", string(a.lane())), slog.Int("round", a.message.Round), slog.Int("attempt", a.message.Attempt),
		slog.String("outcome", outcomeWord(r)), slog.Int("status", r.StatusCode),
		slog.Int64("duration_ms", r.Duration.Milliseconds()), slog.Int64("age_ms", webhook.Elapsed(a.event.ID.Time(), e.Now()).Milliseconds()), slog.String("host", targetHost(a.webhook.TargetURL)))
	if r.Error != failure.None {
		line = append(line, slog.String("error", r.Failure()))
	}
	if a.drained {
		line = append(line, slog.String("kind", string(delivery.MessageDrain)))
	}
	if a.matches > 0 {
		line = append(line, slog.Int("matches", a.matches))
	}
	if !next.IsZero() {
		line = append(line, slog.Time("next_attempt", next.UTC().Truncate(time.Millisecond)))
	}
	e.Logger.LogAttrs(ctx, slog.LevelInfo, "delivery attempted", line...)
}

func outcomeWord(r webhook.Result) string {
	if r.Error == failure.None {
		return "delivered"
	}
	return string(r.Error)
}

// logDispatched writes the line of an event that was matched and not attempted:
// no webhook matches it, or its deliveries were enqueued or parked. The line of an
// attempt in the fast lane has the number of matches too.
func (e *Engine) logDispatched(ctx context.Context, event webhook.Event, matches int) {
	e.Logger.LogAttrs(ctx, slog.LevelInfo, "event dispatched",
		slog.String("tenant", string(event.Tenant)), slog.String("event", event.Name), slog.String("event_id", string(event.ID)),
		slog.Int("matches", matches))
}
