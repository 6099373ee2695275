package main

import (
	"context"
	"log/slog"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// loggedNotices implements webhook.Notices as log lines.
type loggedNotices struct{ logger *slog.Logger }

// Notify implements webhook.Notices.
func (l loggedNotices) Notify(ctx context.Context, notices []webhook.Notice) error {
	for _, n := range notices {
		about := []any{"error", string(n.Error), "count", n.Count, "action", n.Advice()}
		switch {
		case n.Webhook != 0:
			about = append(about, "tenant", string(n.Tenant), "webhook_id", n.Webhook, "host", n.Host, "status", n.Status)
		case n.Source != "":
			about = append(about, "tenant", string(n.Tenant), "source", n.Source)
		}
		l.logger.WarnContext(ctx, "operational event: "+string(n.Kind), about...)
	}
	return nil
}
