package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// past stores a webhook with the id 1 and n events of the last hour that it has not got:
// half of them failed, half are missing.
func past(t testing.TB, dir, target string, n int) []webhook.EventID {
	t.Helper()
	ctx := t.Context()
	started := time.Now()
	hourAgo := func() time.Time { return time.Now().Add(-time.Hour) }
	db, err := embedded.Open(dir, embedded.Options{Now: hourAgo, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	at := hourAgo()
	id, err := db.Webhooks().NextID(ctx, "Default")
	if err != nil {
		t.Fatal(err)
	}
	err = db.Webhooks().Create(ctx, webhook.Webhook{
		Tenant: "Default", ID: id, Name: "w", Events: []string{"contact.*"}, TargetURL: target, State: webhook.StateActive, Type: "webhook",
		Revision: 1, Activation: 1, ActivatedAt: at, Registered: at, Updated: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Webhooks().UpdateHealth(ctx, "Default", 1, func(h webhook.Health) webhook.Health { // it has earned the fast lane
		return h.Observe(webhook.HealthReport{Activation: 1, At: started, Duration: time.Millisecond})
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]webhook.EventID, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				now := at.Add(time.Duration(i) * time.Millisecond)
				e := webhook.Event{Tenant: "Default", Name: "contact.changed", PrimaryKey: 7, Data: []byte(benchData), At: now, ExpiresAt: now.AddDate(0, 0, 30)}
				var err error
				if e.ID, err = webhook.NewEventID(now, rand.Reader); err == nil {
					err = db.Events().Put(ctx, e)
				}
				if err == nil && i%2 == 0 {
					_, err = db.Deliveries().RecordFirst(ctx, delivery.RecordFirst{
						Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: e.ID}, Now: now, Seed: delivery.NewSeed(e, "", nil, now.AddDate(0, 0, 33)),
						Outcome: delivery.Outcome{Attempt: delivery.Attempt{Number: 1, At: now, Error: failure.Refused}, Status: delivery.StatusFailed},
					})
				}
				if ids[i] = e.ID; err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	forgetFeed(ctx, db, n)
	return ids
}

// forgetFeed empties the change feed of n records: a stream that has lost them.
func forgetFeed(ctx context.Context, db *embedded.DB, n int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var read atomic.Int64
	pump := embedded.Pump{DB: db, Logger: slog.New(slog.DiscardHandler), Stream: func(_ context.Context, records []webhook.Record) string {
		if int(read.Add(int64(len(records)))) >= n {
			cancel()
		}
		return ""
	}}
	pump.Run(ctx)
}

// replayAll begins a replay of what webhook 1 has not got. The next start of the local
// run, or its next minute, goes on with it.
func replayAll(t testing.TB, dir string, perSecond int) job.Job {
	t.Helper()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	on := service.Contracts{
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, Random: rand.Reader, Jobs: db.Jobs(), Webhooks: db.Webhooks(), Events: db.Events(),
		Deliveries: db.Deliveries(), Messages: db.Queue(), Delivering: config.Delivering{EventTTL: 30 * 24 * time.Hour, DeliveryExtra: 3 * 24 * time.Hour},
	}
	v, err := service.NewReplays(on, service.NewRegistry(on)).Begin(t.Context(), webhook.Principal{Tenant: "Default"}, 1, replay.Plan{
		From: time.Now().Add(-2 * time.Hour), MaxPerSecond: perSecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v.Job
}

// marks counts the POSTs of a target, and those that are marked as replays.
type marks struct {
	tally
	marked atomic.Int64
	next   http.Handler // nil: the tally
}

func (m *marks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Posthaste-Replay") != "" {
		m.marked.Add(1)
	}
	if m.next != nil {
		m.next.ServeHTTP(w, r)
		return
	}
	m.tally.ServeHTTP(w, r)
}

// The local run is killed in the middle of a replay, while live events flow: nothing is
// missing, and what comes twice was in flight. With -crashes over 2 the replay has
// 10,000 deliveries.
func TestCrash_Replay(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	size, kills := 400, 1
	if *crashes > 2 {
		size, kills = 10_000, 5
	}
	target := &marks{tally: tally{posts: map[webhook.EventID]int{}, changed: make(chan struct{})}}
	server := httptest.NewServer(target)
	defer server.Close()
	dir := t.TempDir()
	replayed := past(t, dir, server.URL, size)
	begun := replayAll(t, dir, 500)
	var live []webhook.EventID
	for n := range kills + 1 {
		p := launch(t, binary, dir)
		stop, published := make(chan struct{}), make(chan []webhook.EventID)
		go func() { published <- p.publishSlowly(stop) }()
		if n == kills {
			close(stop)
			live = append(live, <-published...)
			allArrive(t, &target.tally, append(live, replayed...))
			p.interrupt(t)
			break
		}
		<-time.After(time.Duration(400+mathrand.IntN(800)+size/5) * time.Millisecond) // longer ones in a longer replay
		p.kill(t)
		close(stop)
		live = append(live, <-published...)
		missing, _ := target.missing(replayed)
		t.Logf("kill %d: %d of %d replayed, %d live events", n+1, size-missing, size, len(live))
	}
	// An attempt of a replay that was in flight is made again: at most a quarter of the
	// webhook's 16 for each kill. So is a live one.
	twice := target.duplicates()
	if most := kills * (4 + 16); twice > most {
		t.Errorf("%d POSTs came twice after %d kills, want at most %d", twice, kills, most)
	}
	if marked := int(target.marked.Load()); marked < size || marked > size+4*kills {
		t.Errorf("%d POSTs are marked as replays, want %d and at most 4 more for each kill", marked, size)
	}
	t.Logf("%d replayed and %d live events arrived, %d of them twice", size, len(live), twice)
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if j, err := db.Jobs().Get(t.Context(), begun.ID); err != nil || j.Status != job.Done || j.Processed != size || j.Examined < size {
		t.Errorf("the job is %s with %d of %d examined, %v", j.Status, j.Processed, j.Examined, err)
	}
}

// publishSlowly signals ten events a second until stop is closed, and returns those that
// were accepted.
func (p *process) publishSlowly(stop <-chan struct{}) (accepted []webhook.EventID) {
	for {
		resp, err := p.post(http.DefaultClient, "/api/v1/Webhook/contact.changed/7", `{"live":true}`) //nolint:bodyclose // post closes it
		if err == nil && resp.StatusCode == http.StatusNoContent {
			accepted = append(accepted, webhook.EventID(resp.Header.Get("X-Superoffice-Eventid")))
		}
		select {
		case <-stop:
			return accepted
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// allArrive waits until the target has all events.
func allArrive(t *testing.T, target *tally, events []webhook.EventID) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		missing, changed := target.missing(events)
		if missing == 0 {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%d of %d events have not arrived", missing, len(events))
		}
	}
}
