package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// testNet is when the suite's parked rows are due.
func testNet() time.Time { return delivery.Net(now(), 0.5) }

// park parks a delivery before its first attempt.
func park(t *testing.T, h Harness, key delivery.Key) delivery.Row {
	t.Helper()
	row, err := h.Deliveries.Park(t.Context(), delivery.Park{Key: key, Round: 1, Attempt: 1, Now: now(), Net: testNet(), Seed: newSeed()})
	must(t, err)
	return row
}

// parked lists a webhook's parked rows, page by page, partition by partition.
func parked(t *testing.T, h Harness, key webhook.Key) []delivery.ParkedRow {
	t.Helper()
	h.settle()
	found := []delivery.ParkedRow{}
	const limit = 3
	for partition := range delivery.ParkedPartitions {
		last := webhook.EventID("")
		for more := true; more; {
			page, err := h.Deliveries.Parked(t.Context(), key, partition, last, limit)
			must(t, err)
			for _, row := range page {
				if row.Event <= last || row.Event.Partition(delivery.ParkedPartitions) != partition {
					t.Errorf("partition %d shows %s after %q", partition, row.Event, last)
				}
				last = row.Event
			}
			found, more = append(found, page...), len(page) == limit
		}
	}
	slices.SortFunc(found, func(a, b delivery.ParkedRow) int { return strings.Compare(string(a.Event), string(b.Event)) })
	return found
}

// asParked returns a row as the index shows it.
func asParked(row delivery.Row) delivery.ParkedRow {
	return delivery.ParkedRow{Key: row.Key, Round: row.Round, Attempt: row.Attempt, AttemptCount: row.AttemptCount, Replay: row.Replay}
}

func waiting(t *testing.T, h Harness, key webhook.Key, limit int) int {
	t.Helper()
	n, err := h.Deliveries.Waiting(t.Context(), key, limit)
	must(t, err)
	return n
}

func testBacklog(t *testing.T, h Harness) {
	t.Run("Parked returns one webhook's parked rows, partition by partition, oldest event first, paged", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now()
		mine := webhook.Key{Tenant: tenant, ID: 7}
		want := []delivery.ParkedRow{}
		for i := range 60 {
			key := delivery.Key{Tenant: tenant, Webhook: mine.ID, Event: newEventID(t, start.Add(time.Duration(59-i)*time.Millisecond))}
			want = append([]delivery.ParkedRow{asParked(park(t, h, key))}, want...)
		}
		for _, id := range []int32{70, 1, 77} {
			park(t, h, newKey(t, tenant, id))
		}
		_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(newKey(t, tenant, mine.ID), start)) // waits for its time
		must(t, err)
		if diff := cmp.Diff(want, parked(t, h, mine)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if page, err := h.Deliveries.Parked(t.Context(), mine, 0, "", 0); len(page) != 0 || err != nil {
			t.Errorf("with limit 0: %v, %v", page, err)
		}
		for limit, n := range map[int]int{0: 0, 1: 1, 59: 59, 60: 60, 61: 60, 10_000: 60} {
			if got := waiting(t, h, mine, limit); got != n {
				t.Errorf("Waiting with limit %d: got %d, want %d", limit, got, n)
			}
		}
		if got := waiting(t, h, webhook.Key{Tenant: tenant, ID: 8}, 10); got != 0 {
			t.Errorf("nothing is parked: got %d waiting", got)
		}
	})
	t.Run("Parked shows what a lease of the row needs", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		first := pendingFirst(key, at)
		first.Seed.Replay = "job1"
		_, err := h.Deliveries.RecordFirst(t.Context(), first)
		must(t, err)
		row, err := h.Deliveries.Park(t.Context(), delivery.Park{Key: key, Round: 1, Attempt: 2, Now: at, Net: testNet(), Seed: newSeed()})
		must(t, err)
		found := parked(t, h, webhook.Key{Tenant: key.Tenant, ID: 7})
		want := delivery.ParkedRow{Key: key, Round: 1, Attempt: 1, AttemptCount: 1, Replay: "job1"}
		if diff := cmp.Diff([]delivery.ParkedRow{want}, found); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		m := found[0].Message()
		leased, err := h.Deliveries.Lease(t.Context(), delivery.Lease{
			Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Token: "t", Now: at, Until: at.Add(time.Minute), SweepAt: at.Add(6 * time.Minute), Seed: newSeed(), Parked: true,
		})
		if err != nil || leased.Attempt != 2 || leased.Replay != row.Replay {
			t.Errorf("leased: %+v, %v", leased, err)
		}
	})
	t.Run("rows of other tenants' webhooks with the same id are apart", func(t *testing.T) {
		t.Parallel()
		tenants := neighbours(t)
		event := newEventID(t, now())
		for i, tenant := range tenants {
			key := webhook.Key{Tenant: tenant, ID: 1}
			if got := parked(t, h, key); len(got) != 0 || waiting(t, h, key, 10) != 0 {
				t.Errorf("before %s has a row: %v", tenant, got)
			}
			row := park(t, h, delivery.Key{Tenant: tenant, Webhook: 1, Event: event})
			for _, other := range tenants[:i+1] {
				key := webhook.Key{Tenant: other, ID: 1}
				if got := parked(t, h, key); len(got) != 1 || got[0].Tenant != other || waiting(t, h, key, 10) != 1 {
					t.Errorf("after %s parked %s, %s has %v", tenant, row.Event, other, got)
				}
			}
		}
	})
	t.Run("an expired row is not taken", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		seed := newSeed()
		seed.ExpiresAt = at.Add(-time.Minute).Truncate(time.Second)
		_, err := h.Deliveries.Park(t.Context(), delivery.Park{Key: key, Round: 1, Attempt: 1, Now: at, Net: testNet(), Seed: seed})
		must(t, err)
		row, err := h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 2, Token: "t", Now: at, Until: at.Add(time.Minute), Parked: true})
		if !errors.Is(err, delivery.ErrRefused) || row.Exists() {
			t.Errorf("got %s, %v; want the zero row and ErrRefused", describe(row), err)
		}
	})
	t.Run("every write keeps both indexes, whatever the row was before", func(t *testing.T) { t.Parallel(); testIndexes(t, h) })
	t.Run("a write that is repeated after a lost response is refused by its own effect", func(t *testing.T) { t.Parallel(); testRepeated(t, h) })
	t.Run("one of two consumers leases a parked row", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now()
		for range 10 {
			row := park(t, h, newKey(t, tenant, 1))
			won := atOnce(t, 8, func(i int) error {
				_, err := h.Deliveries.Lease(t.Context(), delivery.Lease{
					Key: row.Key, Round: 1, Attempt: 1, Token: fmt.Sprint(i), Now: at, Until: at.Add(time.Minute), SweepAt: at.Add(6 * time.Minute), Seed: newSeed(), Parked: i%2 == 0,
				})
				return err
			}, delivery.ErrRefused)
			if won != 1 {
				t.Errorf("%d consumers got the lease, want 1", won)
			}
		}
		if got := parked(t, h, webhook.Key{Tenant: tenant, ID: 1}); len(got) != 0 {
			t.Errorf("still parked: %v", got)
		}
	})
}

// startingRows are rows in every state that the writes of the protocol distinguish. Each
// is made for a key of its own.
func startingRows(t *testing.T, h Harness, at time.Time) map[string]func(key delivery.Key) delivery.Row {
	d := h.Deliveries
	write := func(row delivery.Row, err error) delivery.Row { t.Helper(); must(t, err); return row }
	failed := func(key delivery.Key) delivery.Row {
		return write(d.RecordFirst(t.Context(), pendingFirst(key, at.Add(-time.Second))))
	}
	parkAgain := func(key delivery.Key, round, attempt int) delivery.Row {
		return write(d.Park(t.Context(), delivery.Park{Key: key, Round: round, Attempt: attempt, Now: at, Net: testNet(), Seed: newSeed()}))
	}
	lease := func(key delivery.Key, attempt int, until time.Time) delivery.Row {
		return write(d.Lease(t.Context(), delivery.Lease{
			Key: key, Round: 1, Attempt: attempt, Token: "x", Now: at.Add(-time.Minute), Until: until, SweepAt: at.Add(5 * time.Minute), Seed: newSeed(), Parked: attempt == 2,
		}))
	}
	return map[string]func(key delivery.Key) delivery.Row{
		"none":    func(delivery.Key) delivery.Row { return delivery.Row{} },
		"pending": failed,
		"pending, due later": func(k delivery.Key) delivery.Row {
			return write(d.RecordFirst(t.Context(), pendingFirst(k, at.Add(time.Hour))))
		},
		"claimed twice": func(k delivery.Key) delivery.Row {
			row := failed(k)
			for i := range 2 {
				row = write(d.Claim(t.Context(), delivery.Claim{Key: k, Seen: row.SweepAt, Next: at.Add(time.Duration(i) * time.Minute), Now: at}))
			}
			return row
		},
		"parked before its first":      func(k delivery.Key) delivery.Row { return park(t, h, k) },
		"parked":                       func(k delivery.Key) delivery.Row { failed(k); return parkAgain(k, 1, 2) },
		"leased":                       func(k delivery.Key) delivery.Row { failed(k); return lease(k, 2, at.Add(time.Minute)) },
		"leased by a holder that died": func(k delivery.Key) delivery.Row { failed(k); return lease(k, 2, at.Add(-time.Second)) },
		"leased from where it was kept": func(k delivery.Key) delivery.Row {
			failed(k)
			parkAgain(k, 1, 2)
			return lease(k, 2, at.Add(time.Minute))
		},
		"deferred": func(k delivery.Key) delivery.Row {
			row := failed(k)
			return write(d.Defer(t.Context(), delivery.Defer{Key: k, Seen: row.SweepAt, Now: at, Net: testNet(), ExpiresAt: row.ExpiresAt}))
		},
		"parked in round 2": func(k delivery.Key) delivery.Row {
			write(d.End(t.Context(), delivery.End{Key: k, Round: 1, Status: delivery.StatusFailed, Now: at, Seed: newSeed()}))
			write(d.StartRound(t.Context(), delivery.StartRound{Key: k, Seen: delivery.StatusFailed, Now: at, Due: at, SweepAt: at, Job: "job1", Seed: newSeed()}))
			return parkAgain(k, 2, 1)
		},
		"ended": func(k delivery.Key) delivery.Row {
			return write(d.End(t.Context(), delivery.End{Key: k, Round: 1, Status: delivery.StatusCancelled, Now: at, Seed: newSeed()}))
		},
	}
}

// testIndexes writes once over each of the starting rows, in every way, with arguments
// that fit the row and with arguments that do not, and compares the row with the
// protocol's function and the indexes with the row.
func testIndexes(t *testing.T, h Harness) {
	at := now()
	granted := map[string]int{}
	for state, start := range startingRows(t, h, at) {
		for _, fits := range []bool{true, false} {
			for _, kind := range []string{"Lease", "Lease, seen parked", "Finish", "RecordFirst", "MarkDelivered", "StartRound", "End", "MakeDue", "Claim", "Park", "Defer", "Yield"} {
				key := newKey(t, newTenant(t), 1)
				before := start(key)
				x := fitting(kind, key, before, at, fits)
				want, ok := x.model(before)
				got, err := x.store(t.Context(), h.Deliveries)
				if ok == errors.Is(err, delivery.ErrRefused) || ok != (err == nil) {
					t.Errorf("%s of a row that is %s: got %v, want it granted: %v", kind, state, err, ok)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s of a row that is %s (-want +got):\n%s", kind, state, diff)
				}
				list := []delivery.ParkedRow{}
				if want.Parked {
					list = append(list, asParked(want))
				}
				if diff := cmp.Diff(list, parked(t, h, webhook.Key{Tenant: key.Tenant, ID: 1})); diff != "" {
					t.Errorf("%s of a row that is %s, parked rows (-want +got):\n%s", kind, state, diff)
				}
				found, dueNow := dueOne(t, h, want, at)
				if diff := cmp.Diff(found, dueNow); diff != "" {
					t.Errorf("%s of a row that is %s, due rows (-want +got):\n%s", kind, state, diff)
				}
				if ok {
					granted[kind]++
				}
			}
		}
	}
	for kind, n := range granted {
		if n < 2 {
			t.Errorf("%s was granted %d times", kind, n)
		}
	}
	if len(granted) != 12 {
		t.Errorf("granted were only %v", granted)
	}
}

// dueOne returns what the due index should show of a row, and what it shows.
func dueOne(t *testing.T, h Harness, row delivery.Row, at time.Time) (want, got []delivery.DueRow) {
	t.Helper()
	if !row.SweepAt.IsZero() {
		want = append(want, delivery.DueRow{Key: row.Key, SweepAt: row.SweepAt, NextAt: row.NextAt, Resends: row.Resends, Parked: row.Parked})
	}
	for shard := range delivery.DueShards {
		if row.Exists() && shard != delivery.DueShard(row.Key) {
			continue
		}
		page, err := h.Deliveries.Due(t.Context(), shard, at.Add(100*time.Hour), delivery.DueRow{}, 10_000)
		must(t, err)
		for _, d := range page {
			if d.Key == row.Key {
				got = append(got, d)
			}
		}
	}
	return want, got
}

// fitting returns a write with arguments that fit the row, or that name another round,
// lease or time.
func fitting(kind string, key delivery.Key, row delivery.Row, at time.Time, fits bool) transition {
	round, attempt, token, seen, status := max(row.Round, 1), row.Attempt+1, row.LeaseBy, row.SweepAt, row.Status
	if row.LeaseBy != "" {
		attempt = row.Attempt
	}
	if !fits {
		round, token, seen, status = round+1, "other", at.Add(time.Hour), delivery.StatusFailed
	}
	return drawn{
		kind: kind, key: key, at: at, expires: newSeed().ExpiresAt, later: at.Add(10 * time.Minute),
		round: round, attempt: attempt, token: token, seen: seen, status: status, outcome: delivery.StatusPending,
	}.transition()
}

// testRepeated repeats writes as the SDK does when a response is lost.
func testRepeated(t *testing.T, h Harness) {
	at := now()
	for kind, state := range map[string]string{"Park": "pending", "Defer": "pending", "Lease, seen parked": "parked", "Lease": "parked", "Yield": "leased"} {
		key := newKey(t, newTenant(t), 1)
		before := startingRows(t, h, at)[state](key)
		x := fitting(kind, key, before, at, true)
		first, err := x.store(t.Context(), h.Deliveries)
		must(t, err)
		again, err := x.store(t.Context(), h.Deliveries)
		if !errors.Is(err, delivery.ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", kind, err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("%s (-first +second):\n%s", kind, diff)
		}
	}
}
