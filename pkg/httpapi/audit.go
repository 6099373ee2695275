package httpapi

import (
	"context"
	"log/slog"
	"net"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// auditedChange is a change of something that belongs to a tenant: who made it, when
// and where from, the call knows.
type auditedChange struct {
	action     string
	tenant     webhook.Tenant
	webhook    int32
	credential string // id
}

// audit writes a change to the log: that it was made, never what was written.
func (a *api) audit(ctx context.Context, c *call, what auditedChange) {
	line := []slog.Attr{slog.String("action", what.action), slog.String("tenant", string(what.tenant))}
	if what.webhook != 0 {
		line = append(line, slog.Int64("webhook_id", int64(what.webhook)))
	}
	for _, attr := range []slog.Attr{
		slog.String("credential_id", what.credential), slog.String("user", c.who.Associate.UserName),
		slog.String("app", c.who.App), slog.String("source", c.source()), slog.String("request_id", c.requestID),
	} {
		if attr.Value.String() != "" {
			line = append(line, attr)
		}
	}
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "audit", line...)
}

// auditedWebhooks is a store of webhooks that audits what a call changes there,
// so that no operation can forget to.
type auditedWebhooks struct {
	webhook.Webhooks
	api  *api
	call *call
}

// Create implements webhook.Webhooks.
func (s auditedWebhooks) Create(ctx context.Context, w webhook.Webhook) error {
	return s.done(ctx, s.Webhooks.Create(ctx, w), "create webhook", w.Tenant, w.ID)
}

// Update implements webhook.Webhooks.
func (s auditedWebhooks) Update(ctx context.Context, w webhook.Webhook, raised ...webhook.Event) error {
	return s.done(ctx, s.Webhooks.Update(ctx, w, raised...), "change webhook", w.Tenant, w.ID)
}

// Delete implements webhook.Webhooks.
func (s auditedWebhooks) Delete(ctx context.Context, tenant webhook.Tenant, id int32, revision int64) error {
	return s.done(ctx, s.Webhooks.Delete(ctx, tenant, id, revision), "delete webhook", tenant, id)
}

func (s auditedWebhooks) done(ctx context.Context, err error, action string, tenant webhook.Tenant, id int32) error {
	if err == nil {
		s.api.audit(ctx, s.call, auditedChange{action: action, tenant: tenant, webhook: id})
	}
	return err
}

// source is the address that a call came from, as whatever is in front saw it.
func (c *call) source() string {
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		return c.RemoteAddr
	}
	return host
}
