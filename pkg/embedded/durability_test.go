package embedded_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func newEvent(t testing.TB) webhook.Event {
	t.Helper()
	at := time.Now().UTC().Truncate(100 * time.Nanosecond)
	id, err := webhook.NewEventID(at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Event{Tenant: "Default", ID: id, Name: "contact.changed", PrimaryKey: 7, Data: []byte(`{"name":"Howell"}`), At: at, Hops: 1, ExpiresAt: at.Add(time.Hour)}
}

// copied returns the files as they would be found if this machine died now: they are
// copied while the store has them open.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"posthaste.db", "secrets.key"} {
		copyTo(t, filepath.Join(to, name), filepath.Join(dir, name))
	}
	return to
}

func copyTo(t *testing.T, to, from string) {
	t.Helper()
	bytes, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDB_SyncsEachCommit(t *testing.T) {
	t.Parallel()
	if db := open(t, t.TempDir()); !db.Syncs() {
		t.Error("commits are not synced: an accepted event could be lost")
	}
}

func TestDB_WhatWasWrittenIsThereWithoutClosing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	event := newEvent(t)
	if err := db.Events().Put(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	after := open(t, copied(t, dir))
	if _, err := after.Events().Get(t.Context(), "Default", event.ID); err != nil {
		t.Errorf("got %v", err)
	}
	if records := after.TenantFeed(t, "Default"); len(records) != 1 {
		t.Errorf("the feed has %d records, want 1: without it the event is not delivered", len(records))
	}
}

func TestDB_OnlyItsOwnerCanReadIt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	open(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "posthaste.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
	}
	if _, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second time: got %v", err)
	}
}

func TestDB_ARefusedWriterLeavesItsCompanionsAlone(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	w := webhook.Webhook{Tenant: "Default", ID: 1, Events: []string{"a.b"}, Revision: 1}
	if err := db.Webhooks().Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		wg.Go(func() {
			if i%2 == 0 {
				errs[i] = db.Webhooks().Create(t.Context(), w)
			} else {
				errs[i] = db.Events().Put(t.Context(), newEvent(t))
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if refused := errors.Is(err, webhook.ErrExists); refused != (i%2 == 0) || !refused && err != nil {
			t.Errorf("writer %d: got %v", i, err)
		}
	}
	if got := len(db.TenantFeed(t, "Default")); got != 20 {
		t.Errorf("the feed has %d records, want 20", got)
	}
}

func TestDB_AFailedChangeLeavesNothing(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	broken := webhook.Webhook{Tenant: "Default", ID: 1, Events: []string{"a.b"}, Revision: 1, Properties: []byte("{")}
	if err := db.Webhooks().Create(t.Context(), broken); err == nil {
		t.Fatal("a webhook that cannot be encoded was stored")
	}
	if found, err := storetest.Subscribed(t.Context(), db.Webhooks(), "Default", "a.b"); err != nil || len(found) != 0 {
		t.Errorf("after a failed Create: got %d webhooks, %v", len(found), err)
	}
	whole := broken
	whole.Properties = nil
	if err := db.Webhooks().Create(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	whole.Revision = 2
	good, bad := newEvent(t), newEvent(t)
	bad.Data = []byte("{")
	if err := db.Webhooks().Update(t.Context(), whole, webhook.Change{}, good, bad); err == nil {
		t.Fatal("an event that cannot be encoded was stored")
	}
	if _, err := db.Events().Get(t.Context(), "Default", good.ID); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("after a failed Update, its first event: got %v, want ErrNotFound", err)
	}
	if left := db.TenantFeed(t, "Default"); len(left) != 0 {
		t.Errorf("the feed has %d records, want none", len(left))
	}
}

func TestDB_ABrokenWriterLeavesItsCompanionsAlone(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	if err := db.Webhooks().Create(t.Context(), webhook.Webhook{Tenant: "Default", ID: 1, Revision: 1}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 30)
	for i := range errs {
		wg.Go(func() {
			if i%3 == 0 {
				_, errs[i] = db.Webhooks().UpdateHealth(t.Context(), "Default", 1, func(webhook.Health) webhook.Health { panic("broken") })
			} else {
				errs[i] = db.Events().Put(t.Context(), newEvent(t))
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if (err != nil) != (i%3 == 0) {
			t.Errorf("writer %d: got %v", i, err)
		}
	}
	if got := len(db.TenantFeed(t, "Default")); got != 20 {
		t.Errorf("the feed has %d records, want 20", got)
	}
}

// Under the race detector this shows whether a call that gave up shares memory
// with the committing goroutine.
func TestDB_ACallMayEndBeforeItsWrite(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	key := delivery.Key{Tenant: "Default", Webhook: 1, Event: "01234567-89ab-7fff-bfff-ffffffffffff"}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%40)*50*time.Microsecond)
			defer cancel()
			_, _ = db.Webhooks().NextID(ctx, "Default")
			_, _ = db.Deliveries().End(ctx, delivery.End{Key: key, Round: 1, Status: delivery.StatusCancelled, Now: time.Now()})
			_, _ = db.Webhooks().UpdateHealth(ctx, "Default", 1, func(h webhook.Health) webhook.Health { return h })
			_, _ = db.Events().Remember(ctx, "Default", "k", webhook.IdempotencyClaim{}, time.Now())
			_, _ = db.Queue().Receive(ctx, 10)
			_, _ = db.DeadLetters().Receive(ctx, 10)
		})
	}
	wg.Wait()
}

func TestDB_AClosedOneRefuses(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Events().Put(t.Context(), newEvent(t)); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("a write to a closed store: got %v, want ErrUnavailable", err)
	}
}

func TestDB_AnEndedProcessHoldsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	event := newEvent(t)
	key := delivery.Key{Tenant: "Default", Webhook: 1, Event: event.ID}
	message := delivery.Message{Kind: delivery.MessageAttempt, Tenant: "Default", Webhook: 1, Event: event.ID, Round: 1, Attempt: 1}
	if _, err := db.Queue().Send(t.Context(), []delivery.Outgoing{{Message: message}}); err != nil {
		t.Fatal(err)
	}
	if received, err := db.Queue().Receive(t.Context(), 1); err != nil || len(received) != 1 {
		t.Fatalf("got %v, %v", received, err)
	}
	lease := func(db *embedded.DB, token string) error {
		now := time.Now()
		_, err := db.Deliveries().Lease(t.Context(), delivery.Lease{
			Key: key, Round: 1, Attempt: 1, Token: token, Now: now, Until: now.Add(time.Minute), SweepAt: now.Add(time.Hour),
			Seed: delivery.Seed{ExpiresAt: now.Add(time.Hour)},
		})
		return err
	}
	if err := lease(db, "a"); err != nil {
		t.Fatal(err)
	}
	after := open(t, copied(t, dir))
	if received, err := after.Queue().Receive(t.Context(), 1); err != nil || len(received) != 1 {
		t.Errorf("message: got %v, %v; want it visible again", received, err)
	}
	if err := lease(after, "b"); err != nil {
		t.Errorf("lease: got %v, want it released", err)
	}
}

// pumped runs a pump over a store until stop is called.
func pumped(t *testing.T, p *embedded.Pump) (stop func()) {
	t.Helper()
	p.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	return sync.OnceFunc(func() { cancel(); <-done })
}

func TestPump_HandsOverWhatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	event := newEvent(t)
	if err := db.Events().Put(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	calls := make(chan []webhook.Record, 10)
	fail := true // used only by the handler: one record, one partition
	stop := pumped(t, &embedded.Pump{DB: db, Stream: func(_ context.Context, records []webhook.Record) string {
		calls <- records
		if fail {
			fail = false
			return records[0].Sequence
		}
		return ""
	}})
	defer stop()
	for range 2 {
		if got := <-calls; len(got) != 1 || got[0].Event.ID != event.ID {
			t.Fatalf("got %v", got)
		}
	}
	stop()
	if left := db.TenantFeed(t, "Default"); len(left) != 0 {
		t.Errorf("%d records are left, want none", len(left))
	}
}

func TestPump_APanicIsAFailedBatch(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	if err := db.Events().Put(t.Context(), newEvent(t)); err != nil {
		t.Fatal(err)
	}
	calls, first := make(chan struct{}, 10), true
	stop := pumped(t, &embedded.Pump{DB: db, Stream: func(context.Context, []webhook.Record) string {
		calls <- struct{}{}
		if first {
			first = false
			panic("broken")
		}
		return ""
	}})
	<-calls
	<-calls
	stop()
	if left := db.TenantFeed(t, "Default"); len(left) != 0 {
		t.Errorf("%d records are left, want none", len(left))
	}
}

func TestPump_StopsAfterItsHandlers(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	if err := db.Events().Put(t.Context(), newEvent(t)); err != nil {
		t.Fatal(err)
	}
	began, release := make(chan struct{}), make(chan struct{})
	var handlerErr error
	stop := pumped(t, &embedded.Pump{DB: db, Drain: time.Hour, Stream: func(ctx context.Context, _ []webhook.Record) string {
		close(began)
		<-release
		handlerErr = ctx.Err()
		return ""
	}})
	<-began
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
		t.Error("the pump stopped while a handler was running")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	<-stopped
	if handlerErr != nil {
		t.Errorf("the handler's context ended early: %v", handlerErr)
	}
	if left := db.TenantFeed(t, "Default"); len(left) != 0 {
		t.Errorf("%d records are left, want none", len(left))
	}
}

func TestPump_CallsEveryMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stop := pumped(t, &embedded.Pump{Minute: func(context.Context) {
			calls++
			time.Sleep(45 * time.Second) // the rate is fixed
		}})
		time.Sleep(3*time.Minute + time.Second)
		stop()
		if calls != 4 {
			t.Errorf("got %d calls in three minutes, want 4, including one at the start", calls)
		}
	})
}

// BenchmarkPut measures the rate at which events are accepted.
func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			db, err := embedded.Open(b.TempDir(), embedded.Options{Now: time.Now, Random: rand.Reader})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			var wg sync.WaitGroup
			work := make(chan webhook.Event, writers)
			for range writers {
				wg.Go(func() {
					for e := range work {
						if err := db.Events().Put(b.Context(), e); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- newEvent(b)
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
