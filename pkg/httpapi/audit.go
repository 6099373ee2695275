package httpapi

import (
	"context"
	"log/slog"
	"net"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// auditedChange is a change of something that belongs to a tenant: who made it, when
// and where from, the call knows.
type auditedChange struct {
	action     string
	tenant     webhook.Tenant
	webhook    int32
	credential string   // id
	changed    []string // names of the members with another value
}

// audit writes a change to the log: that it was made, never what was written.
func (a *api) audit(ctx context.Context, c *call, what auditedChange) {
	line := []slog.Attr{slog.String("action", what.action), slog.String("tenant", string(what.tenant))}
	if what.webhook != 0 {
		line = append(line, slog.Int64("webhook_id", int64(what.webhook)))
	}
	for _, attr := range []slog.Attr{
		slog.String("credential_id", what.credential), slog.String("changed", strings.Join(what.changed, ",")),
		slog.String("user", c.who.Associate.UserName),
		slog.String("app", c.who.App), slog.String("source", c.source()), slog.String("request_id", c.requestID),
	} {
		if attr.Value.String() != "" {
			line = append(line, attr)
		}
	}
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "audit", line...)
}

// written audits a write of the registry's, so that no operation can forget to.
func (a *api) written(ctx context.Context, what webhook.Written) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		a.audit(ctx, c, auditedChange{action: string(what.Action), tenant: what.Tenant, webhook: what.Webhook, changed: what.Changed})
	}
}

// source is the address that a call came from, as whatever is in front saw it.
func (c *call) source() string {
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		return c.RemoteAddr
	}
	return host
}
