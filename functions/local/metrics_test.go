package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// A metric filter of the template whose pattern is written out; others refer to
// one of these.
var metricFilter = regexp.MustCompile(
	`FilterPattern: (?:&\w+ )?'(.+)'\n +MetricTransformations: (?:&\w+ )?\[{MetricNamespace: \*ours, MetricName: (\w+), MetricValue: "?([^",}]+)"?(, Dimensions: \[{Key: Lane, Value: \$\.lane}\])?`)

// metricsOf computes the template's metrics from log lines: the values of each, in
// order, by name and lane.
func metricsOf(t *testing.T, lines []byte) map[string][]float64 {
	t.Helper()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	filters := metricFilter.FindAllSubmatch(template, -1)
	if n := bytes.Count(template, []byte("FilterPattern:")) - bytes.Count(template, []byte("FilterPattern: *")); len(filters) != n || n == 0 {
		t.Fatalf("found %d of %d metric filters in the template", len(filters), n)
	}
	values := map[string][]float64{}
	for _, filter := range filters {
		for line := range bytes.Lines(lines) {
			var decoded map[string]any
			if err := json.Unmarshal(line, &decoded); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if !matchesPattern(t, string(filter[1]), decoded) {
				continue
			}
			value := 1.0
			if key, ok := bytes.CutPrefix(filter[3], []byte("$.")); ok {
				if value, ok = decoded[string(key)].(float64); !ok {
					t.Errorf("%s: %s is not a number in %s", filter[2], filter[3], line)
				}
			}
			name := string(filter[2])
			if len(filter[4]) > 0 {
				name += " " + decoded["lane"].(string)
			}
			values[name] = append(values[name], value)
		}
	}
	return values
}

// Every metric that the template makes of log lines, computed from what the service
// logs: a filter on a line that is no longer logged would never raise its alarm.
func TestMetrics_AreMadeOfWhatIsLogged(t *testing.T) {
	t.Parallel()
	cfg, err := config.LoadLocal(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	service, err := wire(cfg, db, slog.New(telemetry.NewHandler(&logs, slog.LevelInfo)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(service.handler)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	pumped := make(chan struct{})
	go func() { defer close(pumped); service.pump.Run(ctx) }()
	s := &started{t: t, base: server.URL, service: service}

	target := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 200})
	id := s.create(target.URL)
	s.row(delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	// The second event takes the fast lane, once the success of the first is known.
	s.health(id, func(h webhook.Health) bool { return !h.LastOK.IsZero() })
	s.row(delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	if status, _, answer := s.call("POST", "/api/v1/Events", `[{"Event":"a.b"},{"Event":"a.b"}]`); status != 202 {
		t.Fatalf("got %d %s", status, answer)
	}
	service.batches.Bus(t.Context(), []source.Message{{ID: "1", Body: `{"id":"7","source":"shop","detail-type":"order.placed","detail":{}}`}})
	gone := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 410})
	s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d", id), `{"State":"Stopped"}`)
	stopped := id
	id = s.create(gone.URL)
	s.row(delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}, func(d delivery.Row) bool { return d.Status == delivery.StatusFailed })
	s.health(id, func(h webhook.Health) bool { return h.TotalErrors == 1 })
	down := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 503})
	id = s.create(down.URL)
	for range 10 {
		s.signal()
	}
	s.health(id, func(h webhook.Health) bool { return h.Breaker.Open() })
	err = db.Sources().Put(t.Context(), source.Source{
		Name: "quiet", Kind: source.KindBus, Tenant: "Default", Revision: 1, Created: time.Now().Add(-2 * time.Hour), ExpectWithin: time.Hour,
		Bus: &source.Bus{},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing took two deliveries from where they were parked.
	for _, event := range []webhook.EventID{"01234567-89ab-7fff-bfff-fffffffffff1", "01234567-89ab-7fff-bfff-fffffffffff2"} {
		_, err := db.Deliveries().Park(t.Context(), delivery.Park{
			Key: delivery.Key{Tenant: "Default", Webhook: stopped, Event: event}, Round: 1, Attempt: 1, Now: time.Now(), Net: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := service.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	service.pump.Stream(t.Context(), []webhook.Record{{Undecodable: []byte("{")}})
	cancel()
	<-pumped
	healths, err := db.Webhooks().Health(t.Context(), "Default", []int32{id})
	if err != nil {
		t.Fatal(err)
	}
	failed := 1 + int(healths[id].TotalErrors) // it takes at least two seconds to open a breaker
	want := map[string]int{
		"ErrorsLogged": 1, "SilentSources": 1, "EventsStored": 15,
		"Delivered fast": 1, "Delivered queue": 1, "Failed queue": failed, "DeliveryTime": 2, "WebhooksDisabled": 1, "BreakersOpened": 1, "DeliveriesInNet": 1,
	}
	got := map[string]int{}
	for name, values := range metricsOf(t, logs.Bytes()) {
		for _, value := range values {
			if value < 0 || value > 60_000 {
				t.Errorf("a value of %s is %g", name, value)
			}
		}
		got[name] = len(values)
	}
	if got["Lateness"] == 0 {
		t.Error("no run of the sweep makes the metric Lateness")
	}
	delete(got, "Lateness") // the pump may have run the sweep too
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics of the log lines (-want +got):\n%s\n%s", diff, logs.String())
	}
}

// health waits until a webhook's health satisfies want.
func (s *started) health(id int32, want func(webhook.Health) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		found, err := s.service.db.Webhooks().Health(s.t.Context(), "Default", []int32{id})
		if err == nil && want(found[id]) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the health of webhook %d is %+v (%v)", id, found[id], err)
		}
		select {
		case <-s.service.db.Changed():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
