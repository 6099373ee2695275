package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// benchEvents is how many events the tenant has. The newest have deliveries.
const benchEvents = 1_000_000

// fillEvents stores events, each a second older than the one before.
func fillEvents(b *testing.B, dir string, now time.Time) {
	b.Helper()
	fillFile(b, dir, benchEvents, func(db *embedded.DB, i int) error {
		at, id := benchEvent(now, i)
		return db.Events().Put(b.Context(), webhook.Event{
			Tenant: "Default", ID: id, Name: "contact.changed", PrimaryKey: int32(i % 1000), Data: []byte(`{"name":"Blåbær AS","category_idx":3}`), At: at, ExpiresAt: now.AddDate(0, 1, 0),
		})
	})
}

// benchWhatHappened asks what became of events, of all ages.
func benchWhatHappened(b *testing.B, t *table, binary string) {
	dir, now := b.TempDir(), time.Now()
	s := startBenchServiceOn(b, binary, dir)
	s.create("bench.log", "http://127.0.0.1:9000/")
	s.stop()
	fillLog(b, dir, now)
	fillEvents(b, dir, now)
	s = startBenchServiceOn(b, binary, dir)
	defer s.stop()
	s.drain()
	before := func(i int) string {
		at, _ := benchEvent(now, i)
		return "&to=" + url.QueryEscape(at.UTC().Format(time.RFC3339Nano))
	}
	event := func(i int) string { _, id := benchEvent(now, i); return string(id) }
	for _, c := range []struct {
		what string
		path func(age int) string // of an event, or of a page of those before it
		ages int                  // the oldest
	}{
		{"pages of 100 events", func(i int) string { return "Events?limit=100" + before(i) }, benchEvents},
		{"pages with a filter that selects one in a thousand", func(i int) string { return "Events?limit=100&entity=contact&primaryKey=7" + before(i) }, benchEvents},
		{"pages with a filter that selects nothing", func(i int) string { return "Events?limit=100&event=order.*" + before(i) }, benchEvents},
		{"one event, with what became of it", func(i int) string { return "Events/" + event(i) }, benchEvents},
		{"an explanation for one webhook", func(i int) string { return "Events/" + event(i) + "/Explain?webhook=1" }, benchEvents},
		{"an explanation for all webhooks", func(i int) string { return "Events/" + event(i) + "/Explain" }, benchEvents},
		{"pages of 100 deliveries", func(i int) string { return "Webhook/1/Deliveries?limit=100" + before(i) }, benchDeliveries},
		{"pages of deliveries with a filter that selects nothing", func(i int) string { return "Webhook/1/Deliveries?limit=100&event=order.*" + before(i) }, benchDeliveries},
		{"one delivery", func(i int) string { return "Webhook/1/Deliveries/" + event(i) }, benchDeliveries},
		{"the request of one delivery", func(i int) string { return "Webhook/1/Deliveries/" + event(i) + "/Request" }, benchDeliveries},
	} {
		var took []time.Duration
		const calls = 200
		w := measure(s.cmd.Process.Pid)
		for n := range calls {
			path := "/api/v1/" + c.path(n*(c.ages/calls))
			began := time.Now()
			s.get(path, "application/json")
			took = append(took, time.Since(began))
		}
		_, idle, cpu := w.close()
		slices.Sort(took)
		t.add(row{what: c.what, p50: percentile(took, 0.5), p99: percentile(took, 0.99), idle: idle, cpu: cpu / calls, note: fmt.Sprintf("%d calls; the slowest %s (goal %s)", calls, span(took[calls-1]), 50*time.Millisecond)})
	}
}

// drain waits until the service has dispatched all that is stored: new events of
// webhook 1 come after the old ones.
func (s *benchService) drain() {
	s.b.Helper()
	const marks = 64 // enough for every partition of the feed
	p := s.publisher()
	for n := range marks {
		if err := p.signal("bench.log", n); err != nil {
			s.b.Fatal(err)
		}
	}
	_ = p.conn.Close()
	for {
		var page struct{ Deliveries []struct{} }
		if err := json.Unmarshal(s.get("/api/v1/Webhook/1/Deliveries?event=bench.log&limit=100", "application/json"), &page); err != nil {
			s.b.Fatal(err)
		}
		if len(page.Deliveries) == marks {
			return
		}
		time.Sleep(time.Second)
	}
}
