package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// call is one request and what the API has learned about it.
type call struct {
	*http.Request
	begun time.Time
	// elsewhere marks a call for a handler outside the API.
	elsewhere bool
	who       webhook.Principal
	// action is the route's method and pattern, "" if no route matched.
	action string
	// tenantSegment is the tenant at the start of the path, "" if there is none.
	tenantSegment webhook.Tenant
	requestID     string
	status        int
	// cause is the error behind the response, and errorType its type on the wire;
	// for the log.
	cause     error
	errorType string
	// event and eventID are those of a signal, for the log. The name is as the
	// caller spelled it, valid or not; there is an id once the event is stored.
	event   string
	eventID webhook.EventID
	// events counts the events of a batch that was stored, for the log.
	events int
	// params are the query parameters of the route, by their documented names.
	params map[string]string
	// ignored are the names in its query and body that nothing reads.
	ignored ignored
}

// callKey is the context key of the call, for the registry's audit.
type callKey struct{}

// ServeHTTP implements http.Handler. Every request enters here: it becomes a
// call, which ends with one log line, and a panic becomes a 500.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{begun: a.Now()}
	if a.RequestID != nil {
		c.requestID = a.RequestID(r.Context())
	}
	c.Request = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	defer a.finish(r.Context(), w, c)
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/"), "/")
	if handler, mounted := a.Mounts["/"+segments[0]]; mounted {
		c.elsewhere = true
		handler.ServeHTTP(w, r)
		return
	}
	a.write(w, c, a.respond(c, segments))
}

// finish ends a call. It must be deferred directly for recover to work. A
// handler outside the API writes its own log lines.
func (a *api) finish(ctx context.Context, w http.ResponseWriter, c *call) {
	p := recover()
	if p != nil {
		a.write(w, c, failed(c, fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
	}
	if p != nil || !c.elsewhere {
		a.log(ctx, c, a.Now().Sub(c.begun).Milliseconds())
	}
}

// respond runs a call: it finds the route, checks the site, the credential and
// its scope, and calls the handler.
func (a *api) respond(c *call, segments []string) reply {
	rt, allowed := a.router.match(c, segments)
	if rt == nil {
		return unrouted(c, allowed)
	}
	c.action = rt.method + " " + rt.pattern
	if a.crossSite.Check(c.Request) != nil {
		return failed(c, errCrossSite)
	}
	if err := a.admit(c, rt.scope); err != nil {
		return failed(c, err)
	}
	if err := a.acceptable(c); err != nil {
		return failed(c, err)
	}
	fail := failed
	if rt.fail != nil {
		fail = rt.fail
	}
	if err := c.readQuery(rt); err != nil {
		if rt.fail != nil {
			err = unbindable(err)
		}
		return fail(c, err)
	}
	response, err := rt.handle(c)
	if err != nil {
		return fail(c, err)
	}
	return response
}

// admit authenticates the caller and checks their tenant and scope.
func (a *api) admit(c *call, scope webhook.Scope) error {
	if scope == open {
		return nil
	}
	who, err := a.authenticate(c)
	if c.who = who; err != nil {
		if scope == webhook.ScopeAdmin && errors.Is(err, webhook.ErrNoTenant) { // its addresses name none
			return forbidden(scope)
		}
		return a.unauthorized(err)
	}
	if c.tenantSegment != "" && c.tenantSegment != who.Tenant {
		return webhook.ErrWrongTenant
	}
	if !who.May(scope) {
		return forbidden(scope)
	}
	return nil
}

// acceptable refuses a call whose Accept names no supported media type, before it
// changes anything. The response to a DELETE has no body.
func (a *api) acceptable(c *call) error {
	if !a.StrictAccept || c.Method == http.MethodDelete {
		return nil
	}
	if _, accepted := wire.Negotiate(c.Header.Values("Accept"), alsoAnswered[c.action]...); !accepted {
		return errNoMediaType
	}
	return nil
}

// loggedIgnored returns the ignored names for the log. Those of a form stay out: in
// a value that is not escaped, such as a secret with an ampersand, a part of it
// reads as a name.
func (c *call) loggedIgnored() string {
	if wire.IsForm(c.Header) {
		return ""
	}
	return c.ignored.text
}

// log writes the call's log line. A request that no route matched shows the
// beginning of its path, and never its method, which may be any string.
func (a *api) log(ctx context.Context, c *call, milliseconds int64) {
	action, path := c.action, ""
	if action == "" {
		action, path = "unmatched", wire.Shorten(c.URL.Path)
	}
	line := []slog.Attr{
		slog.String("action", action), slog.Int("status", c.status), slog.Int64("duration_ms", milliseconds),
	}
	for _, attr := range []slog.Attr{
		slog.String("tenant", string(c.who.Tenant)), slog.String("user", c.who.Associate.UserName),
		slog.String("app", c.who.App), slog.String("event", wire.Shorten(c.event)), slog.String("event_id", string(c.eventID)),
		slog.String("path", path), slog.String("error_type", c.errorType), slog.String("request_id", c.requestID), slog.String("ignored", c.loggedIgnored()),
		slog.String("via", via(ctx)),
	} {
		if attr.Value.String() != "" {
			line = append(line, attr)
		}
	}
	if c.events > 0 {
		line = append(line, slog.Int("count", c.events))
	}
	if c.status == http.StatusUnauthorized || c.status == http.StatusTooManyRequests {
		line = append(line, slog.String("source", c.source())) // where the guess came from
	}
	level := slog.LevelInfo
	if c.status >= http.StatusInternalServerError {
		level = slog.LevelWarn                   // not an error: an alarm of the gateway counts these responses
		if c.status != http.StatusLoopDetected { // which is the caller's fault, and has no cause
			line = append(line, slog.Any("error", c.cause))
		}
	}
	a.Logger.LogAttrs(ctx, level, "request", line...)
}

// webhookID reads the id of a webhook from the path. It returns ErrNotFound if
// the segment is not an id.
func (c *call) webhookID() (int32, error) {
	text := c.PathValue("id")
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, explain(webhook.ErrNotFound, "Webhook id %q not found", wire.Shorten(text))
	}
	return int32(id), nil
}
