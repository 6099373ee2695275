package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/ingester"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// show writes what each record of an ingest batch becomes under the sources of a
// file, as IngestFunction itself makes it, on a store that is thrown away. All
// tenants that the file names exist. The clock says when the batch's last record
// was sent, so that a file has the same result every day.
func show(ctx context.Context, cfg config.Local, payload []byte, file namedFile, out, logs io.Writer) (err error) {
	sources, builtIn, err := httpapi.ReadSources(file.text)
	if err != nil {
		return fmt.Errorf("%s: %w", file.name, err)
	}
	dir, err := os.MkdirTemp("", "posthaste")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	clock := time.Now()
	now := func() time.Time { return clock }
	db, err := embedded.Open(dir, embedded.Options{Now: now, Random: rand.Reader})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := fill(ctx, db, sources, builtIn, now()); err != nil {
		return err
	}
	logger := slog.New(telemetry.NewTextHandler(logs, max(cfg.LogLevel, slog.LevelWarn)))
	batches := ingester.New(service.Contracts{
		Logger: logger, Now: now, Random: rand.Reader, Delivering: cfg.Delivering,
		Events: db.Events(), Tenants: db.Tenants(), Sources: db.Sources(), BusTenant: builtIn,
	})
	var seen outcomes
	batches.Became = seen.add
	sent := func(times []time.Time) {
		if len(times) > 0 {
			clock = slices.MaxFunc(times, time.Time.Compare)
		}
	}
	response, err := trigger.Ingest(func(ctx context.Context, messages []source.Message) []string {
		sent(timesOf(messages, func(m source.Message) time.Time { return m.Sent }))
		return batches.Bus(ctx, messages)
	}, func(ctx context.Context, records []json.RawMessage) string {
		sent(timesOf(records, func(raw json.RawMessage) time.Time { c, _ := source.ParseChange(raw); return c.Stamp }))
		return batches.Changes(ctx, records)
	}, logger).Invoke(ctx, payload)
	switch {
	case err != nil:
		return fmt.Errorf("ingest failed: %w", err)
	case len(seen.all) == 0:
		return fmt.Errorf("no record could be shown: %s", response)
	}
	return seen.write(out, sources)
}

// namedFile is a file that was read.
type namedFile struct {
	name string
	text []byte
}

// fill stores the sources, and the tenants that they name.
func fill(ctx context.Context, db *embedded.DB, sources []source.Source, builtIn webhook.Tenant, at time.Time) error {
	named := []webhook.Tenant{builtIn}
	for _, s := range sources {
		s.Revision = 1
		if err := db.Sources().Put(ctx, s); err != nil {
			return err
		}
		named = append(named, s.Tenant)
		if s.Table != nil {
			named = append(named, s.Table.Tenants...)
		}
	}
	for _, tenant := range named {
		if tenant == "" {
			continue
		}
		if err := db.Tenants().Create(ctx, tenant, at); err != nil && !errors.Is(err, webhook.ErrExists) {
			return err
		}
	}
	return nil
}

// timesOf returns the times of those records that have one.
func timesOf[T any](records []T, at func(T) time.Time) (times []time.Time) {
	for _, r := range records {
		if t := at(r); t.Unix() > 0 {
			times = append(times, t)
		}
	}
	return times
}

// outcomes collects what the records of a batch become.
type outcomes struct {
	mu  sync.Mutex
	all []outcome
}

type outcome struct {
	record int
	source string
	source.Outcome
}

func (o *outcomes) add(record int, name string, out source.Outcome) {
	if out.Once.Key != "" {
		out.Event.ID = "" // it was made here
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, outcome{record, name, out})
}

// write writes the outcomes in the order of the records, each as JSON.
func (o *outcomes) write(to io.Writer, sources []source.Source) error {
	slices.SortFunc(o.all, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.record, b.record), cmp.Compare(a.source, b.source))
	})
	for _, each := range o.all {
		name := each.source
		if each.Skip != "" && !slices.ContainsFunc(sources, func(s source.Source) bool { return s.Name == name }) {
			name = "" // no source took it
		}
		text, err := httpapi.ShowOutcome(each.record+1, name, each.Outcome)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(to, "%s\n", text); err != nil {
			return err
		}
	}
	return nil
}
