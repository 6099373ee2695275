// Command retry is RetryFunction: it makes the attempts that came by the queue,
// and sends on those that have to wait.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/functions/internal/engine"
	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// version is set by the linker.
var version = "dev"

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
	clients, err := awsenv.Config(lookup)
	if err != nil {
		return nil, err
	}
	logger := slog.New(telemetry.NewHandler(os.Stdout, cfg.LogLevel))
	dispatcher, sender, err := engine.New(cfg, clients, logger, version)
	if err != nil {
		return nil, err
	}
	return trigger.Resumed(trigger.Queue(dispatcher.Queue, logger), time.Now, sender.Resume), nil
}
