// Package start starts a Lambda function: it reads the function's settings and the
// environment's AWS configuration, calls the function's wiring, and serves. It
// knows no particular function and decides nothing about one.
package start

import (
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/posthaste-dev/posthaste/functions/internal/memory"
	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
)

// Function serves the handler that wire builds from the settings that load reads.
// It does not return. Invalid settings end the process, with all faults in one log
// line; Lambda retries, and the function's error metric shows it.
func Function[C interface{ Level() slog.Level }](
	load func(config.Lookup) (C, error), wire func(cfg C, clients aws.Config, logger *slog.Logger) (lambda.Handler, error),
) {
	memory.Tune(os.LookupEnv)
	cfg, err := load(os.LookupEnv)
	clients, awsErr := awsenv.Config(os.LookupEnv)
	logger := slog.New(telemetry.NewHandler(os.Stdout, slog.LevelInfo))
	if err = errors.Join(err, awsErr); err == nil {
		logger = slog.New(telemetry.NewHandler(os.Stdout, cfg.Level()))
		var handler lambda.Handler
		if handler, err = wire(cfg, clients, logger); err == nil {
			lambda.Start(handler)
		}
	}
	logger.Error("cannot start", "error", err)
	os.Exit(1)
}
