package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
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

// invocation is what `local invoke` is asked for.
type invocation struct {
	event string // file
	// sources is the file with the sources of an ingest batch. Empty: sources.json in
	// the event's folder.
	sources string
	// store has an ingest batch taken by the sources of the local run instead, and
	// its events stored.
	store bool
}

// parseInvocation reads `[-sources file] [-store] file`.
func parseInvocation(args []string) (in invocation, err error) {
	flags := flag.NewFlagSet("invoke", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&in.sources, "sources", "", "")
	flags.BoolVar(&in.store, "store", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		return invocation{}, errors.New("usage: local invoke [-sources file] [-store] events/<function>/<case>.json")
	}
	in.event = flags.Arg(0)
	return in, nil
}

// invoke passes one event file to the handler of the function that its folder
// names, as Lambda would, on the embedded store, and writes the response. Messages
// that the handler enqueues wait in the store for the next run. Of an ingest batch
// it shows what the records become instead, unless they are to be stored.
func invoke(ctx context.Context, in invocation, answer, logs io.Writer) error {
	folder, name := filepath.Split(in.event)
	function := filepath.Base(folder)
	limit, known := timeouts[function]
	showing := function == "ingest" && !in.store
	switch {
	case !known:
		return fmt.Errorf("%s is not in a function's folder: want events/<api|deliver|retry|sweep|ingest>/<case>.json", in.event)
	case function != "ingest" && (in.store || in.sources != ""):
		return fmt.Errorf("SOURCES and STORE are for events/ingest only: events/%s/%s is always stored", function, name)
	case in.store && in.sources != "":
		return errors.New("with STORE the sources are those of the local run: leave SOURCES out")
	}
	payload, err := os.ReadFile(in.event)
	if err != nil {
		return err
	}
	cfg, err := config.LoadLocal(os.LookupEnv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if showing {
		file := cmp.Or(in.sources, filepath.Join(folder, "sources.json"))
		sources, err := os.ReadFile(file) //nolint:gosec // the file that was asked for
		if err != nil {
			return fmt.Errorf("%w; SOURCES names a file of sources, STORE=1 takes those of the local run", err)
		}
		return show(ctx, cfg, payload, namedFile{file, sources}, answer, logs)
	}
	s, err := newParts(cfg, logs)
	if err != nil {
		return err
	}
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
