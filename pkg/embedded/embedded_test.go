package embedded_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/queue/queuetest"
	"github.com/posthaste-dev/posthaste/pkg/secrets/secretstest"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func open(t *testing.T, dir string) *embedded.DB {
	t.Helper()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore_Conforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		db := open(t, t.TempDir())
		return storetest.Harness{
			Limited:  func(n int) webhook.Webhooks { return db.Webhooks().Limited(n) },
			Webhooks: db.Webhooks(), Events: db.Events(), Deliveries: db.Deliveries(),
			Tenants: db.Tenants(), Credentials: db.Credentials(), Erasure: db.Erasure(), Jobs: db.Jobs(), Sources: db.Sources(), Feed: db.TenantFeed,
			Statistics: db.Statistics(), Damage: db.Damage,
		}
	})
}

func TestSecrets_Conform(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	secretstest.Run(t, secretstest.Harness{Secrets: db.Secrets(), Labels: func(t *testing.T, name string) map[string]string {
		t.Helper()
		labels, err := db.Secrets().Labels(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return labels
	}})
}

func TestQueue_Conforms(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		clock := webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return queuetest.Harness{
			Queue: db.Queue(), Visibility: db.Queue(), VisibilityTimeout: 15 * time.Minute, MaxReceives: 20, Fair: true,
			Advance: func(d time.Duration) { clock.Advance(d) },
			Receive: func(t *testing.T, limit int) []delivery.Received {
				t.Helper()
				received, err := db.Queue().Receive(t.Context(), limit)
				if err != nil {
					t.Fatal(err)
				}
				return received
			},
			Ack: func(t *testing.T, received ...delivery.Received) {
				t.Helper()
				var receipts []string
				for _, r := range received {
					receipts = append(receipts, r.Receipt)
				}
				if err := db.Queue().Ack(t.Context(), receipts); err != nil {
					t.Fatal(err)
				}
			},
			DeadLetters: func(t *testing.T) []delivery.Received {
				t.Helper()
				letters, err := db.DeadLetters().Receive(t.Context(), 10)
				if err != nil {
					t.Fatal(err)
				}
				return letters
			},
		}
	})
}
