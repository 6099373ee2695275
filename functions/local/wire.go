package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/ingest"
	"github.com/posthaste-dev/posthaste/pkg/receiver"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/api"
	"github.com/posthaste-dev/posthaste/pkg/service/dispatcher"
	"github.com/posthaste-dev/posthaste/pkg/service/ingester"
	"github.com/posthaste-dev/posthaste/pkg/service/sending"
	"github.com/posthaste-dev/posthaste/pkg/service/sweeper"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// parts is everything that runs on Lambda, wired on one file.
type parts struct {
	handler http.Handler
	pump    *embedded.Pump
	sweep   func(ctx context.Context) error
	batches *ingest.Batches
	db      *embedded.DB
}

// newParts opens the data and wires the parts of the Lambda functions, on the
// embedded store instead of AWS. On an error it closes the data.
func newParts(cfg config.Local, logs io.Writer) (*parts, error) {
	db, err := embedded.Open(cfg.DataDir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		return nil, err
	}
	s, err := wire(cfg, db, slog.New(telemetry.NewTextHandler(logs, cfg.LogLevel)))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func wire(cfg config.Local, db *embedded.DB, logger *slog.Logger) (*parts, error) {
	sender, err := sending.New(cfg.Sending, version, time.Now)
	if err != nil {
		return nil, err
	}
	webhooks := db.Webhooks().Limited(cfg.WebhooksPerTenant)
	on := service.Contracts{
		Logger: logger, Now: time.Now, Random: rand.Reader, Delivering: cfg.Delivering,
		Webhooks: webhooks, Founder: webhooks, Events: db.Events(), Deliveries: db.Deliveries(), Statistics: db.Statistics(), Secrets: db.Secrets(),
		Tenants: db.Tenants(), Credentials: db.Credentials(), Jobs: db.Jobs(), Erasure: db.Erasure(),
		Sources: db.Sources(), BusTenant: tenancy.FirstTenant, Messages: db.Queue(), Notices: loggedNotices{logger},
	}
	user, password, _ := strings.Cut(cfg.AdminCredential.Reveal(), ":")
	registry := service.NewRegistry(on)
	mounts := map[string]http.Handler{}
	if cfg.AllowPrivate { // otherwise no webhook can reach the receiver
		mounts[receiver.Path] = &receiver.Receiver{
			Now: time.Now, SeenHost: sender.Guard().CheckHost,
			Secrets: func(ctx context.Context, hit func(target string) bool) []webhook.Secret {
				return secretsOfTargets(ctx, registry, db.Tenants(), hit)
			},
		}
	}
	handler := api.New(on, sender, api.Config{
		Serving: cfg.Serving, Targets: cfg.Targets, OmitFieldValues: cfg.OmitFieldValues, Version: version, AllowOwnHost: true, UnauthorizedHint: hint(cfg),
		First: always(cfg.FirstCredential), Admin: always(webhook.NewSecret(password)), AdminUser: user,
		Mounts: mounts,
	})
	engine := dispatcher.New(on, sender, db.DeadLetters())
	sweep := sweeper.New(on, db.DeadLetters(), nil)
	pump := &embedded.Pump{
		DB: db, Logger: logger, Stream: engine.Stream, Queue: engine.Queue, Drain: cfg.ShutdownTimeout,
		Minute: func(ctx context.Context) {
			if err := sweep.Run(ctx); err != nil {
				logger.WarnContext(ctx, "sweep incomplete", "error", err)
			}
		},
	}
	return &parts{handler: handler, pump: pump, sweep: sweep.Run, batches: ingester.New(on), db: db}, nil
}

// always returns a function that always returns this secret.
func always(secret webhook.Secret) func(context.Context) (webhook.Secret, error) {
	return func(context.Context) (webhook.Secret, error) { return secret, nil }
}

// hint returns which credential to try, as long as that is not secret.
func hint(cfg config.Local) string {
	if cfg.FirstCredential.Reveal() != config.DefaultCredential {
		return ""
	}
	return "Try Basic " + config.DefaultCredential
}

// secretsOfTargets returns the secrets that the receiver verifies a POST with:
// those of the webhooks, of every tenant, for whose TargetUrl hit returns true.
// Secrets that cannot be read are left out.
func secretsOfTargets(ctx context.Context, registry *webhook.Registry, tenants tenancy.Tenants, hit func(target string) bool) []webhook.Secret {
	secrets := secretsOfTenant(ctx, registry, tenancy.FirstTenant, hit) // which may have no record
	for after := webhook.Tenant(""); ; {
		page, err := tenants.List(ctx, after, pageOfTargets)
		for _, record := range page {
			if after = record.Name; after != tenancy.FirstTenant {
				secrets = append(secrets, secretsOfTenant(ctx, registry, after, hit)...)
			}
		}
		if err != nil || len(page) < pageOfTargets {
			return secrets
		}
	}
}

// pageOfTargets is the number of tenants or webhooks read at once.
const pageOfTargets = 100

func secretsOfTenant(ctx context.Context, registry *webhook.Registry, tenant webhook.Tenant, hit func(target string) bool) (secrets []webhook.Secret) {
	who := webhook.Principal{Tenant: tenant}
	for after := int32(0); ; {
		page, next, err := registry.List(ctx, who, after, pageOfTargets)
		if err != nil {
			return secrets
		}
		for _, w := range page {
			if !hit(w.TargetURL) {
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
