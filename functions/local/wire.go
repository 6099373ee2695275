package main

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/receiver"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// service is everything that Lambda would run, put together on one file.
type service struct {
	handler http.Handler
	pump    *embedded.Pump
	sweep   func(ctx context.Context) error
	db      *embedded.DB
}

// newService opens the data and wires the parts: the same packages as the
// Lambda functions, with embedded ones in the place of AWS's.
func newService(cfg config.Local, logs io.Writer) (*service, error) {
	logger := slog.New(telemetry.NewTextHandler(logs, cfg.LogLevel))
	db, err := embedded.Open(cfg.DataDir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		return nil, err
	}
	sender, err := outbound.New(outbound.Config{
		UserAgent: cfg.Agent(version), AllowHTTP: cfg.AllowHTTP, AllowPrivate: cfg.AllowPrivate, AllowedCIDRs: cfg.AllowedCIDRs,
		RuntimeAPI: cfg.RuntimeAPI, OmitFieldValues: cfg.OmitFieldValues, HTTP2: cfg.HTTP2, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	rowLife := cfg.EventTTL + cfg.DeliveryExtra
	registry := &webhook.Registry{
		Webhooks: db.Webhooks().Limited(cfg.WebhooksPerTenant), Secrets: db.Secrets(), Now: time.Now, Random: rand.Reader, EventLife: cfg.EventTTL,
		Ping: sender.Send, SkipTargetCheck: !cfg.RequireTargetCheck, Claims: db.Events(),
		Rules: webhook.Rules{AllowHTTP: cfg.AllowHTTP, RefuseUnknownTypes: cfg.RefuseUnknownTypes, CheckHost: sender.Guard().CheckHost},
	}
	engine := dispatch.New(dispatch.Config{
		Webhooks: db.Webhooks(), Events: db.Events(), Deliveries: db.Deliveries(), Secrets: db.Secrets(), Sender: sender,
		Messages: db.Queue(), Visibility: db.Queue(), DeadLetters: db.DeadLetters(), Logger: logger,
		Now: time.Now, Random: rand.Reader, Policy: cfg.Policy, EventLife: cfg.EventTTL, RowLife: rowLife,
	})
	sweeper := sweep.New(sweep.Config{
		Deliveries: db.Deliveries(), Webhooks: db.Webhooks(), Events: db.Events(), Secrets: db.Secrets(), Messages: db.Queue(),
		DeadLetters: db.DeadLetters(), Logger: logger, Now: time.Now, RowLife: rowLife,
		Jobs: db.Jobs(), Runners: map[job.Kind]job.Slice{
			job.Redispatch: replay.RedispatchSlice(db.Events(), db.Queue()),
			job.DeleteTenant: (&tenancy.Deletion{
				Registry: registry, Tenants: db.Tenants(), Credentials: db.Credentials(), Erasure: db.Erasure(),
			}).Slice,
		},
	})
	pump := &embedded.Pump{
		DB: db, Logger: logger, Stream: engine.Stream, Queue: engine.Queue, Drain: cfg.ShutdownTimeout,
		Minute: func(ctx context.Context) {
			if err := sweeper.Run(ctx); err != nil {
				logger.WarnContext(ctx, "sweep incomplete", "error", err)
			}
		},
	}
	known := authenticator(cfg, db)
	administration := &tenancy.Administration{
		Tenants: db.Tenants(), Credentials: db.Credentials(), Jobs: db.Jobs(), Now: time.Now, Random: rand.Reader,
	}
	api := httpapi.New(httpapi.Config{
		Registry:  registry,
		Publisher: &webhook.Publisher{Events: db.Events(), Now: time.Now, Random: rand.Reader, Life: cfg.EventTTL},
		Auth:      known, Sessions: known, Stored: httpapi.Stored{Events: db.Events(), Deliveries: db.Deliveries()},
		Administration: administration,
		Redispatch:     &replay.Redispatch{Tenants: administration, Jobs: db.Jobs(), Now: time.Now, Random: rand.Reader},
		Health:         db.Webhooks().Health, PublicURL: cfg.PublicURL, AllowOwnHost: true, SecretVisible: cfg.SecretVisible, DefaultPolicy: cfg.Policy, StrictAccept: cfg.StrictAccept,
		Version: version, Logger: logger, Now: time.Now, UnauthorizedHint: hint(cfg),
		Beside: map[string]http.Handler{receiver.Path: &receiver.Receiver{Now: time.Now, Secrets: secretsOfTarget(registry)}},
	})
	return &service{handler: api, pump: pump, sweep: sweeper.Run, db: db}, nil
}

// authenticator knows the two credentials of the settings and those in the data.
func authenticator(cfg config.Local, db *embedded.DB) *auth.Authenticator {
	value := func(secret webhook.Secret) func(context.Context) (webhook.Secret, error) {
		return func(context.Context) (webhook.Secret, error) { return secret, nil }
	}
	user, password, _ := strings.Cut(cfg.AdminCredential.Reveal(), ":")
	a := &auth.Authenticator{
		First: value(cfg.FirstCredential), Admin: value(webhook.NewSecret(password)), AdminUser: user,
		Credentials: db.Credentials(), Tenants: db.Tenants(), Throttle: &auth.Throttle{Now: time.Now}, Now: time.Now, Random: rand.Reader,
	}
	if oidc := cfg.OIDC; oidc.Issuer != "" {
		claims := auth.Claims{Tenant: oidc.TenantClaim, User: oidc.UserClaim, App: oidc.AppClaim, Scopes: oidc.ScopesClaim}
		a.Tokens = auth.NewTokens(oidc.Issuer, oidc.Audience, claims, &http.Transport{}, time.Now)
	}
	return a
}

// hint tells a newcomer which credential to try, as long as that is no secret.
func hint(cfg config.Local) string {
	if cfg.FirstCredential.Reveal() != config.DefaultCredential {
		return ""
	}
	return "Try Basic " + config.DefaultCredential
}

// secretsOfTarget gives the receiver what it verifies with: the secrets of the
// webhooks whose target is the URL that was hit.
func secretsOfTarget(registry *webhook.Registry) func(ctx context.Context, url string) []webhook.Secret {
	return func(ctx context.Context, url string) (secrets []webhook.Secret) {
		who := webhook.Principal{Tenant: tenancy.FirstTenant}
		for after := int32(0); ; {
			page, next, err := registry.List(ctx, who, after, 100)
			if err != nil {
				return secrets
			}
			for _, w := range page {
				if w.TargetURL != url {
					continue
				}
				if doc, err := registry.Document(ctx, w); err == nil {
					secrets = append(secrets, doc.Current, doc.Previous)
				}
			}
			if after = next; next == 0 {
				return secrets
			}
		}
	}
}
