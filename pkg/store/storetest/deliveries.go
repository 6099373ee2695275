package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func newKey(t *testing.T, tenant webhook.Tenant, id int32) delivery.Key {
	t.Helper()
	return delivery.Key{Tenant: tenant, Webhook: id, Event: newEventID(t, now())}
}

func newSeed() delivery.Seed {
	return delivery.Seed{EventName: "Contact.Changed", PrimaryKey: 7, ExpiresAt: now().Add(33 * 24 * time.Hour).Truncate(time.Second)}
}

// pendingFirst returns a failed first attempt whose next attempt is due at
// next.
func pendingFirst(key delivery.Key, next time.Time) delivery.RecordFirst {
	at := now()
	return delivery.RecordFirst{Key: key, Now: at, Seed: newSeed(), Outcome: delivery.Outcome{
		Attempt:  delivery.Attempt{Number: 1, At: at, Duration: 12 * time.Millisecond, StatusCode: 503, Error: failure.Status},
		Response: "Blåbær ✓", Status: delivery.StatusPending, NextAt: next, SweepAt: next.Add(5 * time.Minute),
	}}
}

// due lists a tenant's rows in the index, page by page, earliest first.
func due(t *testing.T, h Harness, tenant webhook.Tenant, before time.Time) []delivery.DueRow {
	t.Helper()
	h.settle()
	found := []delivery.DueRow{}
	const limit = 7
	for shard := range delivery.DueShards {
		var last delivery.DueRow
		for more := true; more; {
			page, err := h.Deliveries.Due(t.Context(), shard, before, last, limit)
			must(t, err)
			for _, d := range page {
				if d.SweepAt.Before(last.SweepAt) {
					t.Errorf("shard %d shows %v after %v", shard, d.SweepAt, last.SweepAt)
				}
				if last = d; delivery.DueShard(d.Key) != shard {
					t.Errorf("shard %d shows a row of shard %d", shard, delivery.DueShard(d.Key))
				}
				if d.Tenant == tenant {
					found = append(found, d)
				}
			}
			more = len(page) == limit
		}
	}
	slices.SortStableFunc(found, func(a, b delivery.DueRow) int { return a.SweepAt.Compare(b.SweepAt) })
	return found
}

func testDeliveries(t *testing.T, h Harness) {
	t.Run("Get returns what a write returned", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, newTenant(t), 7)
		written, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, now().Add(5*time.Second)))
		must(t, err)
		got, err := h.Deliveries.Get(t.Context(), key)
		must(t, err)
		if diff := cmp.Diff(written, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		want, _ := pendingFirst(key, written.NextAt).Apply(delivery.Row{})
		want.Created, want.Updated, want.ExpiresAt = got.Created, got.Updated, got.ExpiresAt
		want.Attempts[0].At = got.Attempts[0].At
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("compared with the protocol (-want +got):\n%s", diff)
		}
	})
	t.Run("Get of an absent or expired row is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, newTenant(t), 7)
		if _, err := h.Deliveries.Get(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("absent: got %v", err)
		}
		first := pendingFirst(key, now())
		first.Seed.ExpiresAt = now().Add(-time.Minute).Truncate(time.Second)
		_, err := h.Deliveries.RecordFirst(t.Context(), first)
		must(t, err)
		if _, err := h.Deliveries.Get(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("expired: got %v", err)
		}
	})
	t.Run("List returns one webhook's rows, newest event first, paged", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now()
		var want []webhook.EventID
		for i := range 25 {
			key := delivery.Key{Tenant: tenant, Webhook: 7, Event: newEventID(t, start.Add(time.Duration(i)*time.Millisecond))}
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, start))
			must(t, err)
			want = append([]webhook.EventID{key.Event}, want...)
		}
		_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(newKey(t, tenant, 70), start))
		must(t, err)
		got := []webhook.EventID{}
		for before := webhook.EventID(""); ; {
			page, err := h.Deliveries.List(t.Context(), tenant, 7, before, 10)
			must(t, err)
			for _, row := range page {
				got = append(got, row.Event)
			}
			if len(page) < 10 {
				break
			}
			before = page[9].Event
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Due returns pending rows whose time has come, earliest first", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now()
		var keys []delivery.Key
		for i := range 5 {
			key := newKey(t, tenant, 3)
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, start.Add(-time.Duration(i)*time.Hour)))
			must(t, err)
			keys = append([]delivery.Key{key}, keys...)
		}
		got := due(t, h, tenant, start.Add(-90*time.Minute))
		if len(got) != 3 {
			t.Fatalf("got %d rows, want 3", len(got))
		}
		for i, d := range got {
			row, err := h.Deliveries.Get(t.Context(), keys[i])
			must(t, err)
			want := delivery.DueRow{Key: row.Key, SweepAt: row.SweepAt, NextAt: row.NextAt, Resends: row.Resends}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Errorf("row %d (-want +got):\n%s", i, diff)
			}
		}
	})
	t.Run("Due continues after the last row of the previous page, also among rows with the same time", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Add(-time.Hour)
		want := map[delivery.Key]int{}
		for range 200 {
			key := newKey(t, tenant, 3)
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
			must(t, err)
			want[key] = 1
		}
		got := map[delivery.Key]int{}
		for _, d := range due(t, h, tenant, now()) {
			got[d.Key]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Due begins after a time", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now().Truncate(time.Millisecond)
		keys := map[delivery.Key]time.Duration{}
		for i := range 40 {
			key, after := newKey(t, tenant, 3), time.Duration(i%4)*time.Millisecond
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, start.Add(after-5*time.Minute))) // the sweep looks five minutes later
			must(t, err)
			keys[key] = after
		}
		h.settle()
		for _, after := range []time.Duration{-time.Hour, 0, time.Millisecond, 2 * time.Millisecond, time.Hour} {
			got := map[delivery.Key]int{}
			for shard := range delivery.DueShards {
				last := delivery.DueRow{SweepAt: start.Add(after)}
				for more := true; more; {
					page, err := h.Deliveries.Due(t.Context(), shard, start.Add(2*time.Millisecond), last, 2)
					must(t, err)
					if more = len(page) == 2; more {
						last = page[1]
					}
					for _, d := range page {
						if d.Tenant == tenant {
							got[d.Key]++
						}
					}
				}
			}
			for key, at := range keys {
				if want := at > after && at <= 2*time.Millisecond; (got[key] == 1) != want || got[key] > 1 {
					t.Errorf("after %v, a row due at %v: returned %d times", after, at, got[key])
				}
			}
		}
	})
	t.Run("a row that has ended is not due", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now()
		ends := []func(delivery.Key) error{
			func(k delivery.Key) error {
				_, err := h.Deliveries.MarkDelivered(t.Context(), delivery.MarkDelivered{Key: k, Round: 1, Now: at, Attempt: delivery.Attempt{Number: 1, At: at}})
				return err
			},
			func(k delivery.Key) error {
				_, err := h.Deliveries.End(t.Context(), delivery.End{Key: k, Round: 1, Status: delivery.StatusCancelled, Reason: "stopped", Now: at})
				return err
			},
		}
		for _, end := range ends {
			key := newKey(t, tenant, 3)
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
			must(t, err)
			must(t, end(key))
		}
		if got := due(t, h, tenant, at.Add(time.Hour)); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("a refusal returns the row that caused it", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, newTenant(t), 7)
		row, err := h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 2, Token: "a", Now: now(), Until: now()})
		if !errors.Is(err, delivery.ErrRefused) || row.Exists() {
			t.Errorf("no row: got %s, %v; want the zero row and ErrRefused", describe(row), err)
		}
		written, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, now()))
		must(t, err)
		got, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, now()))
		if !errors.Is(err, delivery.ErrRefused) {
			t.Fatalf("got %v, want ErrRefused", err)
		}
		if diff := cmp.Diff(written, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("an expired row is absent to a write", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, newTenant(t), 7)
		first := pendingFirst(key, now())
		first.Seed.ExpiresAt = now().Add(-time.Minute).Truncate(time.Second)
		_, err := h.Deliveries.RecordFirst(t.Context(), first)
		must(t, err)
		second := pendingFirst(key, now().Add(time.Hour))
		row, err := h.Deliveries.RecordFirst(t.Context(), second)
		must(t, err)
		got, err := h.Deliveries.Get(t.Context(), key)
		must(t, err)
		if diff := cmp.Diff(row, got); diff != "" || got.AttemptCount != 1 {
			t.Errorf("got %d attempts (-want +got):\n%s", got.AttemptCount, diff)
		}
	})
	t.Run("the last twelve attempts are kept and all are counted", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
		must(t, err)
		for n := 2; n <= 15; n++ {
			token := fmt.Sprint("t", n)
			_, err := h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: n, Token: token, Now: at, Until: at.Add(time.Minute)})
			must(t, err)
			_, err = h.Deliveries.Finish(t.Context(), delivery.Finish{Key: key, Round: 1, Attempt: n, Token: token, Now: at, Outcome: delivery.Outcome{
				Attempt: delivery.Attempt{Number: n, At: at, Error: failure.TLS, Detail: failure.UnknownIssuer}, Status: delivery.StatusPending, NextAt: at, SweepAt: at,
			}})
			must(t, err)
		}
		got, err := h.Deliveries.Get(t.Context(), key)
		must(t, err)
		if len(got.Attempts) != 12 || got.Attempts[0].Number != 4 || got.Attempts[11].Number != 15 || got.Attempts[11].Detail != failure.UnknownIssuer || got.AttemptCount != 15 {
			t.Errorf("got %d attempts of %d: %v", len(got.Attempts), got.AttemptCount, got.Attempts)
		}
	})
}
