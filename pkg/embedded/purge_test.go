package embedded_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// stored counts the items of a bucket in a file that nobody has open.
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

func TestPurge_RemovesWhatHasExpiredAPageAtATime(t *testing.T) {
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
			expires = now.Add(100 * time.Hour) // a fifth stays
		}
		if i == 1 {
			expires = time.Time{} // for ever
		}
		writes = append(writes, func() error {
			return db.Events().Put(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b", ExpiresAt: expires})
		}, func() error {
			_, err := db.Deliveries().Park(t.Context(), webhook.Park{
				Key: webhook.DeliveryKey{Tenant: "Default", Webhook: 1, Event: id}, Round: 1, Attempt: 1, Now: now, Until: now, Seed: webhook.Seed{ExpiresAt: expires},
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
			return db.Credentials().Create(t.Context(), webhook.Credential{
				ID: fmt.Sprint(i), Hash: fmt.Sprint("h", i), Principal: webhook.Principal{Tenant: "Default"}, ExpiresAt: expires,
			})
		})
	}
	atOnce(t, writes)
	must(db.Purge(t.Context()))
	clock.Advance(24 * time.Hour)
	must(db.Purge(t.Context()))
	due, err := db.Deliveries().Due(t.Context(), webhook.DueShard(1), clock.Now(), 10_000)
	must(err)
	clock.Advance(2 * time.Hour)
	must(db.Purge(t.Context())) // the rest of the first round
	must(db.Purge(t.Context()))
	must(db.Purge(t.Context()))
	must(db.Close())
	for name, want := range map[string]int{"events": 501, "deliveries": 501, "due": 501, "claims": 0, "credentials": 1, "issued": 1} {
		if got := stored(t, dir, name); got != want {
			t.Errorf("%s: %d items are left, want %d", name, got, want)
		}
	}
	if len(due) != 501 {
		t.Errorf("%d rows were due before, want those that had not expired", len(due))
	}
}

// atOnce runs writes, many at a time, so that they share commits.
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

func TestRestart_AMessageThatWasPutOffKeepsItsTime(t *testing.T) {
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
	var out []webhook.Outgoing
	for id := range int32(2) {
		out = append(out, webhook.Outgoing{Message: webhook.Message{
			Kind: webhook.MessageAttempt, Tenant: "Default", Webhook: id + 1, Event: "01234567-89ab-7fff-bfff-ffffffffffff", Round: 1, Attempt: 1,
		}})
	}
	if _, err := db.Queue().Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	received, err := db.Queue().Receive(t.Context(), 10)
	if err != nil || len(received) != 2 {
		t.Fatalf("got %d messages, %v", len(received), err)
	}
	if err := db.Queue().Postpone(t.Context(), received[0].Receipt, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = reopen()
	defer db.Close()
	got, err := db.Queue().Receive(t.Context(), 10)
	if err != nil || len(got) != 1 || got[0].Message.Webhook != received[1].Message.Webhook {
		t.Errorf("after a restart: got %+v, %v; want the one that a consumer held", got, err)
	}
	clock.Advance(time.Minute)
	if got, err = db.Queue().Receive(t.Context(), 10); err != nil || len(got) != 1 || got[0].Message.Webhook != received[0].Message.Webhook {
		t.Errorf("a minute later: got %+v, %v; want the one that was put off", got, err)
	}
}
