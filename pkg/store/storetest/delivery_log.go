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
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// readLog reads a whole log, page by page, and returns the events and the number of
// rows examined.
func readLog(t *testing.T, h Harness, q delivery.LogQuery) (events []webhook.EventID, examined int) {
	t.Helper()
	events = []webhook.EventID{}
	for pages := 0; ; pages++ {
		page, err := h.Deliveries.Log(t.Context(), q)
		must(t, err)
		if len(page.Deliveries) > q.Limit || page.Examined > q.Examine+20 || pages > 500 {
			t.Fatalf("page %d of %+v has %d deliveries and examined %d", pages, q, len(page.Deliveries), page.Examined)
		}
		for _, d := range page.Deliveries {
			if d.Event < page.Next || q.Before != "" && d.Event >= q.Before {
				t.Errorf("a page from %s to %s has %s", q.Before, page.Next, d.Event)
			}
			events = append(events, d.Event)
		}
		examined += page.Examined
		if page.Next == "" {
			return events, examined
		}
		q.Before = page.Next
	}
}

func testLog(t *testing.T, h Harness) {
	t.Run("Log shows each row of one webhook once, newest event first, whatever the size of its pages", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now()
		var want []webhook.EventID
		for i := range 100 {
			key := delivery.Key{Tenant: tenant, Webhook: 7, Event: newEventID(t, start.Add(time.Duration(i)*time.Millisecond))}
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, start))
			must(t, err)
			want = append(want, key.Event)
		}
		slices.Sort(want)
		slices.Reverse(want)
		for _, other := range []delivery.Key{newKey(t, tenant, 70), newKey(t, newTenant(t), 7)} {
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(other, start))
			must(t, err)
		}
		for _, size := range [][2]int{{1, 1}, {1, 1000}, {7, 8}, {10, 40}, {100, 100}, {1000, 1000}, {1000, 3}} {
			q := delivery.LogQuery{Tenant: tenant, Webhook: 7, Limit: size[0], Examine: size[1]}
			got, examined := readLog(t, h, q)
			if diff := cmp.Diff(want, got); diff != "" || examined != len(want) {
				t.Errorf("limit %d, examine %d: examined %d of %d (-want +got):\n%s", q.Limit, q.Examine, examined, len(want), diff)
			}
			q.First, q.Before = want[79], want[20]
			got, examined = readLog(t, h, q)
			if diff := cmp.Diff(want[21:80], got); diff != "" || examined != 59 {
				t.Errorf("limit %d, examine %d, bounds: examined %d of 59 (-want +got):\n%s", q.Limit, q.Examine, examined, diff)
			}
			q.Before = ""
			got, _ = readLog(t, h, q)
			if diff := cmp.Diff(want[:80], got); diff != "" {
				t.Errorf("limit %d, examine %d, lower bound (-want +got):\n%s", q.Limit, q.Examine, diff)
			}
			q.First, q.Before = want[20], want[20]
			if got, examined = readLog(t, h, q); len(got)+examined != 0 {
				t.Errorf("empty bounds: got %v, examined %d", got, examined)
			}
		}
	})
	t.Run("Log filters, and a page without a match has a Next", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now()
		keys := make([]webhook.EventID, 30)
		for i := range keys {
			keys[i] = newEventID(t, start.Add(time.Duration(i)*time.Millisecond))
			first := pendingFirst(delivery.Key{Tenant: tenant, Webhook: 7, Event: keys[i]}, start)
			if first.Seed.PrimaryKey = 1; i == 3 {
				first.Seed = delivery.NewSeed(webhook.Event{Name: "Order.Placed", Key: "A-7", PrimaryKey: 2}, "", nil, first.Seed.ExpiresAt)
			}
			_, err := h.Deliveries.RecordFirst(t.Context(), first)
			must(t, err)
		}
		for _, filter := range []delivery.Filter{{Event: "order.*"}, {Event: "order.placed"}, {Entity: "order"}, {Key: "A-7"}, {PrimaryKey: ptr(int32(2))}} {
			q := delivery.LogQuery{Tenant: tenant, Webhook: 7, Filter: filter, Limit: 5, Examine: 8}
			first, err := h.Deliveries.Log(t.Context(), q)
			must(t, err)
			if len(first.Deliveries) != 0 || first.Next == "" || first.Examined == 0 {
				t.Errorf("%+v: the first page has %d deliveries, next %q, examined %d", filter, len(first.Deliveries), first.Next, first.Examined)
			}
			got, examined := readLog(t, h, q)
			if diff := cmp.Diff([]webhook.EventID{keys[3]}, got); diff != "" || examined != len(keys) {
				t.Errorf("%+v: examined %d (-want +got):\n%s", filter, examined, diff)
			}
		}
	})
	t.Run("Log examines expired rows and omits them", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, newTenant(t), 7)
		first := pendingFirst(key, now())
		first.Seed.ExpiresAt = now().Add(-time.Minute).Truncate(time.Second)
		_, err := h.Deliveries.RecordFirst(t.Context(), first)
		must(t, err)
		got, examined := readLog(t, h, delivery.LogQuery{Tenant: key.Tenant, Webhook: 7, Limit: 10, Examine: 10})
		if len(got) != 0 || examined != 1 {
			t.Errorf("got %v, examined %d", got, examined)
		}
	})
	t.Run("a row shows the lane, round and error of each attempt, and that of the fast lane", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		fast := delivery.Attempt{Round: 1, Lane: delivery.LaneFast, At: at, Duration: 1500 * time.Millisecond, Error: failure.Fast}
		seed := newSeed()
		seed.Fast = &fast
		_, err := h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 1, Token: "a", Now: at, Until: at.Add(time.Minute), SweepAt: at.Add(time.Minute), Seed: seed})
		must(t, err)
		tries := []delivery.Attempt{
			{Round: 1, Lane: delivery.LaneQueue, Number: 1, At: at, Duration: time.Second, Error: failure.TLS, Detail: failure.Expired},
			{Round: 2, Lane: delivery.LaneQueue, Number: 1, At: at, StatusCode: 204},
		}
		_, err = h.Deliveries.Finish(t.Context(), delivery.Finish{Key: key, Round: 1, Attempt: 1, Token: "a", Now: at, Outcome: delivery.Outcome{Attempt: tries[0], Status: delivery.StatusFailed}})
		must(t, err)
		_, err = h.Deliveries.StartRound(t.Context(), delivery.StartRound{Key: key, Seen: delivery.StatusFailed, Now: at, Due: at, SweepAt: at, Seed: newSeed()})
		must(t, err)
		_, err = h.Deliveries.MarkDelivered(t.Context(), delivery.MarkDelivered{Key: key, Round: 2, Now: at, Attempt: tries[1]})
		must(t, err)
		row, err := h.Deliveries.Get(t.Context(), key)
		must(t, err)
		if diff := cmp.Diff(append([]delivery.Attempt{fast}, tries...), row.Attempts); diff != "" || row.AttemptCount != 2 {
			t.Errorf("%d attempts are counted, want 2 (-want +got):\n%s", row.AttemptCount, diff)
		}
	})
	t.Run("a row that does not know its event learns it from the next lease", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		_, err := h.Deliveries.MakeDue(t.Context(), delivery.MakeDue{Key: key, Round: 1, Attempt: 1, Now: at, SweepAt: at, Seed: delivery.Seed{ExpiresAt: newSeed().ExpiresAt}})
		must(t, err)
		row, err := h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 1, Token: "a", Now: at, Until: at.Add(time.Minute), Seed: newSeed()})
		must(t, err)
		if row.EventName != newSeed().EventName || row.PrimaryKey != newSeed().PrimaryKey {
			t.Errorf("the row is of %q %d", row.EventName, row.PrimaryKey)
		}
		row, err = h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 1, Token: "b", Now: at.Add(time.Hour), Until: at.Add(2 * time.Hour), Seed: newSeed()})
		if err != nil || row.EventName != newSeed().EventName {
			t.Errorf("after the next lease: %q, %v", row.EventName, err)
		}
	})
}

func ptr[T any](v T) *T { return &v }

func testResponses(t *testing.T, h Harness) {
	response := func(key delivery.Key, at time.Time, excerpt string) delivery.FailureResponse {
		return delivery.FailureResponse{Key: key, Number: 3, At: at, Excerpt: excerpt, ExpiresAt: newSeed().ExpiresAt}
	}
	t.Run("Response returns what PutResponse stored", func(t *testing.T) {
		t.Parallel()
		for _, excerpt := range []string{"x", "HTTP 500 Internal Server Error\nDate: <&>\n\n" + strings.Repeat("Blåbær ✓ ", 300), "\x01\x02", fmt.Sprint(now().UnixNano())} {
			want := response(newKey(t, newTenant(t), 7), now(), excerpt)
			must(t, h.Deliveries.PutResponse(t.Context(), want))
			got, err := h.Deliveries.Response(t.Context(), want.Key)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
	t.Run("Response of an absent or expired response is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		key := newKey(t, newTenant(t), 7)
		if _, err := h.Deliveries.Response(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("absent: got %v", err)
		}
		r := response(key, now(), "x")
		r.ExpiresAt = now().Add(-time.Minute).Truncate(time.Second)
		must(t, h.Deliveries.PutResponse(t.Context(), r))
		if _, err := h.Deliveries.Response(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("expired: got %v", err)
		}
	})
	t.Run("PutResponse replaces that of an earlier attempt only", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		for _, r := range []delivery.FailureResponse{response(key, at, "first"), response(key, at.Add(time.Second), "later"), response(key, at, "late"), response(key, at.Add(time.Second), "again")} {
			must(t, h.Deliveries.PutResponse(t.Context(), r))
		}
		got, err := h.Deliveries.Response(t.Context(), key)
		if err != nil || got.Excerpt != "later" {
			t.Errorf("got %q, %v", got.Excerpt, err)
		}
	})
	t.Run("a response is not a row: no other method touches it", func(t *testing.T) {
		t.Parallel()
		key, at := newKey(t, newTenant(t), 7), now()
		must(t, h.Deliveries.PutResponse(t.Context(), response(key, at, "alone")))
		if _, err := h.Deliveries.Get(t.Context(), key); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Get: %v", err)
		}
		page, err := h.Deliveries.Log(t.Context(), delivery.LogQuery{Tenant: key.Tenant, Webhook: 7, Limit: 10, Examine: 10})
		if err != nil || page.Examined != 0 {
			t.Errorf("Log examined %d, %v", page.Examined, err)
		}
		_, err = h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
		must(t, err)
		_, err = h.Deliveries.Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 2, Token: "a", Now: at, Until: at, Seed: newSeed()})
		must(t, err)
		if got, err := h.Deliveries.Response(t.Context(), key); err != nil || got.Excerpt != "alone" {
			t.Errorf("got %q, %v", got.Excerpt, err)
		}
	})
	t.Run("EraseDeliveries removes the responses of a webhook, up to a limit, and no others", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		mine, other := []delivery.Key{newKey(t, tenant, 1), newKey(t, tenant, 1), newKey(t, tenant, 1)}, newKey(t, tenant, 11)
		for _, k := range append(mine, other) {
			must(t, h.Deliveries.PutResponse(t.Context(), response(k, now(), "x")))
			_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(k, now()))
			must(t, err)
		}
		total := 0
		for {
			n, err := h.Erasure.EraseDeliveries(t.Context(), tenant, 1, 2)
			must(t, err)
			if n > 2 {
				t.Fatalf("erased %d at a time", n)
			}
			if n == 0 {
				break
			}
			total += n
		}
		for _, k := range mine {
			if _, err := h.Deliveries.Response(t.Context(), k); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		}
		if _, err := h.Deliveries.Response(t.Context(), other); err != nil || total != 6 {
			t.Errorf("erased %d of 6; the other webhook's: %v", total, err)
		}
	})
}
