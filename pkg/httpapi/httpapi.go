// Package httpapi is the API as an http.Handler: SuperOffice's REST operations
// on webhooks, their rules and their responses.
//
// A request takes one path: call.go turns it into a call, router.go finds its
// route in the table of routes.go, the route's handler runs, and encode.go writes
// the response. errors.go is the table of errors. decode.go and draft.go read
// bodies, and entity.go shows webhooks; the formats themselves are in wire.
// vocabulary.go lists the names that bodies may have, query.go those of parameters.
// Each other file holds the operations on one resource.
//
// The package refuses to know where webhooks are stored, how a credential is
// checked and how a POST is made: the domain's Registry and Publisher, and the
// functions of Config, do that. It never writes the text of an internal error
// into a response, nor a query, body or secret into a log, nor the path of a call
// that a route matches.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	explaining "github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Authenticator identifies the caller of a request.
type Authenticator interface {
	// Authenticate returns the principal of the request's credential. named is
	// the tenant in the request's address, "" without one: a publisher's
	// credential acts for that tenant. webhook.ErrUnauthorized if the credential
	// is missing or unknown; webhook.ErrNoTenant or ErrWrongTenant if a publisher
	// does not name a tenant that it may name.
	Authenticate(r *http.Request, named webhook.Tenant) (webhook.Principal, error)
}

// Config is everything that the API needs. A field must be set unless its
// comment says what the zero value means.
type Config struct {
	Registry *webhook.Registry
	// Statistics reads those of the registry's webhooks.
	Statistics *statistics.Reader
	Publisher  *webhook.Publisher
	Auth       Authenticator
	// Sessions starts and ends browser sessions.
	Sessions Sessions
	// Administration creates and deletes tenants and credentials.
	Administration *tenancy.Administration
	// Redispatch matches past events again.
	Redispatch *replay.Redispatch
	// Jobs shows and cancels jobs of every kind.
	Jobs *job.Control
	// Custody moves secrets between stores, and rotates the root key. nil: there is one
	// store, as in the local run.
	Custody *custody.Administration
	// Retry begins another round of a delivery.
	Retry *replay.Retry
	// Replays sends past events to a webhook again.
	Replays *replay.Replays
	// Sources creates, changes and deletes sources.
	Sources *source.Registry
	// Explainer says what became of an event.
	Explainer *explaining.Explainer
	// OmitFieldValues is EVENT_DATA=names: events are shown as deliveries carry them.
	OmitFieldValues bool
	// Stored is read by the export of a tenant, by the delivery log, and to show a
	// delivery's request.
	Stored Stored
	// Rebuild returns the POST of an attempt that began at a time, as
	// outbound.Sender's does. template.ErrTooLarge if there is none, since its body would
	// be too large.
	Rebuild func(post webhook.Post, sent webhook.Sent, at time.Time) (delivery.Request, error)
	// Health reads the counters of webhooks, as webhook.Webhooks.Health does.
	Health func(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	// PublicURL is the base of _Links: scheme, host and optionally a path,
	// without a trailing slash. Empty: the call's own scheme and Host. Pages of
	// its origin may call the API from a browser.
	PublicURL string
	// EgressAddresses are the addresses that POSTs come from, for receivers behind a
	// firewall. Empty: any.
	EgressAddresses []string
	// AllowOwnHost permits targets on the API's own host, where the local run
	// has its built-in receiver. Unset: they are refused.
	AllowOwnHost bool
	// SecretVisible shows secrets in clear on every read, as SuperOffice once
	// did. Unset: only in the response to the call that sets them.
	SecretVisible bool
	// StrictAccept returns 406 if the API cannot produce any media type in
	// Accept. Unset: it returns JSON, as SuperOffice does.
	StrictAccept bool
	// DefaultPolicy is shown as the option Policy of a webhook that has none.
	DefaultPolicy webhook.Policy
	// Version is shown by /healthz.
	Version string
	Logger  *slog.Logger
	Now     func() time.Time
	// RequestID returns the id that the call's log line and a 500 response carry.
	// Unset: they carry none.
	RequestID func(ctx context.Context) string
	// Mounts holds the handlers of paths outside the API, keyed by first path
	// segment, such as /_receiver. They get the request unchanged.
	Mounts map[string]http.Handler
	// UnauthorizedHint is added to the message of a 401: the local run says which
	// credential to try. Empty: no hint.
	UnauthorizedHint string
}

// api is the receiver of all operations.
type api struct {
	Config
	router    router
	crossSite *http.CrossOriginProtection
}

// New returns the outermost handler. It serves the API under /api, with or
// without a tenant's name in front, /admin, /healthz, and the handlers in
// cfg.Mounts. It is safe for concurrent use, starts no goroutine and keeps no
// state between calls.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg, crossSite: CrossSiteCheck(cfg.PublicURL)}
	a.Registry = a.registryOf(cfg)
	a.router = newRouter(a.routes())
	return a
}
