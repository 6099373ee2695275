package dynamo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// TestSchema_EarlierVersion runs this test in the tree of an earlier version: it reads
// the fixtures in SCHEMA_NEWER, changes what they say, and stores the items in
// SCHEMA_OUT.
func TestSchema_OfANewerVersion(t *testing.T) {
	t.Parallel()
	folder, out := os.Getenv("SCHEMA_NEWER"), os.Getenv("SCHEMA_OUT")
	if folder == "" {
		t.Skip("SCHEMA_NEWER is not set: TestSchema_EarlierVersion sets it, in the tree of an earlier version")
	}
	db, s := load(t, folder)
	var newer any
	readJSON(t, filepath.Join(folder, "readings.json"), &newer)
	report(t, crossed("", plain(t, readings(t.Context(), s)), newer))
	messagesAre(t, folder, true)
	change(t, s)
	files := map[string]string{}
	for p, item := range db.items(t) {
		files[filepath.Join("items", p.file())] = indented(t, item)
	}
	save(t, out, files)
}

// The fixtures can be changed by the code that wrote them, too.
func TestSchema_OfThisVersion(t *testing.T) {
	t.Parallel()
	_, s := load(t, schemaFolder)
	messagesAre(t, schemaFolder, false)
	change(t, s)
	report(t, unread(t, s))
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, fault := range faults {
		t.Error(strings.TrimPrefix(fault, "."))
	}
}

// plain returns v as JSON shows it.
func plain(t *testing.T, v any) (out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(indented(t, v)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// unread returns the readings that fail.
func unread(t *testing.T, s *dynamo.Store) (faults []string) {
	t.Helper()
	all := readings(t.Context(), s)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if v, failed := all[name].(map[string]any); failed {
			faults = append(faults, fmt.Sprintf("%s cannot be read: %v", name, v["error"]))
		}
	}
	return faults
}

// messagesAre checks that the messages of a folder are decoded as they are. One of a
// kind that only a newer version knows must be reported as such.
func messagesAre(t *testing.T, folder string, newer bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "messages", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no messages: %v", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := delivery.DecodeMessage(string(text))
		if newer && errors.Is(err, webhook.ErrNewer) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var stored any
		readJSON(t, file, &stored)
		if mine := plain(t, m); newer {
			report(t, crossed(file, mine, stored))
		} else {
			report(t, crossed(file, stored, mine))
		}
	}
}

// change makes the writes of this version that change what is stored.
func change(t *testing.T, s *dynamo.Store) {
	t.Helper()
	ctx, d := t.Context(), s.Deliveries()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	w, err := s.Webhooks().Get(ctx, schemaTenant, 1)
	must("read the webhook", err)
	w.Revision, w.Name = w.Revision+1, "changed"
	must("save the webhook", s.Webhooks().Update(ctx, w, webhook.Change{Action: webhook.ActionChanged, At: schemaSeen, Members: []string{"Name"}, ExpiresAt: schemaLife}))
	_, err = s.Webhooks().UpdateHealth(ctx, schemaTenant, 1, func(h webhook.Health) webhook.Health {
		return h.Observe(webhook.HealthReport{Activation: w.Activation, At: schemaSeen, Duration: time.Second})
	})
	must("write health", err)
	must("count attempts", s.Statistics().Count(ctx, schemaTenant, 1, schemaHour()))
	j, err := s.Jobs().Get(ctx, schemaRunning)
	must("read the job", err)
	must("continue the job", s.Jobs().Update(ctx, j.Next(schemaSeen)))
	x, err := s.Sources().Get(ctx, "bus")
	must("read the source", err)
	x.Revision++
	must("save the source", s.Sources().Put(ctx, x))
	must("count records", s.Sources().Count(ctx, "bus", source.Counts{Missing: map[string]int64{"name": 1}}))
	row := func(what string) func(delivery.Row, error) {
		return func(_ delivery.Row, err error) { t.Helper(); must(what, err) }
	}
	pending := schemaRow(delivery.StatusPending)
	row("claim")(d.Claim(ctx, delivery.Claim{Key: pending, Seen: schemaSeen, Next: schemaSeen.Add(time.Minute), Now: schemaSeen}))
	row("lease")(d.Lease(ctx, delivery.Lease{
		Key: pending, Round: 1, Attempt: 2, Token: "next", Now: schemaSeen, Until: schemaSeen.Add(time.Minute), SweepAt: schemaSeen.Add(time.Minute), Seed: schemaSeed(),
	}))
	row("finish")(d.Finish(ctx, delivery.Finish{
		Key: schemaRow("leased"), Round: 1, Attempt: 1, Token: "token", Now: schemaSeen, ExpiresAt: schemaLife,
		Outcome: delivery.Outcome{
			Status: delivery.StatusPending, NextAt: schemaSeen, SweepAt: schemaSeen, Response: "no",
			Attempt: delivery.Attempt{Round: 1, Number: 1, Lane: delivery.LaneQueue, At: schemaSeen, StatusCode: 503, Error: failure.Status},
		},
	}))
	for _, status := range []delivery.Status{delivery.StatusFailed, delivery.StatusDelivered} {
		row("retry")(d.StartRound(ctx, delivery.StartRound{Key: schemaRow(status), Seen: status, Now: schemaSeen, Due: schemaSeen, SweepAt: schemaSeen, Seed: schemaSeed()}))
	}
}

// crossed compares what an older and a newer version know: whatever the older one
// knows, the newer one knows too.
func crossed(what string, older, newer any) (faults []string) {
	switch o := older.(type) {
	case nil, bool:
		if o == nil || o == false {
			return nil
		}
	case string:
		if o == "" {
			return nil
		}
	case float64:
		if o == 0 {
			return nil
		}
	case map[string]any:
		n, _ := newer.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(o)) {
			faults = append(faults, crossed(what+"."+name, o[name], n[name])...)
		}
		return faults
	case []any:
		n, _ := newer.([]any)
		if len(n) != len(o) {
			return []string{fmt.Sprintf("%s: %d values, %d in the newer version", what, len(o), len(n))}
		}
		for i := range o {
			faults = append(faults, crossed(fmt.Sprintf("%s[%d]", what, i), o[i], n[i])...)
		}
		return faults
	}
	if older != newer {
		return []string{fmt.Sprintf("%s: %v, and %v in the newer version", what, older, newer)}
	}
	return nil
}
