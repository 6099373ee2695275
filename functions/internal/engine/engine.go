// Package engine wires the delivery engine on AWS, for DeliverFunction and
// RetryFunction. It decides nothing.
package engine

import (
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/functions/internal/operational"
	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/service/dispatcher"
	"github.com/posthaste-dev/posthaste/pkg/service/sending"
)

// documentBytes bounds the secret documents that an environment caches.
const documentBytes = 4 << 20

// New returns the engine and its sender, whose Resume must be called between
// invocations. version is the build's.
func New(cfg config.Deliver, clients aws.Config, logger *slog.Logger, version string) (*dispatch.Engine, *outbound.Sender, error) {
	sender, err := sending.New(cfg.Sending, version, time.Now)
	if err != nil {
		return nil, nil, err
	}
	queues := awssqs.NewFromConfig(clients)
	on := start.Contracts(cfg.Deployed, start.Limits{DocumentBytes: documentBytes}, clients, logger)
	on.Notices = operational.Notices(cfg.Operational, clients)
	on.Messages = &sqs.Queue{Client: queues, URL: cfg.DeliveryQueueURL, SlowURL: cfg.SlowQueueURL}
	return dispatcher.New(on, sender, &sqs.DeadLetters{Client: queues, URL: cfg.DeadLetterQueueURL}), sender, nil
}
