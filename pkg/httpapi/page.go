package httpapi

import (
	"context"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// page is what the calls that make one page of the console share.
type page struct {
	mu    sync.Mutex
	known bool
	who   webhook.Principal
}

type pageKey struct{}

// ForPage returns the context of the calls that make one page of the console. They must
// carry the same credential, which is checked once, and their lines in the log and the
// audit have via=console.
func ForPage(ctx context.Context) context.Context {
	return context.WithValue(ctx, pageKey{}, &page{})
}

// via names what made a call, if it is not a client.
func via(ctx context.Context) string {
	if _, ok := ctx.Value(pageKey{}).(*page); ok {
		return "console"
	}
	return ""
}

// authenticate returns the caller, whom the calls of a page have in common.
func (a *api) authenticate(c *call) (webhook.Principal, error) {
	p, ok := c.Context().Value(pageKey{}).(*page)
	if !ok {
		return a.Auth.Authenticate(c.Request, c.tenantSegment)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known {
		return p.who, nil
	}
	who, err := a.Auth.Authenticate(c.Request, c.tenantSegment)
	p.known, p.who = err == nil, who
	return who, err
}
