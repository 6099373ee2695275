package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// invoke passes one event file to the handler of the function that its folder
// names, as Lambda would, on the embedded store, and writes the response. Messages
// that the handler enqueues wait in the store for the next run.
func invoke(ctx context.Context, file string, answer, logs io.Writer) error {
	function := filepath.Base(filepath.Dir(file))
	limit, known := timeouts[function]
	if !known {
		return fmt.Errorf("%s is not in a function's folder: want events/<api|deliver|retry|sweep|ingest>/<case>.json", file)
	}
	payload, err := os.ReadFile(file) //nolint:gosec // the file that was asked for
	if err != nil {
		return err
	}
	cfg, err := config.LoadLocal(os.LookupEnv)
	if err != nil {
		return err
	}
	s, err := newParts(cfg, logs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	logger := slog.New(telemetry.NewTextHandler(logs, cfg.LogLevel))
	text, err := s.lambda(ctx, function, logger).Invoke(ctx, payload)
	if err != nil {
		return errors.Join(fmt.Errorf("%s failed: %w", function, err), s.db.Close())
	}
	_, err = fmt.Fprintln(answer, strings.TrimSpace(string(text)))
	return errors.Join(err, s.db.Close())
}

// timeouts are the functions' timeouts, as in template.yaml.
var timeouts = map[string]time.Duration{
	"api": 29 * time.Second, "deliver": time.Minute, "retry": 150 * time.Second, "sweep": 55 * time.Second,
	"ingest": time.Minute,
}

// lambda returns the handler of one of the functions in timeouts.
func (s *parts) lambda(ctx context.Context, function string, logger *slog.Logger) lambda.Handler {
	switch function {
	case "deliver":
		return trigger.Stream(s.justStored(ctx), s.pump.Stream, logger)
	case "retry":
		return trigger.Queue(s.pump.Queue, logger)
	case "sweep":
		return trigger.Schedule(s.sweep, logger)
	case "ingest":
		return trigger.Ingest(s.batches.Bus, s.batches.Changes, logger)
	default:
		return trigger.HTTP(s.handler, httpapi.WriteError, "", logger)
	}
}

// justStored decodes a batch of the stream as if its events had just been
// accepted: those of a file are old, and webhooks activated after an event do not
// receive it. It also stores the events, so that later attempts find them.
func (s *parts) justStored(ctx context.Context) func(payload []byte) ([]webhook.Record, error) {
	return func(payload []byte) ([]webhook.Record, error) {
		records, err := dynamo.DecodeStream(payload)
		for i := range records {
			records[i].Accepted = s.db.Now()
			if err == nil && records[i].Undecodable == nil {
				err = s.db.Events().Put(ctx, records[i].Event)
			}
		}
		return records, err
	}
}
