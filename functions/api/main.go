// Command api is ApiFunction: it saves webhooks and accepts events.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/service/api"
	"github.com/posthaste-dev/posthaste/pkg/service/sending"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// version is set by the linker.
var version = "dev"

// documentBytes bounds the secret documents that an environment remembers: a
// relay reads one for each POST.
const documentBytes = 1 << 20

func main() { start.Function(config.LoadAPI, wire) }

func wire(cfg config.API, clients aws.Config, logger *slog.Logger) (lambda.Handler, error) {
	sender, err := sending.New(cfg.Sending, version, time.Now)
	if err != nil {
		return nil, err
	}
	manager := secretsmanager.NewFromConfig(clients)
	on := start.Contracts(cfg.Deployed, start.Limits{WebhooksPerTenant: cfg.WebhooksPerTenant, DocumentBytes: documentBytes}, clients, logger)
	on.Messages = &sqs.Queue{Client: awssqs.NewFromConfig(clients), URL: cfg.DeliveryQueueURL, SlowURL: cfg.SlowQueueURL}
	on.BusTenant = cfg.EventTenant
	handler := api.New(on, sender, api.Config{
		Serving: cfg.Serving, Targets: cfg.Targets, OmitFieldValues: cfg.OmitFieldValues, Version: version, RequestID: trigger.RequestID,
		First: secrets.Value(manager, cfg.FirstCredentialSecret, time.Now),
		Admin: secrets.Value(manager, cfg.AdminSecret, time.Now), AdminUser: "admin",
		Role: func(ctx context.Context) string { return tenancy.RoleARN(trigger.SignedBy(ctx)) },
	})
	return trigger.Resumed(trigger.HTTP(handler, httpapi.WriteError, cfg.PublicURL, logger), time.Now, sender.Resume), nil
}
