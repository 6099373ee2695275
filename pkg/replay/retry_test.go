package replay_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	eventLife = 30 * 24 * time.Hour
	rowLife   = 33 * 24 * time.Hour
)

func (b *bench) retry() *replay.Retry {
	return &replay.Retry{
		Webhooks: &webhook.Registry{Webhooks: b.db.Webhooks()}, Events: b.db.Events(), Deliveries: b.db.Deliveries(), Messages: b.db.Queue(),
		Logger: slog.New(slog.DiscardHandler), Now: b.clock.Now, EventLife: eventLife, RowLife: rowLife,
	}
}

var owner = webhook.Principal{Tenant: "Default"}

func TestRetry_BeginsTheNextRound(t *testing.T) {
	t.Parallel()
	for _, status := range []delivery.Status{delivery.StatusFailed, delivery.StatusDelivered, delivery.StatusPending} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.subscribe(t, "a.b")
			key := b.deliver(t, b.event(t, "a.b"), status)
			for range 2 { // the second call finds a round that has not begun
				row, err := b.retry().Start(t.Context(), owner, 1, key.Event)
				if err != nil || row.Round != 2 || !row.Waiting() {
					t.Fatalf("got %+v, %v", row, err)
				}
			}
			if diff := cmp.Diff([]delivery.Message{delivery.AttemptMessage(key, 2, 1, "")}, b.sent(t)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetry_Refusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.subscribe(t, "a.b")
	retry := func(id int32, event webhook.EventID) error {
		t.Helper()
		_, err := b.retry().Start(t.Context(), owner, id, event)
		return err
	}
	old := b.event(t, "a.b")
	key := b.deliver(t, old, delivery.StatusFailed)
	if err := retry(2, key.Event); !errors.Is(err, webhook.ErrNotFound) || errors.Is(err, replay.ErrNoDelivery) {
		t.Errorf("an unknown webhook: got %v", err)
	}
	for _, id := range []webhook.EventID{"x", b.event(t, "c.d").ID} {
		if err := retry(1, id); !errors.Is(err, replay.ErrNoDelivery) {
			t.Errorf("an event that the webhook did not get: got %v", err)
		}
	}
	if err := retry(1, webhook.FirstEventID(b.clock.Now().Add(-eventLife-time.Second))); !errors.Is(err, replay.ErrExpired) {
		t.Errorf("an old event: got %v", err)
	}

	now := b.clock.Now()
	until := now.Add(40 * time.Second)
	if _, err := b.retry().Start(t.Context(), owner, 1, key.Event); err != nil {
		t.Fatal(err)
	}
	_, err := b.db.Deliveries().Lease(t.Context(), delivery.Lease{Key: key, Round: 2, Attempt: 1, Token: "x", Now: now, Until: until})
	if err != nil {
		t.Fatal(err)
	}
	var leased *replay.LeasedError
	if err := retry(1, key.Event); !errors.As(err, &leased) || !errors.Is(err, delivery.ErrRefused) || !leased.Until.Equal(until) {
		t.Errorf("while an attempt is made: got %v", err)
	}
	b.clock.Advance(41 * time.Second)
	if row, err := b.retry().Start(t.Context(), owner, 1, key.Event); err != nil || row.Round != 3 {
		t.Errorf("after the lease: got round %d, %v", row.Round, err)
	}

	b.stop(t)
	var inactive *replay.InactiveError
	if err := retry(1, key.Event); !errors.As(err, &inactive) || inactive.State != webhook.StateStopped {
		t.Errorf("a stopped webhook: got %v", err)
	}
	b.clock.Advance(eventLife)
	if err := retry(1, key.Event); !errors.Is(err, replay.ErrExpired) {
		t.Errorf("an expired event whose delivery is kept: got %v", err)
	}
	if n := len(b.sent(t)); n != 2 {
		t.Errorf("%d messages were sent, want one for each of 2 rounds", n)
	}
}
