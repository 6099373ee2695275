// Command sweep is SweepFunction: every minute it enqueues due deliveries and
// cleans up after crashes.
package main

import (
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/functions/internal/operational"
	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/failures/s3"
	"github.com/posthaste-dev/posthaste/pkg/invoke"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/service/sweeper"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

func main() { start.Function(config.LoadSweep, wire) }

func wire(cfg config.Sweep, clients aws.Config, logger *slog.Logger) (lambda.Handler, error) {
	queues := awssqs.NewFromConfig(clients)
	on := start.Contracts(cfg.Deployed, start.Limits{}, clients, logger)
	on.Notices = operational.Notices(cfg.Operational, clients)
	on.Messages = &sqs.Queue{Client: queues, URL: cfg.DeliveryQueueURL, SlowURL: cfg.SlowQueueURL}
	dead := &sqs.DeadLetters{Client: queues, URL: cfg.DeadLetterQueueURL}
	failures := &s3.Failures{Client: s3.NewClient(clients), Bucket: cfg.FailureBucket, Decode: dynamo.DecodeStream}
	s := sweeper.New(on, dead, failures)
	if cfg.ChangeFailureBucket != "" {
		function := &invoke.Function{Client: awslambda.NewFromConfig(awsenv.Waiting(clients)), Name: cfg.IngestFunction}
		s.Changes = &sweep.Changes{Failures: &s3.Failures{Client: failures.Client, Bucket: cfg.ChangeFailureBucket}, Take: function.Take}
	}
	return trigger.Schedule(s.Run, logger), nil
}
