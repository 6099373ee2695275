package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// benchDeliveries is the length of the delivery log that is read.
const benchDeliveries = 100_000

// fillFile opens the file of the local run and stores n things, many at once.
func fillFile(b *testing.B, dir string, n int, store func(db *embedded.DB, i int) error) {
	b.Helper()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: webhooktest.Random(1)})
	if err != nil {
		b.Fatal(err)
	}
	var writers sync.WaitGroup
	const atOnce = 1000 // they share commits
	for w := range atOnce {
		writers.Go(func() {
			for i := w; i < n; i += atOnce {
				if err := store(db, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchEvent returns the time and the id of the event that is i events old.
func benchEvent(now time.Time, i int) (time.Time, webhook.EventID) {
	at := now.Add(-time.Duration(i) * time.Second)
	return at, webhook.DeriveEventID(at, "bench", fmt.Sprint(i))
}

// fillLog stores deliveries of webhook 1: of a thousand, one failed.
func fillLog(b *testing.B, dir string, now time.Time) {
	b.Helper()
	fillFile(b, dir, benchDeliveries, func(db *embedded.DB, i int) error {
		at, id := benchEvent(now, i)
		outcome := delivery.Outcome{
			Attempt: delivery.Attempt{Round: 1, Lane: delivery.LaneFast, Number: 1, At: at, Duration: 20 * time.Millisecond, StatusCode: 200}, Status: delivery.StatusDelivered,
			Response: "HTTP 200 OK\nContent-Length: 2\nContent-Type: text/plain; charset=utf-8\nDate: Tue, 24 Nov 2026 08:00:00 GMT\n\nok",
		}
		if i%1000 == 0 {
			outcome.Status, outcome.Attempt.StatusCode, outcome.Attempt.Error = delivery.StatusFailed, 500, failure.Status
		}
		_, err := db.Deliveries().RecordFirst(b.Context(), delivery.RecordFirst{
			Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: id}, Now: at, Outcome: outcome,
			Seed: delivery.Seed{EventName: "contact.changed", PrimaryKey: int32(i), ExpiresAt: now.AddDate(0, 1, 0)},
		})
		return err
	})
}

// benchLog reads a long delivery log from its newest to its oldest end, page by page.
func benchLog(b *testing.B, t *table, binary string) {
	dir := b.TempDir()
	s := startBenchServiceOn(b, binary, dir)
	s.create("bench.log", "http://127.0.0.1:9000/")
	s.stop()
	fillLog(b, dir, time.Now())
	s = startBenchServiceOn(b, binary, dir)
	defer s.stop()
	for _, c := range []struct{ what, query string }{
		{"pages of 100", "limit=100"},
		{"pages with a filter that selects one in a thousand", "limit=100&status=Failed"},
		{"pages with a filter that selects nothing", "limit=100&event=order.*&class=5xx"},
	} {
		var took []time.Duration
		deliveries, examined := 0, 0
		for cursor, more := "", true; more; {
			var page struct {
				Deliveries []struct{}
				Examined   int
				Cursor     *string
			}
			began := time.Now()
			body := s.get("/api/v1/Webhook/1/Deliveries?"+c.query+cursor, "application/json")
			took = append(took, time.Since(began))
			if err := json.Unmarshal(body, &page); err != nil {
				b.Fatal(err)
			}
			deliveries, examined = deliveries+len(page.Deliveries), examined+page.Examined
			if more = page.Cursor != nil; more {
				cursor = "&cursor=" + *page.Cursor
			}
		}
		slices.Sort(took)
		t.add(row{what: c.what, p50: percentile(took, 0.5), p99: percentile(took, 0.99), note: fmt.Sprintf(
			"%d pages, %d deliveries of %d; the slowest page %s (goal %s)", len(took), deliveries, examined, span(took[len(took)-1]), 50*time.Millisecond)})
	}
	began := time.Now()
	body := s.get("/api/v1/Webhook/1/Deliveries", "text/csv")
	t.add(row{what: "10,000 deliveries as CSV", p50: time.Since(began), note: fmt.Sprintf("%d bytes", len(body))})
}

func (s *benchService) get(path, accept string) []byte {
	s.b.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.addr+path, http.NoBody)
	if err != nil {
		s.b.Fatal(err)
	}
	req.SetBasicAuth("tje0", "Tje0")
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.b.Fatalf("%s: %s %s, %v", path, resp.Status, body, err)
	}
	return body
}
