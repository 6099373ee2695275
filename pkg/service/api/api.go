// Package api builds the API's handler from the contracts and the settings. It
// refuses to depend on a store or AWS, and to listen: callers serve the handler.
package api

import (
	"context"
	"maps"
	"net/http"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/console"
	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/ingest"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Config configures the API. The zero values of Role, RequestID, AllowOwnHost,
// UnauthorizedHint and Mounts mean what they mean in auth.Authenticator and
// httpapi.Config.
type Config struct {
	config.Serving
	Targets config.Targets
	// OmitFieldValues is the sender's: the API shows what deliveries carry.
	OmitFieldValues bool
	Version         string // the build's
	// First returns the first credential, user:password; Admin returns the
	// password of AdminUser.
	First, Admin     func(ctx context.Context) (webhook.Secret, error)
	AdminUser        string
	Role             func(ctx context.Context) string
	RequestID        func(ctx context.Context) string
	AllowOwnHost     bool
	UnauthorizedHint string
	Mounts           map[string]http.Handler
}

// New returns the handler of the API, which pings targets with sender, and of the
// relays, whose sources' secrets it reads for each POST: c.Secrets should cache.
func New(c service.Contracts, sender *outbound.Sender, cfg Config) http.Handler {
	registry := service.NewRegistry(c)
	registry.Rules = webhook.Rules{AllowHTTP: cfg.Targets.AllowHTTP, RefuseUnknownTypes: cfg.RefuseUnknownTypes, CheckHost: sender.Guard().CheckHost}
	registry.Ping, registry.SkipTargetCheck = sender.Send, !cfg.RequireTargetCheck
	registry.Turned = service.Pull(c)
	authenticator := newAuthenticator(c, cfg)
	administration := &tenancy.Administration{Tenants: c.Tenants, Credentials: c.Credentials, Jobs: c.Jobs, Now: c.Now, Random: c.Random}
	var keeper *custody.Administration
	if c.Custody != nil {
		keeper = &custody.Administration{Jobs: c.Jobs, TenantExists: administration.Exists, Now: c.Now, Random: c.Random}
	}
	on := mounts(c, cfg)
	var handler http.Handler
	if cfg.Console {
		on[console.Path] = console.New(console.Config{
			API:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }),
			Begin: httpapi.ForPage, CrossSite: httpapi.CrossSiteCheck(cfg.PublicURL), Logger: c.Logger, Now: c.Now, Random: c.Random,
		})
	}
	handler = httpapi.New(httpapi.Config{
		Registry: registry, Statistics: &statistics.Reader{Registry: registry, Statistics: c.Statistics, Backlog: c.Deliveries}, Publisher: service.NewPublisher(c), Auth: authenticator, Sessions: authenticator,
		Administration: administration, Sources: service.NewSources(c),
		Jobs: &job.Control{Jobs: c.Jobs, Now: c.Now, Random: c.Random}, Custody: keeper,
		Redispatch: &replay.Redispatch{Tenants: administration, Jobs: c.Jobs, Now: c.Now, Random: c.Random},
		Retry:      service.NewRetry(c, registry),
		Replays:    service.NewReplays(c, registry),
		Explainer:  service.NewExplainer(c, registry), OmitFieldValues: cfg.OmitFieldValues,
		Stored: httpapi.Stored{Events: c.Events, Deliveries: c.Deliveries}, Rebuild: sender.Rebuild, Health: c.Webhooks.Health,
		PublicURL: cfg.PublicURL, EgressAddresses: cfg.EgressAddresses, AllowOwnHost: cfg.AllowOwnHost, SecretVisible: cfg.SecretVisible, StrictAccept: cfg.StrictAccept,
		DefaultPolicy: c.Delivering.Policy, Version: cfg.Version, Logger: c.Logger, Now: c.Now,
		RequestID: cfg.RequestID, UnauthorizedHint: cfg.UnauthorizedHint, Mounts: on,
	})
	return handler
}

// mounts returns the handlers next to the API: those of the settings, and the
// relays'.
func mounts(c service.Contracts, cfg Config) map[string]http.Handler {
	requestID := cfg.RequestID
	if requestID == nil {
		requestID = func(context.Context) string { return "" }
	}
	handlers := map[string]http.Handler{ingest.RelayPath: &ingest.Relay{
		Sources: c.Sources, Secrets: c.Secrets, Tenants: &ingest.Tenants{Stored: c.Tenants, Now: c.Now},
		Publisher: service.NewPublisher(c), Counters: &ingest.Counters{Sources: c.Sources, Now: c.Now, Logger: c.Logger},
		Now: c.Now, Logger: c.Logger, RequestID: requestID, Fail: httpapi.WriteError,
	}}
	maps.Copy(handlers, cfg.Mounts)
	return handlers
}

func newAuthenticator(c service.Contracts, cfg Config) *auth.Authenticator {
	a := &auth.Authenticator{
		First: cfg.First, Admin: cfg.Admin, AdminUser: cfg.AdminUser, Credentials: c.Credentials, Tenants: c.Tenants,
		Role: cfg.Role, Throttle: &auth.Throttle{Now: c.Now}, Now: c.Now, Random: c.Random,
	}
	if oidc := cfg.OIDC; oidc.Issuer != "" {
		claims := auth.Claims{Tenant: oidc.TenantClaim, User: oidc.UserClaim, App: oidc.AppClaim, Scopes: oidc.ScopesClaim}
		a.Tokens = auth.NewTokens(oidc.Issuer, oidc.Audience, claims, &http.Transport{}, c.Now)
	}
	return a
}
