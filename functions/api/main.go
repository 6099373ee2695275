// Command api is ApiFunction: it saves webhooks and accepts events.
package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// version is set by the linker.
var version = "dev"

func main() { start.Function(config.LoadAPI, wire) }

func wire(cfg config.API, clients aws.Config, logger *slog.Logger) (lambda.Handler, error) {
	sender, err := outbound.New(outbound.Config{
		UserAgent: cfg.Agent(version), AllowHTTP: cfg.AllowHTTP, AllowedCIDRs: cfg.AllowedCIDRs,
		RuntimeAPI: cfg.RuntimeAPI, OmitFieldValues: cfg.OmitFieldValues, HTTP2: cfg.HTTP2, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(clients), dynamo.Tables(cfg.Tables), dynamo.Options{Now: time.Now, Random: rand.Reader})
	manager := secretsmanager.NewFromConfig(clients)
	registry := &webhook.Registry{
		Webhooks: store.Webhooks().Limited(cfg.WebhooksPerTenant), Secrets: &secrets.Manager{Client: manager, Prefix: cfg.SecretPrefix, Random: rand.Reader},
		Rules: webhook.Rules{AllowHTTP: cfg.AllowHTTP, RefuseUnknownTypes: cfg.RefuseUnknownTypes, CheckHost: sender.Guard().CheckHost},
		Now:   time.Now, Random: rand.Reader, EventLife: cfg.EventTTL,
		Ping: sender.Send, SkipTargetCheck: !cfg.RequireTargetCheck, Claims: store.Events(),
	}
	authenticator := &auth.Authenticator{
		First: secrets.Value(manager, cfg.FirstCredentialSecret, time.Now), Admin: secrets.Value(manager, cfg.AdminSecret, time.Now), AdminUser: "admin",
		Credentials: store.Credentials(), Tenants: store.Tenants(), Throttle: &auth.Throttle{Now: time.Now}, Now: time.Now, Random: rand.Reader,
		Role: func(ctx context.Context) string { return tenancy.RoleARN(trigger.SignedBy(ctx)) },
	}
	if oidc := cfg.OIDC; oidc.Issuer != "" {
		claims := auth.Claims{Tenant: oidc.TenantClaim, User: oidc.UserClaim, App: oidc.AppClaim, Scopes: oidc.ScopesClaim}
		authenticator.Tokens = auth.NewTokens(oidc.Issuer, oidc.Audience, claims, &http.Transport{}, time.Now)
	}
	administration := &tenancy.Administration{
		Tenants: store.Tenants(), Credentials: store.Credentials(), Jobs: store.Jobs(), Now: time.Now, Random: rand.Reader,
	}
	api := httpapi.New(httpapi.Config{
		Registry:  registry,
		Publisher: &webhook.Publisher{Events: store.Events(), Now: time.Now, Random: rand.Reader, Life: cfg.EventTTL},
		Auth:      authenticator, Sessions: authenticator, Stored: httpapi.Stored{Events: store.Events(), Deliveries: store.Deliveries()},
		Administration: administration,
		Redispatch:     &replay.Redispatch{Tenants: administration, Jobs: store.Jobs(), Now: time.Now, Random: rand.Reader},
		Health:         store.Webhooks().Health, PublicURL: cfg.PublicURL, SecretVisible: cfg.SecretVisible, DefaultPolicy: cfg.Policy, StrictAccept: cfg.StrictAccept,
		Version: version, Logger: logger, Now: time.Now, RequestID: trigger.RequestID,
	})
	return trigger.Resumed(trigger.HTTP(api, httpapi.WriteError, logger), time.Now, sender.Resume), nil
}
