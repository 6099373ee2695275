package embedded_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// stored returns the number of items in a bucket of a file that is not open.
func stored(t *testing.T, dir, name string) (n int) {
	t.Helper()
	file, err := bbolt.Open(filepath.Join(dir, "posthaste.db"), 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_ = file.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket([]byte(name)).Stats().KeyN
		return nil
	})
	return n
}

func TestPurge_ExaminesOnlyExpiredItems(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, err := embedded.Open(dir, embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := clock.Now()
	random := webhooktest.Random(1)
	var writes []func() error
	for i := range 2500 {
		id, err := webhook.NewEventID(now, random)
		must(err)
		expires := now.Add(time.Hour)
		if i%5 == 0 {
			expires = now.Add(100 * time.Hour) // a fifth remains
		}
		if i == 1 {
			expires = time.Time{} // never
		}
		writes = append(writes, func() error {
			return db.Events().Put(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b", ExpiresAt: expires})
		}, func() error {
			_, err := db.Deliveries().Park(t.Context(), delivery.Park{
				Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: id}, Round: 1, Attempt: 1, Now: now, Net: now, Seed: delivery.Seed{ExpiresAt: expires},
			})
			return err
		})
	}
	for i := range 10 {
		claim := webhook.IdempotencyClaim{Event: "e", Expires: now.Add(time.Hour)}
		writes = append(writes, func() error {
			_, err := db.Events().Remember(t.Context(), "Default", fmt.Sprint(i), claim, now)
			return err
		})
	}
	must(db.Tenants().Create(t.Context(), "Default", now))
	for i, expires := range []time.Time{{}, now.Add(time.Hour), now.Add(2 * time.Hour)} {
		writes = append(writes, func() error {
			return db.Credentials().Create(t.Context(), tenancy.Credential{
				ID: fmt.Sprint(i), Hash: fmt.Sprint("h", i), Principal: webhook.Principal{Tenant: "Default"}, ExpiresAt: expires,
			})
		})
	}
	atOnce(t, writes)
	purge := func(want int) {
		t.Helper()
		looked, err := db.Purge(t.Context())
		if must(err); looked != want {
			t.Errorf("%v after the start the purge examined %d items, want %d", clock.Now().Sub(now), looked, want)
		}
	}
	purge(0)
	clock.Advance(24 * time.Hour)
	purge(0)
	due := 0
	for shard := range delivery.DueShards {
		rows, err := db.Deliveries().Due(t.Context(), shard, clock.Now(), delivery.DueRow{}, 10_000)
		must(err)
		due += len(rows)
	}
	clock.Advance(2 * time.Hour)
	purge(1999 + 1999 + 10 + 2) // exactly the expired ones
	purge(0)
	must(db.Close())
	for name, want := range map[string]int{"events": 501, "deliveries": 501, "due": 501, "parked": 501, "claims": 0, "credentials": 1, "issued": 1, "expiry": 1000} {
		if got := stored(t, dir, name); got != want {
			t.Errorf("%s: %d items are left, want %d", name, got, want)
		}
	}
	if due != 501 {
		t.Errorf("%d rows were due before, want only those not expired", due)
	}
}

// Every write of a row extends its life, without writing the expiry index each
// time.
func TestPurge_KeepsARowWhoseLifeHasGrown(t *testing.T) {
	t.Parallel()
	clock := webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	key := delivery.Key{Tenant: "Default", Webhook: 1, Event: "01234567-89ab-7fff-bfff-ffffffffffff"}
	until := clock.Now()
	for range 10 {
		until = until.Add(time.Hour)
		_, err := db.Deliveries().MakeDue(t.Context(), delivery.MakeDue{
			Key: key, Round: 1, Attempt: 1, Now: clock.Now(), SweepAt: clock.Now(), Seed: delivery.Seed{ExpiresAt: until},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	looks := 0
	for clock.Advance(24 * time.Hour); clock.Now().Before(until.Add(24 * time.Hour)); clock.Advance(time.Minute) {
		looked, err := db.Purge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		looks += looked
	}
	if _, err := db.Deliveries().List(t.Context(), "Default", 1, "", 10); err != nil || looks != 1 {
		t.Errorf("the purge examined a live row %d times, want once; %v", looks, err)
	}
	if looked, err := db.Purge(t.Context()); looked != 1 || err != nil {
		t.Errorf("a day after its end the purge examined %d items, %v", looked, err)
	}
	if left := db.Count(t, "deliveries") + db.Count(t, "due") + db.Count(t, "expiry"); left != 0 {
		t.Errorf("%d index entries of the row are left", left)
	}
}

func TestPurge_SkipsUnreadableItems(t *testing.T) {
	t.Parallel()
	clock := webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	random := webhooktest.Random(1)
	for i := range 10 {
		id, err := webhook.NewEventID(clock.Now(), random)
		e := webhook.Event{Tenant: "Default", ID: id, Name: "a.b", ExpiresAt: clock.Now().Add(time.Hour)}
		if err == nil {
			err = db.Events().Put(t.Context(), e)
		}
		if err == nil {
			_, err = db.Events().Remember(t.Context(), "Default", fmt.Sprint(i), webhook.IdempotencyClaim{Expires: clock.Now().Add(time.Hour)}, clock.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			db.Damage(t, e)
		}
	}
	clock.Advance(26 * time.Hour)
	var unreadable *webhook.UnreadableError
	if looked, err := db.Purge(t.Context()); looked != 20 || !errors.As(err, &unreadable) || unreadable.Count != 1 {
		t.Errorf("examined %d items, %v; want all 20 and an error about one", looked, err)
	}
	if events, claims := db.Count(t, "events"), db.Count(t, "claims"); events != 1 || claims != 0 {
		t.Errorf("%d events and %d claims are left, want only the damaged event", events, claims)
	}
	if looked, err := db.Purge(t.Context()); looked != 0 || err != nil {
		t.Errorf("a minute later: examined %d items, %v; want it reported once a day", looked, err)
	}
	clock.Advance(25 * time.Hour)
	if looked, err := db.Purge(t.Context()); looked != 1 || err == nil {
		t.Errorf("a day later: examined %d items, %v", looked, err)
	}
}

// atOnce runs writes concurrently, so that they share commits.
func atOnce(t *testing.T, writes []func() error) {
	t.Helper()
	errs := make(chan error, len(writes))
	slots := make(chan struct{}, 200)
	for _, write := range writes {
		slots <- struct{}{}
		go func() {
			errs <- write()
			<-slots
		}()
	}
	for range writes {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func TestRestart_APostponedMessageKeepsItsTime(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	reopen := func() *embedded.DB {
		t.Helper()
		db, err := embedded.Open(dir, embedded.Options{Now: clock.Now, Random: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := reopen()
	var out []delivery.Outgoing
	for id := range int32(2) {
		out = append(out, delivery.Outgoing{Message: delivery.Message{
			Kind: delivery.MessageAttempt, Tenant: "Default", Webhook: id + 1, Event: "01234567-89ab-7fff-bfff-ffffffffffff", Round: 1, Attempt: 1,
		}})
	}
	if _, err := db.Queue().Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	received, err := db.Queue().Receive(t.Context(), 10)
	if err != nil || len(received) != 2 {
		t.Fatalf("got %d messages, %v", len(received), err)
	}
	if err := db.Queue().Postpone(t.Context(), received[0], time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = reopen()
	defer db.Close()
	got, err := db.Queue().Receive(t.Context(), 10)
	if err != nil || len(got) != 1 || got[0].Message.Webhook != received[1].Message.Webhook {
		t.Errorf("after a restart: got %+v, %v; want the one a consumer held", got, err)
	}
	clock.Advance(time.Minute)
	if got, err = db.Queue().Receive(t.Context(), 10); err != nil || len(got) != 1 || got[0].Message.Webhook != received[0].Message.Webhook {
		t.Errorf("a minute later: got %+v, %v; want the postponed one", got, err)
	}
}
