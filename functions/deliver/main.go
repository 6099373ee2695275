// Command deliver is DeliverFunction: it makes the first attempt of every
// delivery and hands on the rest.
package main

import (
	"crypto/rand"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// version is set by the linker.
var version = "dev"

// cachedVersions of secret documents are at most a few megabytes.
const cachedVersions = 4096

func main() {
	handler, err := wire(os.LookupEnv)
	if err != nil {
		slog.New(telemetry.NewHandler(os.Stdout, slog.LevelInfo)).Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

func wire(lookup func(string) (string, bool)) (lambda.Handler, error) {
	cfg, err := config.LoadDeliver(lookup)
	if err != nil {
		return nil, err
	}
	aws, err := awsenv.Config(lookup)
	if err != nil {
		return nil, err
	}
	logger := slog.New(telemetry.NewHandler(os.Stdout, cfg.LogLevel))
	sender, err := outbound.New(outbound.Config{
		UserAgent: cfg.Agent(version), AllowHTTP: cfg.AllowHTTP, AllowedCIDRs: cfg.AllowedCIDRs,
		RuntimeAPI: cfg.RuntimeAPI, OmitFieldValues: cfg.OmitFieldValues, HTTP2: cfg.HTTP2, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(aws), dynamo.Tables(cfg.Tables), dynamo.Options{Now: time.Now})
	queues := awssqs.NewFromConfig(aws)
	messages := &sqs.Queue{Client: queues, URL: cfg.DeliveryQueueURL}
	engine := dispatch.New(dispatch.Config{
		Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(),
		Secrets: secrets.NewCache(&secrets.Manager{
			Client: secretsmanager.NewFromConfig(aws), Prefix: cfg.SecretPrefix, Random: rand.Reader,
		}, cachedVersions),
		Sender: sender, Messages: messages, Visibility: messages,
		DeadLetters: &sqs.DeadLetters{Client: queues, URL: cfg.DeadLetterQueueURL}, Logger: logger,
		Now: time.Now, Random: rand.Reader,
		Policy: cfg.Policy, EventLife: cfg.EventTTL, RowLife: cfg.EventTTL + cfg.DeliveryExtra,
	})
	return trigger.Resumed(trigger.Stream(dynamo.DecodeStream, engine.Stream, logger), time.Now, sender.Resume), nil
}
