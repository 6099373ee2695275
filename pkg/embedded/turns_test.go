package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// readyBuckets returns a transaction with an empty queue.
func readyBuckets(t *testing.T) *bbolt.Tx {
	t.Helper()
	db, err := bbolt.Open(t.TempDir()+"/b", 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	for _, name := range []string{"ready", "queue"} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return tx
}

// A group with a long line does not keep the others from their turn, wherever it is in
// the index, and turns go on where they ended.
func TestTakeTurns(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_000_000).UTC()
	tx := readyBuckets(t)
	n := uint64(0)
	put := func(group string, slow bool, count int, delay time.Duration) {
		for range count {
			n++
			if err := putMessage(tx, n, storedMessage{}, storedMessage{Group: group, Slow: slow, Visible: now.Add(delay)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("b", false, 20_000, 0)
	put("b", false, 1, time.Hour)
	put("later", false, 3, time.Minute)
	put("a", false, 2, 0)
	put("b#replay", false, 1, 0)
	put("c", false, 1, -time.Second)
	put("c", true, 5, 0)
	if err := bucket(tx, "ready").Put([]byte("qdamaged"), nil); err != nil {
		t.Fatal(err)
	}
	last, took := "", []string{}
	for range 4 {
		var taken []waitingMessage
		taken, last = takeTurns(readyCursor(tx), now, false, 3, last, func(g string) bool { return g == "full" })
		for _, m := range taken {
			l, _, _ := readReady(m.key)
			took = append(took, l.group())
			if err := dropMessage(tx, m.number, storedMessage{Group: l.group(), Visible: m.visible}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "b#replay", "c", "a", "b", "b", "b", "b", "b", "b", "b"}, took); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	slow, _ := takeTurns(readyCursor(tx), now, true, 10, "c", func(string) bool { return false })
	if len(slow) != 5 {
		t.Errorf("the slow lane has %d messages, want 5", len(slow))
	}
	if none, _ := takeTurns(readyCursor(tx), now, true, 10, "", func(string) bool { return true }); len(none) > 0 {
		t.Errorf("full groups get %d messages", len(none))
	}
	if at := nextVisible(readyCursor(tx), false); !at.Equal(now) {
		t.Errorf("the next message is visible at %v, want %v", at, now)
	}
}

// steps counts the moves of a cursor.
type steps struct {
	cursor
	taken int
}

func (s *steps) Seek(from []byte) (k, v []byte) { s.taken++; return s.cursor.Seek(from) }

func (s *steps) Next() (k, v []byte) { s.taken++; return s.cursor.Next() }

// However many messages of a group wait, a receive searches once for each group and
// passes over no message that it does not return.
func TestTakeTurns_StepsDoNotGrowWithTheMessages(t *testing.T) {
	t.Parallel()
	const limit = 10
	now := time.UnixMilli(1_000_000).UTC()
	none := func(string) bool { return false }
	for _, waiting := range []int{2 * limit, 20_000} {
		tx := readyBuckets(t)
		put := func(group string, n int) {
			if err := bucket(tx, "ready").Put(lineOf(false, group).key(now, uint64(n)), nil); err != nil {
				t.Fatal(err)
			}
		}
		for n := range waiting {
			put("b", n)
		}
		put("a", 0)
		put("c", 0)
		for name, tt := range map[string]struct {
			search func(ready cursor)
			want   int
		}{
			"lines": {func(ready cursor) {
				lines(ready, false, "b", func(line, waitingMessage) bool { return true })
			}, 3 + 2},
			"takeTurns": {func(ready cursor) {
				if taken, _ := takeTurns(ready, now, false, limit, "", none); len(taken) != limit {
					t.Errorf("took %d of %d messages, want %d", len(taken), waiting, limit)
				}
			}, 3 + 2 + 2*limit},
			"takeTurns, every group full": {func(ready cursor) {
				takeTurns(ready, now, false, limit, "", func(string) bool { return true })
			}, 3 + 2},
			"takeTurns, no message visible": {func(ready cursor) {
				takeTurns(ready, now.Add(-time.Second), false, limit, "", none)
			}, 3 + 2},
			"nextVisible": {func(ready cursor) { nextVisible(ready, false) }, 3 + 2},
		} {
			counted := &steps{cursor: readyCursor(tx)}
			if tt.search(counted); counted.taken != tt.want {
				t.Errorf("%s: %d steps with %d messages of one group, want %d", name, counted.taken, waiting, tt.want)
			}
		}
	}
}

func TestLine_After(t *testing.T) {
	t.Parallel()
	keys := []string{}
	for _, group := range []string{"a", "a-b", "a_", "A", "0"} {
		keys = append(keys, string(lineOf(false, group).key(time.UnixMilli(1), 7)))
		l, m, ok := readReady([]byte(keys[len(keys)-1]))
		if !ok || l.group() != group || m.number != 7 || m.visible.UnixMilli() != 1 {
			t.Errorf("group %s: got %s, %+v, %v", group, l.group(), m, ok)
		}
	}
	slices.Sort(keys)
	for i, k := range keys[1:] {
		l, _, _ := readReady([]byte(keys[i]))
		if next := string(after(l)); next <= keys[i] || next > k {
			t.Errorf("after %q: the search goes on at %q, want it at or before %q", keys[i], next, k)
		}
	}
}

// Messages of a file that was written before there were lanes, with a group for each
// webhook, are received, and count for their tenant.
func TestOpen_FindsTheMessagesOfAnOlderFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := Open(dir, Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	const damaged = `"damaged"`
	want := map[delivery.Key]bool{}
	err = db.update(t.Context(), func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket([]byte("ready")); err != nil {
			return err
		}
		ready, err := tx.CreateBucket([]byte("ready"))
		if err != nil {
			return err
		}
		visible := milliseconds(time.Now().Add(-time.Minute))
		put := func(n uint64, group string, stored []byte) error {
			return errors.Join(bucket(tx, "queue").Put(key(n), stored), ready.Put(key(visible, n), []byte(group)))
		}
		for n := range uint64(4) {
			k := delivery.Key{Tenant: "Default", Webhook: int32(n + 1), Event: "01900000-0000-7000-8000-000000000001"}
			want[k] = true
			m, group := delivery.AttemptMessage(k, 1, 1, ""), fmt.Sprintf("Default-%d", k.Webhook)
			stored, err := encode(storedMessage{Body: delivery.EncodeMessage(m), Group: group, Visible: visible})
			if err = errors.Join(err, put(n+1, group, stored)); err != nil {
				return err
			}
		}
		return put(9, "Default-9", []byte(damaged))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(dir, Options{Now: time.Now, Random: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	turn, full := "", func(group string) bool { return group == "Default" }
	if got, err := db.Queue().receive(t.Context(), false, 10, &turn, full); err != nil || len(got) != 0 {
		t.Errorf("a tenant with its share in flight receives %d messages, %v", len(got), err)
	}
	received, err := db.Queue().Receive(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	got, receipts := map[delivery.Key]bool{}, []string{}
	for _, r := range received {
		got[r.Message.Key()], receipts = true, append(receipts, r.Receipt)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(received) != len(want) {
		t.Errorf("%d messages are received (-want +got):\n%s", len(received), diff)
	}
	if err := db.Queue().Ack(t.Context(), receipts); err != nil {
		t.Fatal(err)
	}
	if ready, queue, dead := db.Count(t, "ready"), db.Count(t, "queue"), db.Count(t, "dead"); ready != 0 || queue != 0 || dead != 1 {
		t.Errorf("afterwards %d are indexed, %d are in the queue and %d are dead letters, want 0, 0 and the damaged one", ready, queue, dead)
	}
}
