package httpapi

import (
	"context"
	"log/slog"
	"net"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// auditedChange is a change of something that belongs to a tenant. The call holds
// who made it, when and from where.
type auditedChange struct {
	action     string
	tenant     webhook.Tenant
	webhook    int32
	credential string   // id
	changed    []string // names of the members with another value
	sourceName string
	event      webhook.EventID
}

// audit logs that a change was made, never the values that were written.
func (a *api) audit(ctx context.Context, c *call, what auditedChange) {
	line := []slog.Attr{slog.String("action", what.action), slog.String("tenant", string(what.tenant))}
	if what.webhook != 0 {
		line = append(line, slog.Int64("webhook_id", int64(what.webhook)))
	}
	for _, attr := range []slog.Attr{
		slog.String("source_name", what.sourceName), slog.String("event_id", string(what.event)), slog.String("credential_id", what.credential), slog.String("changed", strings.Join(what.changed, ",")),
		slog.String("user", c.who.Associate.UserName),
		slog.String("app", c.who.App), slog.String("source", c.source()), slog.String("request_id", c.requestID),
		slog.String("via", via(ctx)),
	} {
		if attr.Value.String() != "" {
			line = append(line, attr)
		}
	}
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "audit", line...)
}

// written audits every write of the registry, so that no operation can forget to.
func (a *api) written(ctx context.Context, action string, written webhook.Key, changed []string) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		a.audit(ctx, c, auditedChange{action: action, tenant: written.Tenant, webhook: written.ID, changed: changed})
	}
}

// source returns the caller's IP address, as the gateway or listener saw it.
func (c *call) source() string {
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		return c.RemoteAddr
	}
	return host
}
