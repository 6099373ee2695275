// Package httpapi is the API as an http.Handler: SuperOffice's REST operations
// on webhooks, their rules and what they answer.
//
// A request takes one path: call.go makes it a call, router.go finds its route in
// the table of routes.go, the route's handler does it, encode.go writes the
// answer. errors.go is the table of errors. decode.go and draft.go read what a
// body states, entity.go says what is shown; the formats themselves are in wire.
// Each other file holds the operations on one resource.
//
// The package refuses to know where webhooks are stored, how a credential is
// checked and how a POST is made: the domain's Registry and Publisher, and the
// functions of Config, do that. It never writes the text of an internal error
// into an answer, nor a query, body or secret into a log, nor the path of a call
// that a route matches.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Authenticator finds out who makes a call.
type Authenticator interface {
	// Authenticate returns the principal of the request's credential. named is
	// the tenant in the request's address, "" without one: a publisher's
	// credential acts for that tenant. webhook.ErrUnauthorized if the credential
	// is missing or unknown; webhook.ErrNoTenant or ErrWrongTenant if a publisher
	// does not name a tenant that it may name.
	Authenticate(r *http.Request, named webhook.Tenant) (webhook.Principal, error)
}

// Config is everything that the API needs. Fields must be set unless they say
// what being unset means.
type Config struct {
	Registry  *webhook.Registry
	Publisher *webhook.Publisher
	Auth      Authenticator
	// Sessions are those of browsers.
	Sessions Sessions
	// Administration makes and removes tenants and credentials.
	Administration *tenancy.Administration
	// Redispatch has past events matched again.
	Redispatch *replay.Redispatch
	// Stored is what an export reads.
	Stored Stored
	// Health reads the counters of webhooks, as webhook.Webhooks.Health does.
	Health func(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	// PublicURL is what _Links are built on: scheme, host and perhaps a path,
	// without a trailing slash. Empty: the call's own scheme and Host. Pages of
	// its origin may make a browser call.
	PublicURL string
	// AllowOwnHost permits targets on the API's own host: in the local run the
	// built-in receiver is there. Unset: they are refused.
	AllowOwnHost bool
	// SecretVisible shows secrets in clear on every read, as SuperOffice once
	// did. Unset: only to the call that sets them.
	SecretVisible bool
	// StrictAccept answers 406 where no media type that Accept names can be
	// answered with. Unset: JSON, as SuperOffice does.
	StrictAccept bool
	// DefaultPolicy is what the option Policy shows where nothing is set.
	DefaultPolicy webhook.Policy
	// Version is what /healthz tells.
	Version string
	Logger  *slog.Logger
	Now     func() time.Time
	// RequestID gives the id that a call's log line and a 500's answer carry.
	// Unset: there is none.
	RequestID func(ctx context.Context) string
	// Beside holds handlers of addresses that are not the API's, by the first
	// segment of their path, such as /_receiver. They see the request as it came.
	Beside map[string]http.Handler
	// UnauthorizedHint is added to the text of a 401: the local run says which
	// credential to try. Empty: no hint.
	UnauthorizedHint string
}

// api is the receiver of all operations.
type api struct {
	Config
	router    router
	crossSite *http.CrossOriginProtection
}

// New makes the outermost handler: of the API under /api, also with a tenant's
// name before it, under /admin and /healthz, and of what is beside it. It may
// serve any number of calls at a time; it starts no goroutine, and keeps nothing
// between calls.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg, crossSite: crossSiteCheck(cfg.PublicURL)}
	a.Registry = a.registryOf(cfg)
	a.router = newRouter(a.routes())
	return a
}
