package embedded_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func place(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func messages(n int) (out []delivery.Outgoing) {
	for i := range n {
		out = append(out, delivery.Outgoing{Message: delivery.Message{
			Kind: delivery.MessageAttempt, Tenant: "Default", Webhook: int32(i + 1), Event: "01234567-89ab-7fff-bfff-ffffffffffff", Round: 1, Attempt: 1,
		}})
	}
	return out
}

func TestQueue_AnUnreadableMessageBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	if _, err := db.Queue().Send(t.Context(), messages(3)); err != nil {
		t.Fatal(err)
	}
	db.Overwrite(t, "queue", place(1), []byte("?"))
	received, err := db.Queue().Receive(t.Context(), 10)
	if err != nil || len(received) != 2 {
		t.Errorf("got %d messages, %v; want the other two", len(received), err)
	}
	letters, err := db.DeadLetters().Receive(t.Context(), 10)
	if err != nil || len(letters) != 1 || letters[0].Undecodable != "?" {
		t.Errorf("got %+v, %v; want the stored bytes", letters, err)
	}
}

func TestDeadLetters_AnUnreadableOneDelaysNoOther(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	for _, m := range messages(30) {
		if err := db.DeadLetters().Bury(t.Context(), []byte(delivery.EncodeMessage(m.Message))); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(20) { // two pages of the sweep's
		db.Overwrite(t, "dead", place(n+1), []byte("?"))
	}
	readable := 0
	for range 3 {
		letters, err := db.DeadLetters().Receive(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, letter := range letters {
			if letter.Undecodable == "" {
				readable++
			}
			if err := db.DeadLetters().Remove(t.Context(), letter.Receipt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if left := db.Count(t, "dead"); readable != 10 || left != 0 {
		t.Errorf("got %d readable letters, %d left; want 10 and none", readable, left)
	}
}

func TestPump_AnUnreadableFeedEntryDelaysNoOther(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	var events []webhook.Event
	for len(events) < 2 { // in one partition
		e := newEvent(t)
		if e.ID.Partition(4) == 0 {
			if err := db.Events().Put(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
	}
	db.Overwrite(t, "feed", append([]byte{0}, place(1)...), []byte("?"))
	handed := make(chan []webhook.Record, 10)
	stop := pumped(t, &embedded.Pump{DB: db, Stream: func(_ context.Context, records []webhook.Record) string {
		handed <- records
		return ""
	}})
	defer stop()
	records := <-handed
	if len(records) != 2 || records[0].Undecodable == nil || records[1].Event.ID != events[1].ID {
		t.Errorf("got %+v, want the damaged entry as Undecodable, and the other event", records)
	}
	stop()
	if left := db.Count(t, "feed"); left != 0 {
		t.Errorf("%d entries are left", left)
	}
}

func TestOpen_SucceedsWithAnUnreadableItem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	if _, err := db.Queue().Send(t.Context(), messages(1)); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	row, err := db.Deliveries().Park(t.Context(), delivery.Park{
		Key: messages(1)[0].Message.Key(), Round: 1, Attempt: 1, Now: now, Net: now, Seed: delivery.Seed{ExpiresAt: now.Add(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Damage(t, row)
	db.Overwrite(t, "queue", place(1), []byte("?"))
	open(t, copied(t, dir))
}

// Entries of the index of due timers that this package does not write are reported and
// hide no timer.
func TestDueTimers_PassOverMalformedEntries(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := webhook.Key{Tenant: "Default", ID: 7}
	shard := delivery.TimerShard(key)
	entry := append([]byte{byte(shard)}, place(uint64(at.Add(-time.Hour).UnixMilli()))...)
	for _, k := range [][]byte{{byte(shard)}, entry, append(entry[:9:9], "Default"...), append(entry[:9:9], "Default\x00123"...), append(entry[:9:9], "Default\x0012345"...)} {
		db.Overwrite(t, "duetimers", k, nil)
	}
	if _, err := db.Deliveries().SetTimer(t.Context(), delivery.Timer{Key: key, DueAt: at}); err != nil {
		t.Fatal(err)
	}
	due, err := db.Deliveries().DueTimers(t.Context(), shard, at, delivery.DueTimer{}, 1)
	if found, other := webhook.Readable(err); other != nil || found == nil || found.Count != 5 {
		t.Errorf("got %v, want an *UnreadableError about five entries", err)
	}
	if len(due) != 1 || due[0] != (delivery.DueTimer{Key: key, DueAt: at}) {
		t.Errorf("got %+v, want the timer", due)
	}
}
