package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// setTimer writes a timer and returns it as stored.
func setTimer(t *testing.T, h Harness, timer delivery.Timer) delivery.Timer {
	t.Helper()
	stored, err := h.Deliveries.SetTimer(t.Context(), timer)
	must(t, err)
	return stored
}

// timer reads a webhook's timer; the zero Timer if it has none.
func timer(t *testing.T, h Harness, key webhook.Key) delivery.Timer {
	t.Helper()
	stored, err := h.Deliveries.Timer(t.Context(), key)
	if errors.Is(err, webhook.ErrNotFound) {
		return delivery.Timer{}
	}
	must(t, err)
	return stored
}

// dueTimers lists a tenant's timers in the index, page by page, earliest first.
func dueTimers(t *testing.T, h Harness, tenant webhook.Tenant, before time.Time) []delivery.DueTimer {
	t.Helper()
	h.settle()
	found := []delivery.DueTimer{}
	const limit = 3
	for shard := range delivery.DueShards {
		var last delivery.DueTimer
		for more := true; more; {
			page, err := h.Deliveries.DueTimers(t.Context(), shard, before, last, limit)
			must(t, err)
			for _, d := range page {
				if d.DueAt.Before(last.DueAt) || d.DueAt.After(before) || delivery.TimerShard(d.Key) != shard {
					t.Errorf("shard %d up to %v shows %+v after %+v", shard, before, d, last)
				}
				if last = d; d.Key.Tenant == tenant {
					found = append(found, d)
				}
			}
			more = len(page) == limit
		}
	}
	slices.SortStableFunc(found, func(a, b delivery.DueTimer) int { return a.DueAt.Compare(b.DueAt) })
	return found
}

func testTimers(t *testing.T, h Harness) {
	t.Run("a timer is created once and read back", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now()
		if _, err := h.Deliveries.Timer(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("without a timer: got %v, want ErrNotFound", err)
		}
		want := delivery.Timer{Key: key, DueAt: at, Version: 1}
		if got := setTimer(t, h, delivery.Timer{Key: key, DueAt: at}); got != want || timer(t, h, key) != want {
			t.Errorf("created %+v, read %+v; want %+v", got, timer(t, h, key), want)
		}
		if _, err := h.Deliveries.SetTimer(t.Context(), delivery.Timer{Key: key, DueAt: at.Add(time.Hour)}); !errors.Is(err, delivery.ErrRefused) || timer(t, h, key) != want {
			t.Errorf("created again: %v, %+v; want ErrRefused and no change", err, timer(t, h, key))
		}
	})
	t.Run("a write replaces the version it names, with every member, and no other", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now()
		first := setTimer(t, h, delivery.Timer{Key: key, DueAt: at})
		full := first
		full.DueAt, full.EmptySince, full.Width = at.Add(time.Minute), at.Add(-time.Second), 256
		want := full
		want.Version = 2
		if got := setTimer(t, h, full); got != want || timer(t, h, key) != want {
			t.Errorf("wrote %+v, read %+v; want %+v", got, timer(t, h, key), want)
		}
		later := want
		later.Version = 9
		for _, other := range []delivery.Timer{first, later} {
			if _, err := h.Deliveries.SetTimer(t.Context(), other); !errors.Is(err, delivery.ErrRefused) || timer(t, h, key) != want {
				t.Errorf("version %d: %v, %+v; want ErrRefused and no change", other.Version, err, timer(t, h, key))
			}
			if err := h.Deliveries.RemoveTimer(t.Context(), other); !errors.Is(err, delivery.ErrRefused) || timer(t, h, key) != want {
				t.Errorf("removing version %d: %v, %+v; want ErrRefused and no change", other.Version, err, timer(t, h, key))
			}
		}
		bare := delivery.Timer{Key: key, DueAt: at, Version: 2}
		if got := setTimer(t, h, bare); got.Version != 3 || !got.EmptySince.IsZero() || got.Width != 0 {
			t.Errorf("members are left over: %+v", got)
		}
	})
	t.Run("times are kept to the millisecond", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now().Add(999*time.Microsecond)
		stored := setTimer(t, h, delivery.Timer{Key: key, DueAt: at, EmptySince: at})
		if want := at.Truncate(time.Millisecond); !stored.DueAt.Equal(want) || !stored.EmptySince.Equal(want) || timer(t, h, key) != stored {
			t.Errorf("returned %+v, read %+v", stored, timer(t, h, key))
		}
	})
	t.Run("RemoveTimer removes it from the index too, and a timer that is gone is not an error", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now()
		stored := setTimer(t, h, delivery.Timer{Key: key, DueAt: at})
		for range 2 { // the second is a repetition after a lost response
			must(t, h.Deliveries.RemoveTimer(t.Context(), stored))
		}
		if got := dueTimers(t, h, key.Tenant, at); len(got) != 0 || timer(t, h, key) != (delivery.Timer{}) {
			t.Errorf("left: %+v, %+v", timer(t, h, key), got)
		}
		if _, err := h.Deliveries.SetTimer(t.Context(), stored); !errors.Is(err, delivery.ErrRefused) {
			t.Errorf("a visit that outlives the timer: got %v, want ErrRefused", err)
		}
		must(t, h.Deliveries.PullTimer(t.Context(), key, at))
		if got := timer(t, h, key); got != (delivery.Timer{}) {
			t.Errorf("pulling an absent timer created %+v", got)
		}
		if got := setTimer(t, h, delivery.Timer{Key: key, DueAt: at}); got.Version != 1 {
			t.Errorf("created after a removal: %+v", got)
		}
	})
	t.Run("PullTimer makes a timer due unless it is due earlier", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now()
		far := setTimer(t, h, delivery.Timer{Key: key, DueAt: at.Add(15 * time.Minute), EmptySince: at, Width: 32})
		for range 2 { // the second is a repetition after a lost response
			must(t, h.Deliveries.PullTimer(t.Context(), key, at))
		}
		want := far
		want.DueAt, want.Version = at, far.Version+1
		if got := timer(t, h, key); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		must(t, h.Deliveries.PullTimer(t.Context(), key, at.Add(time.Minute)))
		if got := timer(t, h, key); got != want {
			t.Errorf("pulled later: got %+v, want %+v", got, want)
		}
		if diff := cmp.Diff([]delivery.DueTimer{{Key: key, DueAt: at}}, dueTimers(t, h, key.Tenant, at.Add(time.Hour))); diff != "" {
			t.Errorf("the index (-want +got):\n%s", diff)
		}
		// A visit that claimed the timer before the pull must not put it off.
		if _, err := h.Deliveries.SetTimer(t.Context(), far); !errors.Is(err, delivery.ErrRefused) {
			t.Errorf("the visit's write: got %v, want ErrRefused", err)
		}
	})
	t.Run("DueTimers returns timers whose time has come, earliest first, paged, and no rows", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now()
		want := []delivery.DueTimer{}
		for i := range int32(60) {
			key := webhook.Key{Tenant: tenant, ID: i + 1}
			due := at.Add(time.Duration(i/4-20) * time.Second) // four at a time
			setTimer(t, h, delivery.Timer{Key: key, DueAt: due})
			want = append(want, delivery.DueTimer{Key: key, DueAt: due})
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(newKey(t, tenant, i+1), at.Add(-time.Hour)))
			must(t, err)
		}
		byKey := func(all []delivery.DueTimer) map[webhook.Key]time.Time {
			m := map[webhook.Key]time.Time{}
			for _, d := range all {
				m[d.Key] = d.DueAt
			}
			return m
		}
		for _, n := range []int{0, 4, 40, 60} {
			before := at.Add(time.Duration(n/4-21) * time.Second)
			got := dueTimers(t, h, tenant, before)
			if diff := cmp.Diff(byKey(want[:n]), byKey(got)); diff != "" || len(got) != n {
				t.Errorf("due at %v: %d timers (-want +got):\n%s", before, len(got), diff)
			}
		}
		if rows := due(t, h, tenant, at); len(rows) != 60 {
			t.Errorf("next to timers %d rows are due, want 60", len(rows))
		}
		for shard := range delivery.DueShards {
			if page, err := h.Deliveries.DueTimers(t.Context(), shard, at, delivery.DueTimer{}, 0); len(page) != 0 || err != nil {
				t.Errorf("with limit 0: %v, %v", page, err)
			}
		}
	})
	t.Run("a timer that moves is found at its new time only", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now()
		stored := delivery.Timer{Key: key, DueAt: at}
		for i := range 5 {
			stored = setTimer(t, h, stored)
			if got := dueTimers(t, h, key.Tenant, at.Add(time.Hour)); len(got) != 1 || !got[0].DueAt.Equal(stored.DueAt) {
				t.Errorf("after %d moves: %+v, want it at %v", i, got, stored.DueAt)
			}
			stored = stored.Claimed(stored.DueAt)
		}
	})
	t.Run("timers of other tenants' webhooks with the same id are apart", func(t *testing.T) { t.Parallel(); testTimersApart(t, h) })
	t.Run("one of two writers of a version wins", func(t *testing.T) {
		t.Parallel()
		key, at := webhook.Key{Tenant: newTenant(t), ID: 7}, now()
		for version := range int64(6) {
			won := atOnce(t, 8, func(i int) error {
				_, err := h.Deliveries.SetTimer(t.Context(), delivery.Timer{Key: key, DueAt: at.Add(time.Duration(i) * time.Second), Version: version})
				return err
			}, delivery.ErrRefused)
			if won != 1 {
				t.Errorf("version %d: %d writers won, want 1", version, won)
			}
		}
		if got := dueTimers(t, h, key.Tenant, at.Add(time.Hour)); len(got) != 1 {
			t.Errorf("the index has %+v", got)
		}
	})
	t.Run("a removal or the consumer that clears the mark wins", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now()
		for id := range int32(10) {
			key := webhook.Key{Tenant: tenant, ID: id + 1}
			marked := setTimer(t, h, delivery.Timer{Key: key, DueAt: at, EmptySince: at.Add(-time.Hour)})
			removed, ensured := false, false
			atOnce(t, 2, func(i int) (err error) {
				if i == 0 {
					err = h.Deliveries.RemoveTimer(t.Context(), marked)
					removed = err == nil
					return err
				}
				next, _ := marked.Ensured(key, at)
				_, err = h.Deliveries.SetTimer(t.Context(), next)
				ensured = err == nil
				return err
			}, delivery.ErrRefused)
			if exists := timer(t, h, key).Version > 0; removed == ensured || exists != ensured {
				t.Errorf("removed %v, ensured %v, exists %v", removed, ensured, exists)
			}
		}
	})
	t.Run("EraseDeliveries removes a webhook's timer, with or without rows, and no other", func(t *testing.T) { t.Parallel(); testTimerErasure(t, h) })
}

func testTimersApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	at := now()
	want := map[webhook.Tenant]delivery.Timer{}
	check := func(step string) {
		t.Helper()
		for _, tenant := range tenants {
			if got := timer(t, h, webhook.Key{Tenant: tenant, ID: 1}); got != want[tenant] {
				t.Errorf("after %s, the timer of %s: got %+v, want %+v", step, tenant, got, want[tenant])
			}
		}
	}
	for i, tenant := range tenants {
		want[tenant] = setTimer(t, h, delivery.Timer{Key: webhook.Key{Tenant: tenant, ID: 1}, DueAt: at.Add(time.Hour), Width: i + 1})
		check("SetTimer for " + string(tenant))
	}
	must(t, h.Deliveries.PullTimer(t.Context(), webhook.Key{Tenant: tenants[0], ID: 1}, at))
	pulled := want[tenants[0]]
	pulled.DueAt, pulled.Version = at, pulled.Version+1
	want[tenants[0]] = pulled
	check("PullTimer")
	for i, n := range []int{1, 0, 0} {
		if got := dueTimers(t, h, tenants[i], at); len(got) != n {
			t.Errorf("of %s are due %+v, want %d", tenants[i], got, n)
		}
	}
	must(t, h.Deliveries.RemoveTimer(t.Context(), pulled))
	delete(want, tenants[0])
	check("RemoveTimer")
	if _, err := h.Erasure.EraseDeliveries(t.Context(), tenants[1], 1, 10); err != nil {
		t.Error(err)
	}
	delete(want, tenants[1])
	check("EraseDeliveries")
}

func testTimerErasure(t *testing.T, h Harness) {
	tenant, at := newTenant(t), now()
	ids := []int32{1, 2, 11, 12}
	read := map[int32]delivery.Timer{}
	for _, id := range ids {
		read[id] = setTimer(t, h, delivery.Timer{Key: webhook.Key{Tenant: tenant, ID: id}, DueAt: at})
	}
	for range 5 {
		park(t, h, newKey(t, tenant, 1))
		park(t, h, newKey(t, tenant, 11))
	}
	total := 0
	for _, id := range []int32{1, 2} {
		for more := true; more; {
			n, err := h.Erasure.EraseDeliveries(t.Context(), tenant, id, 2)
			must(t, err)
			total, more = total+n, n > 0
		}
	}
	for _, id := range ids {
		key := webhook.Key{Tenant: tenant, ID: id}
		want := map[int32]int{1: 0, 2: 0, 11: 5, 12: 0}[id]
		if exists := timer(t, h, key).Version > 0; exists != (id > 2) || len(parked(t, h, key)) != want {
			t.Errorf("webhook %d: has a timer %v, parked %v", id, exists, parked(t, h, key))
		}
	}
	// A visit that read the timer before does not bring it back, nor does a pull.
	if _, err := h.Deliveries.SetTimer(t.Context(), read[1].Claimed(at)); !errors.Is(err, delivery.ErrRefused) {
		t.Errorf("an erased timer is written again: %v", err)
	}
	must(t, h.Deliveries.PullTimer(t.Context(), webhook.Key{Tenant: tenant, ID: 1}, at))
	if got := dueTimers(t, h, tenant, at); len(got) != 2 || total != 5 {
		t.Errorf("erased %d rows, want 5; due timers %+v, want two", total, got)
	}
}
