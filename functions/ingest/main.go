// Command ingest is IngestFunction: it makes events of what happens on an
// EventBridge bus and in DynamoDB tables.
package main

import (
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/service/ingester"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

func main() { start.Function(config.LoadIngest, wire) }

func wire(cfg config.Ingest, clients aws.Config, logger *slog.Logger) (lambda.Handler, error) {
	on := start.Contracts(cfg.Deployed, start.Limits{}, clients, logger)
	on.BusTenant = cfg.EventTenant
	batches := ingester.New(on)
	return trigger.Ingest(batches.Bus, batches.Changes, logger), nil
}
