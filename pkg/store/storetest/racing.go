package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// atOnce runs n functions concurrently and returns how many succeed. Errors
// other than those in fine fail the test.
func atOnce(t *testing.T, n int, run func(i int) error, fine ...error) (succeeded int) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = run(i) })
	}
	wg.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			succeeded++
		case !slices.ContainsFunc(fine, func(f error) bool { return errors.Is(err, f) }):
			t.Errorf("got %v", err)
		}
	}
	return succeeded
}

func testRacing(t *testing.T, h Harness) {
	const writers = 8
	t.Run("ids are unique", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		drawn := make([]int32, 40)
		atOnce(t, len(drawn), func(i int) (err error) {
			drawn[i], err = h.Webhooks.NextID(t.Context(), tenant)
			return err
		})
		slices.Sort(drawn)
		if got := len(slices.Compact(drawn)); got != 40 {
			t.Errorf("got %d different ids of 40", got)
		}
	})
	t.Run("one of two Updates of a revision wins, and all its pointers exist", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		w := bareWebhook(tenant, 1, "kept.always", "old.one")
		must(t, h.Webhooks.Create(t.Context(), w))
		for revision := int64(2); revision < 8; revision++ {
			won := atOnce(t, writers, func(i int) error {
				next := w
				next.Revision, next.Events = revision, []string{"kept.always", fmt.Sprintf("by.%d", i), fmt.Sprintf("also.%d", i%2)}
				return h.Webhooks.Update(t.Context(), next, webhook.Change{})
			}, webhook.ErrConflict)
			if won != 1 {
				t.Fatalf("revision %d: %d writers won, want 1", revision, won)
			}
			got, err := h.Webhooks.Get(t.Context(), tenant, 1)
			must(t, err)
			for _, key := range got.PointerKeys() {
				if diff := cmp.Diff([]int32{1}, subscribed(t, h, tenant, key)); diff != "" {
					t.Errorf("revision %d, %s (-want +got):\n%s", revision, key, diff)
				}
			}
		}
	})
	t.Run("an Update or a Delete wins, and nothing is left of a deleted webhook", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		for id := int32(1); id <= 10; id++ {
			w := bareWebhook(tenant, id, "a.b")
			must(t, h.Webhooks.Create(t.Context(), w))
			w.Revision = 2
			won := atOnce(t, 2, func(i int) error {
				if i == 0 {
					return h.Webhooks.Update(t.Context(), w, webhook.Change{})
				}
				return h.Webhooks.Delete(t.Context(), tenant, id, 1, webhook.Change{})
			}, webhook.ErrConflict, webhook.ErrNotFound)
			if won != 1 {
				t.Errorf("webhook %d: %d writers won, want 1", id, won)
			}
			_, err := h.Webhooks.Get(t.Context(), tenant, id)
			listed := slices.Contains(subscribed(t, h, tenant, "a.b"), id)
			if exists := err == nil; exists != listed {
				t.Errorf("webhook %d: exists %v, subscribed %v", id, exists, listed)
			}
		}
	})
	t.Run("Subscribed never misses a webhook whose every save keeps the event", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		w := bareWebhook(tenant, 1, "kept.always", "x.0")
		must(t, h.Webhooks.Create(t.Context(), w))
		atOnce(t, 2, func(i int) error {
			for n := range 15 {
				if i == 0 {
					next := w
					next.Revision, next.Events = int64(n+2), []string{fmt.Sprintf("x.%d", n), "kept.always"}
					if err := h.Webhooks.Update(t.Context(), next, webhook.Change{}); err != nil {
						return err
					}
					continue
				}
				found, err := Subscribed(t.Context(), h.Webhooks, tenant, "kept.always")
				if err != nil || len(found) != 1 {
					return fmt.Errorf("got %d webhooks, %w", len(found), err)
				}
			}
			return nil
		})
	})
	t.Run("concurrent health updates lose no calls", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		counted := atOnce(t, writers, func(int) error {
			_, err := h.Webhooks.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health { h.TotalCalls++; return h })
			return err
		}, webhook.ErrUnavailable)
		h.settle()
		found, err := h.Webhooks.Health(t.Context(), tenant, []int32{1})
		must(t, err)
		if int(found[1].TotalCalls) < counted || counted < writers/2 {
			t.Errorf("got %d calls counted of %d that returned, of %d", found[1].TotalCalls, counted, writers)
		}
	})
	t.Run("concurrent counts of an hour lose none", func(t *testing.T) {
		t.Parallel()
		tenant, hour := newTenant(t), newHour()
		atOnce(t, writers, func(int) error { return h.Statistics.Count(t.Context(), tenant, 1, hour) })
		h.settle()
		want := statistics.Hour{}
		for range writers {
			want = want.Add(hour)
		}
		if diff := cmp.Diff([]statistics.Hour{want}, hours(t, h, tenant, 1, hour.From, 10)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("one claim of an idempotency key wins", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Truncate(time.Second)
		var mu sync.Mutex
		winners := map[webhook.EventID]bool{}
		atOnce(t, writers, func(int) error {
			existing, err := h.Events.Remember(t.Context(), tenant, "k", webhook.IdempotencyClaim{Event: newEventID(t, at), Expires: at.Add(time.Hour)}, at)
			mu.Lock()
			defer mu.Unlock()
			winners[existing.Event] = true
			return err
		})
		if len(winners) != 1 {
			t.Errorf("%d claims won, want 1", len(winners))
		}
	})
	t.Run("one claim that replaces another wins", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Truncate(time.Second)
		_, err := h.Events.Remember(t.Context(), tenant, "k", webhook.IdempotencyClaim{Webhook: 1000, Expires: at.Add(time.Hour)}, at)
		must(t, err)
		var mu sync.Mutex
		winners := map[int32]bool{}
		atOnce(t, writers, func(i int) error {
			claim := webhook.IdempotencyClaim{Webhook: int32(i + 1), Expires: at.Add(time.Hour)}
			existing, err := h.Events.Reclaim(t.Context(), tenant, "k", 1000, claim, at)
			mu.Lock()
			defer mu.Unlock()
			winners[existing.Webhook] = true
			return err
		})
		if len(winners) != 1 || winners[1000] {
			t.Errorf("claims %v won, want one of the new ones", winners)
		}
	})
	t.Run("one writer wins a row, a lease, a claim", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		races := []struct {
			name string
			run  func(i int) error
		}{
			{"RecordFirst", func(int) error {
				_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
				return err
			}},
			{"Claim", func(i int) error {
				_, err := h.Deliveries.Claim(t.Context(), delivery.Claim{Key: key, Seen: at.Add(5 * time.Minute), Next: at.Add(time.Duration(10+i) * time.Minute), Now: at})
				return err
			}},
			{"Lease", func(i int) error {
				_, err := h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 2, Token: fmt.Sprint(i), Now: at, Until: at.Add(time.Minute)})
				return err
			}},
			{"StartRound by one job, after the lease", func(int) error {
				_, err := h.Deliveries.StartRound(t.Context(), delivery.StartRound{Key: key, Seen: delivery.StatusPending, Now: at.Add(2 * time.Minute), Due: at.Add(2 * time.Minute), SweepAt: at.Add(time.Hour), Job: "job"})
				return err
			}},
		}
		for _, race := range races {
			if won := atOnce(t, writers, race.run, delivery.ErrRefused); won != 1 {
				t.Errorf("%s: %d writers won, want 1", race.name, won)
			}
		}
		row, err := h.Deliveries.Get(t.Context(), key)
		must(t, err)
		if row.Round != 2 || row.Attempt != 0 || row.Resends != 0 {
			t.Errorf("got %s with %d resends", describe(row), row.Resends)
		}
	})
}
