package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func testRowsApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	event, at := newEventID(t, now()), now()
	of := func(i int) delivery.Key {
		return delivery.Key{Tenant: tenants[i], Webhook: 1, Event: event}
	}
	row := func(i int) delivery.Row {
		t.Helper()
		got, err := h.Deliveries.Get(t.Context(), of(i))
		if errors.Is(err, webhook.ErrNotFound) {
			return delivery.Row{}
		}
		must(t, err)
		return got
	}
	// The tenants take each step in turn, after the others' previous steps.
	steps := []struct {
		name string
		do   func(key delivery.Key) (delivery.Row, error)
	}{
		{"Park", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.Park(t.Context(), delivery.Park{Key: k, Round: 1, Attempt: 1, Now: at, Net: at, Seed: newSeed()})
		}},
		{"Defer", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.Defer(t.Context(), delivery.Defer{Key: k, Seen: at, Now: at, Net: at.Add(time.Minute), ExpiresAt: newSeed().ExpiresAt})
		}},
		{"Claim", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.Claim(t.Context(), delivery.Claim{Key: k, Seen: at.Add(time.Minute), Now: at, Next: at.Add(time.Hour)})
		}},
		{"MakeDue", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.MakeDue(t.Context(), delivery.MakeDue{Key: k, Round: 1, Attempt: 1, Now: at, SweepAt: at, Seed: newSeed()})
		}},
		{"Lease", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.Lease(t.Context(), delivery.Lease{Key: k, Round: 1, Attempt: 1, Token: "one for all", Now: at, Until: at.Add(time.Minute), SweepAt: at.Add(time.Hour), Seed: newSeed()})
		}},
		{"Finish", func(k delivery.Key) (delivery.Row, error) {
			first := pendingFirst(k, at).Outcome
			return h.Deliveries.Finish(t.Context(), delivery.Finish{Key: k, Round: 1, Attempt: 1, Token: "one for all", Now: at, ExpiresAt: newSeed().ExpiresAt, Outcome: first})
		}},
		{"MarkDelivered", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.MarkDelivered(t.Context(), delivery.MarkDelivered{Key: k, Round: 1, Now: at, Attempt: delivery.Attempt{Number: 2, At: at}, Seed: newSeed(), ExpiresAt: newSeed().ExpiresAt})
		}},
		{"StartRound", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.StartRound(t.Context(), delivery.StartRound{Key: k, Seen: delivery.StatusDelivered, Now: at, Due: at, SweepAt: at.Add(5 * time.Minute), Seed: newSeed()})
		}},
		{"End", func(k delivery.Key) (delivery.Row, error) {
			return h.Deliveries.End(t.Context(), delivery.End{Key: k, Round: 2, Status: delivery.StatusCancelled, Reason: "stopped", Now: at, Seed: newSeed()})
		}},
	}
	for _, step := range steps {
		for i := range tenants {
			before := [3]delivery.Row{row(0), row(1), row(2)}
			written, err := step.do(of(i))
			if err != nil {
				t.Fatalf("%s for %s: %v", step.name, tenants[i], err)
			}
			before[i] = written
			if diff := cmp.Diff(before, [3]delivery.Row{row(0), row(1), row(2)}); diff != "" || written.Key != of(i) {
				t.Errorf("%s for %s, all rows (-want +got):\n%s", step.name, tenants[i], diff)
			}
			log, err := h.Deliveries.Log(t.Context(), delivery.LogQuery{Tenant: tenants[i], Webhook: 1, Limit: 10, Examine: 100})
			must(t, err)
			if diff := cmp.Diff([]delivery.Row{row(i)}, log.Deliveries); diff != "" {
				t.Errorf("after %s, Log for %s (-want +got):\n%s", step.name, tenants[i], diff)
			}
			page, err := h.Deliveries.List(t.Context(), tenants[i], 1, "", 10)
			must(t, err)
			if diff := cmp.Diff([]delivery.Row{written}, page); diff != "" {
				t.Errorf("%s for %s, List (-want +got):\n%s", step.name, tenants[i], diff)
			}
		}
	}
	// Existing rows do not block other tenants' rows.
	key := newKey(t, tenants[0], 1)
	for _, tenant := range tenants {
		key.Tenant = tenant
		_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key, at))
		must(t, err)
		if got := due(t, h, tenant, at.Add(time.Hour)); len(got) != 1 || got[0].Key != key {
			t.Errorf("due of %s are %+v, want its only row", tenant, got)
		}
	}
}

func testErasureApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	shared, at := newEvent(t, tenants[0]), now()
	key := func(tenant webhook.Tenant) delivery.Key {
		return delivery.Key{Tenant: tenant, Webhook: 1, Event: shared.ID}
	}
	for _, tenant := range tenants {
		e := shared
		e.Tenant = tenant
		must(t, h.Events.Put(t.Context(), e))
		_, err := h.Deliveries.RecordFirst(t.Context(), pendingFirst(key(tenant), at))
		must(t, err)
		must(t, h.Deliveries.PutResponse(t.Context(), delivery.FailureResponse{Key: key(tenant), At: at, Excerpt: string(tenant), ExpiresAt: newSeed().ExpiresAt}))
	}
	n, err := h.Erasure.EraseEvents(t.Context(), tenants[0], 10)
	rows, errRows := h.Erasure.EraseDeliveries(t.Context(), tenants[0], 1, 10)
	if n != 1 || rows != 2 || err != nil || errRows != nil {
		t.Errorf("erased %d events, %v, and %d rows and responses, %v; want one of each", n, err, rows, errRows)
	}
	if _, err := h.Deliveries.Response(t.Context(), key(tenants[0])); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("response of %s: got %v, want ErrNotFound", tenants[0], err)
	}
	for _, tenant := range tenants[1:] {
		if _, err := h.Events.Get(t.Context(), tenant, shared.ID); err != nil {
			t.Errorf("event of %s: %v", tenant, err)
		}
		if _, err := h.Deliveries.Get(t.Context(), key(tenant)); err != nil {
			t.Errorf("row of %s: %v", tenant, err)
		}
		if r, err := h.Deliveries.Response(t.Context(), key(tenant)); r.Excerpt != string(tenant) {
			t.Errorf("response of %s: %q, %v", tenant, r.Excerpt, err)
		}
		if got := due(t, h, tenant, at.Add(time.Hour)); len(got) != 1 {
			t.Errorf("%d rows of %s are due, want 1", len(got), tenant)
		}
		if h.Feed != nil && len(h.Feed(t, tenant)) != 1 {
			t.Errorf("the feed of %s has %d records, want 1", tenant, len(h.Feed(t, tenant)))
		}
	}
}
