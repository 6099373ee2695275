package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// invoked invokes a function with an event file, on the data of a directory. An
// ingest batch is stored.
func invoked(t *testing.T, dir, file string) (string, error) {
	t.Helper()
	t.Setenv("DATA_DIR", dir)
	var answer, logs bytes.Buffer
	in := invocation{event: filepath.Join("..", "..", "events", file), store: strings.HasPrefix(file, "ingest/")}
	err := invoke(t.Context(), in, &answer, &logs)
	if t.Failed() {
		t.Log(logs.String())
	}
	return answer.String(), err
}

// prepared returns a data directory with webhook 1, for contact events, whose
// target has responded with success before.
func prepared(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	s := start(t, dir, nil)
	if id := s.create(target); id != 1 {
		t.Fatalf("the first webhook has id %d, want 1", id)
	}
	if _, err := s.service.db.Webhooks().UpdateHealth(t.Context(), "Default", 1, func(h webhook.Health) webhook.Health {
		return h.Observe(webhook.HealthReport{Activation: 1, At: time.Now(), Duration: time.Millisecond})
	}); err != nil {
		t.Fatal(err)
	}
	s.stop()
	return dir
}

func TestInvoke_EveryEventFileGetsAResponse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	dir := prepared(t, webhooktest.NewReceiver(t).URL)
	for _, file := range files {
		if filepath.Base(file) == "sources.json" {
			continue
		}
		folder, name := filepath.Base(filepath.Dir(file)), filepath.Base(file)
		t.Run(folder+"/"+name, func(t *testing.T) {
			answer, err := invoked(t, dir, filepath.Join(folder, name))
			if err != nil || !json.Valid([]byte(answer)) {
				t.Errorf("got %s (%v)", answer, err)
			}
		})
	}
}

func TestInvoke_TheReferenceCallStoresAWebhook(t *testing.T) {
	dir := t.TempDir()
	if answer, err := invoked(t, dir, "api/post-webhook.json"); err != nil || !strings.Contains(answer, `"statusCode":200`) {
		t.Fatalf("got %s (%v)", answer, err)
	}
	status, _, answer := start(t, dir, nil).call("GET", "/api/v1/Webhook/1", "")
	if status != 200 || !strings.Contains(string(answer), "Send changes to our own service") {
		t.Errorf("afterwards: got %d %s", status, answer)
	}
}

func TestInvoke_AStreamBatchIsDeliveredAndAMessageRetried(t *testing.T) {
	target := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 503}, webhooktest.Answer{Status: 200})
	dir := prepared(t, target.URL)
	if answer, err := invoked(t, dir, "deliver/two-events.json"); err != nil || answer != `{"batchItemFailures":[]}`+"\n" {
		t.Fatalf("deliver: got %s (%v)", answer, err)
	}
	if got := target.Requests(); len(got) != 1 || !strings.Contains(string(got[0].Body), "contact.changed") {
		t.Fatalf("after deliver: the target got %d POSTs, want 1 of contact.changed", len(got))
	}
	if answer, err := invoked(t, dir, "retry/second-attempt.json"); err != nil || answer != `{"batchItemFailures":[]}`+"\n" {
		t.Fatalf("retry: got %s (%v)", answer, err)
	}
	got := target.Requests()
	if len(got) != 2 || got[0].Header.Get("Webhook-Id") != got[1].Header.Get("Webhook-Id") {
		t.Fatalf("after retry: the target got %d POSTs, want 2 of one event", len(got))
	}
	s := start(t, dir, nil)
	s.row(delivery.Key{Tenant: "Default", Webhook: 1, Event: webhook.EventID(got[0].Header.Get("Webhook-Id"))},
		func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered && d.Attempt == 2 })
}

func TestInvoke_Refusals(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "deliver", "broken.json")
	if err := os.MkdirAll(filepath.Dir(broken), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver, bus := filepath.Join("..", "..", "events", "deliver", "two-events.json"), filepath.Join("..", "..", "events", "ingest", "order-placed.json")
	other := filepath.Join(t.TempDir(), "ingest", "other.json")
	if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	misspelled := filepath.Join(t.TempDir(), "misspelled.json")
	if err := os.WriteFile(misspelled, []byte(`{"Sources":[{"Name":"a","Kind":"bus","Tenant":"T","Bus":{"Field":["x"]}},{"Name":"B"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		in   invocation
		want string
	}{
		{"a folder that names no function", invocation{event: "../../events/nobody/x.json"}, "is not in a function's folder: want events/<api|deliver|retry|sweep|ingest>/<case>.json"},
		{"a missing file", invocation{event: "../../events/api/x.json"}, "events/api/x.json: no such file or directory"},
		{"a payload that is not a batch", invocation{event: broken}, "deliver failed: decode stream batch"},
		{"sources of another function", invocation{event: deliver, sources: misspelled}, "SOURCES and STORE are for events/ingest only"},
		{"sources that are not used", invocation{event: bus, sources: misspelled, store: true}, "leave SOURCES out"},
		{"no sources next to the event", invocation{event: other}, "sources.json: no such file or directory; SOURCES names a file of sources"},
		{"no records", invocation{event: other, sources: filepath.Join("..", "..", "events", "ingest", "sources.json")}, "no record could be shown"},
		{"sources with faults", invocation{event: bus, sources: misspelled}, `misspelled.json: unknown member "Sources[0].Bus.Field"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("DATA_DIR", t.TempDir())
			var answer bytes.Buffer
			err := invoke(context.Background(), tt.in, &answer, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tt.want)
			}
			if answer.Len() != 0 {
				t.Errorf("it printed %s", answer.String())
			}
		})
	}
}
