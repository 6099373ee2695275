// Command sweep is SweepFunction: every minute it sends on what is due and
// clears up what a crash left behind.
package main

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/failures/s3"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func main() { start.Function(config.LoadSweep, wire) }

func wire(cfg config.Sweep, clients aws.Config, logger *slog.Logger) (lambda.Handler, error) {
	store := dynamo.New(dynamodb.NewFromConfig(clients), dynamo.Tables(cfg.Tables), dynamo.Options{Now: time.Now, Random: rand.Reader})
	queues := awssqs.NewFromConfig(clients)
	messages := &sqs.Queue{Client: queues, URL: cfg.DeliveryQueueURL}
	manager := &secrets.Manager{Client: secretsmanager.NewFromConfig(clients), Prefix: cfg.SecretPrefix, Random: rand.Reader}
	deletion := &tenancy.Deletion{
		Registry: &webhook.Registry{Webhooks: store.Webhooks(), Secrets: manager, Now: time.Now, Random: rand.Reader},
		Tenants:  store.Tenants(), Credentials: store.Credentials(), Erasure: store.Erasure(),
	}
	sweeper := sweep.New(sweep.Config{
		Deliveries: store.Deliveries(), Webhooks: store.Webhooks(), Events: store.Events(),
		Secrets:     manager,
		Messages:    messages,
		Failures:    &s3.Failures{Client: s3.NewClient(clients), Bucket: cfg.FailureBucket, Decode: dynamo.DecodeStream},
		DeadLetters: &sqs.DeadLetters{Client: queues, URL: cfg.DeadLetterQueueURL},
		Logger:      logger, Now: time.Now, RowLife: cfg.EventTTL + cfg.DeliveryExtra,
		Jobs: store.Jobs(), Runners: map[job.Kind]job.Slice{
			job.Redispatch:   replay.RedispatchSlice(store.Events(), messages),
			job.DeleteTenant: deletion.Slice,
		},
	})
	return trigger.Schedule(sweeper.Run, logger), nil
}
