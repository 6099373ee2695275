// Package engine puts together what DeliverFunction and RetryFunction share:
// the dispatch engine on AWS's services. It only wires; it decides nothing.
package engine

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
)

// documentBytes bounds the secret documents that an environment remembers.
const documentBytes = 4 << 20

// New makes the engine and its sender, whose Resume must be called between
// invocations. version is the build's.
func New(cfg config.Deliver, clients aws.Config, logger *slog.Logger, version string) (*dispatch.Engine, *outbound.Sender, error) {
	sender, err := outbound.New(outbound.Config{
		UserAgent: cfg.Agent(version), AllowHTTP: cfg.AllowHTTP, AllowedCIDRs: cfg.AllowedCIDRs,
		RuntimeAPI: cfg.RuntimeAPI, OmitFieldValues: cfg.OmitFieldValues, HTTP2: cfg.HTTP2, Now: time.Now,
	})
	if err != nil {
		return nil, nil, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(clients), dynamo.Tables(cfg.Tables), dynamo.Options{Now: time.Now, Random: rand.Reader})
	queues := awssqs.NewFromConfig(clients)
	messages := &sqs.Queue{Client: queues, URL: cfg.DeliveryQueueURL}
	versions := &secrets.Manager{Client: secretsmanager.NewFromConfig(clients), Prefix: cfg.SecretPrefix, Random: rand.Reader}
	return dispatch.New(dispatch.Config{
		Webhooks: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(),
		Secrets: secrets.NewCache(versions, documentBytes), Sender: sender,
		Messages: messages, Visibility: messages, DeadLetters: &sqs.DeadLetters{Client: queues, URL: cfg.DeadLetterQueueURL},
		Logger: logger, Now: time.Now, Random: rand.Reader,
		Policy: cfg.Policy, EventLife: cfg.EventTTL, RowLife: cfg.EventTTL + cfg.DeliveryExtra,
	}), sender, nil
}
