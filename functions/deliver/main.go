// Command deliver is DeliverFunction: it makes the first attempt of every
// delivery and enqueues the others.
package main

import (
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/posthaste-dev/posthaste/functions/internal/engine"
	"github.com/posthaste-dev/posthaste/functions/internal/start"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// version is set by the linker.
var version = "dev"

func main() { start.Function(config.LoadDeliver, wire) }

func wire(cfg config.Deliver, clients aws.Config, logger *slog.Logger) (lambda.Handler, error) {
	dispatcher, sender, err := engine.New(cfg, clients, logger, version)
	if err != nil {
		return nil, err
	}
	return trigger.Resumed(trigger.Stream(dynamo.DecodeStream, dispatcher.Stream, logger), time.Now, sender.Resume), nil
}
