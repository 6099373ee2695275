package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func testEvents(t *testing.T, h Harness) {
	t.Run("Get returns what Put stored, data byte for byte, and tells absent from empty", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		full, bare, long := newEvent(t, tenant), newEvent(t, tenant), newEvent(t, tenant)
		bare.Data, bare.ChangedBy, bare.Hops, bare.PrimaryKey = nil, 0, 0, 0
		long.Data = []byte(`{"text":"` + strings.Repeat("Blåbær ", 4000) + `"}`)
		entity, none := "<y_table>", ""
		said, empty := newEvent(t, tenant), newEvent(t, tenant)
		said.Key, said.Data = "A-7#<b>", nil
		said.Content = &webhook.Content{
			Entity: &entity, Changes: []string{"b", "<a>"}, FieldValues: full.Data, Values: full.Data, Previous: full.Data,
			Context: "Cust26759", Source: "/in/crm", SourceEvent: "s-1", Sequence: "9", Truncated: true,
		}
		empty.Data = nil
		empty.Content = &webhook.Content{Entity: &none, Changes: []string{}, FieldValues: []byte(`{}`)}
		absent := empty
		absent.ID, absent.Content = newEventID(t, absent.At), &webhook.Content{}
		for _, want := range []webhook.Event{full, bare, long, said, empty, absent} {
			must(t, h.Events.Put(t.Context(), want))
			got, err := h.Events.Get(t.Context(), tenant, want.ID)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
	t.Run("Put of an existing id changes nothing and returns nil", func(t *testing.T) {
		t.Parallel()
		first := newEvent(t, newTenant(t))
		must(t, h.Events.Put(t.Context(), first))
		second := first
		second.Name = "other.name"
		must(t, h.Events.Put(t.Context(), second))
		got, err := h.Events.Get(t.Context(), first.Tenant, first.ID)
		must(t, err)
		if got.Name != first.Name {
			t.Errorf("got %s, want %s", got.Name, first.Name)
		}
		if h.Feed != nil {
			if n := len(h.Feed(t, first.Tenant)); n != 1 {
				t.Errorf("the feed has %d records, want 1", n)
			}
		}
	})
	t.Run("the feed returns a stored event with the time it was stored", func(t *testing.T) {
		t.Parallel()
		if h.Feed == nil {
			t.Skip("the harness has no feed: it is tested elsewhere")
		}
		want := newEvent(t, newTenant(t))
		want.At = want.At.Add(-time.Hour) // the feed uses its own time
		before := now().Truncate(max(time.Second, h.Stamp))
		must(t, h.Events.Put(t.Context(), want))
		records := h.Feed(t, want.Tenant)
		if len(records) != 1 {
			t.Fatalf("got %d records, want 1", len(records))
		}
		if diff := cmp.Diff(want, records[0].Event); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if records[0].Accepted.Before(before) || records[0].Accepted.After(now().Add(time.Second)) || records[0].Sequence == "" {
			t.Errorf("got stamp %v and sequence %q", records[0].Accepted, records[0].Sequence)
		}
	})
	t.Run("Get of an absent, a foreign or an expired event is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		e := newEvent(t, newTenant(t))
		e.ExpiresAt = now().Add(-time.Minute).Truncate(time.Second)
		if _, err := h.Events.Get(t.Context(), e.Tenant, e.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("absent: got %v", err)
		}
		must(t, h.Events.Put(t.Context(), e))
		if _, err := h.Events.Get(t.Context(), e.Tenant, e.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("expired: got %v", err)
		}
		living := newEvent(t, e.Tenant)
		must(t, h.Events.Put(t.Context(), living))
		if _, err := h.Events.Get(t.Context(), newTenant(t), living.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("another tenant's: got %v", err)
		}
		listed, err := h.Events.List(t.Context(), e.Tenant, webhook.FirstEventID(time.Time{}), "ffffffff-ffff-ffff-ffff-ffffffffffff", 10)
		must(t, err)
		if len(listed) != 1 || listed[0].ID != living.ID {
			t.Errorf("List shows %d events, want only the live one", len(listed))
		}
	})
	t.Run("Put over an expired event stores it and feeds it again", func(t *testing.T) {
		t.Parallel()
		e := newEvent(t, newTenant(t))
		e.ExpiresAt = now().Add(-time.Minute).Truncate(time.Second)
		must(t, h.Events.Put(t.Context(), e))
		e.ExpiresAt = now().Add(time.Hour).Truncate(time.Second)
		must(t, h.Events.Put(t.Context(), e))
		got, err := h.Events.Get(t.Context(), e.Tenant, e.ID)
		must(t, err)
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if h.Feed != nil && len(h.Feed(t, e.Tenant)) != 2 {
			t.Errorf("the feed has %d records, want 2", len(h.Feed(t, e.Tenant)))
		}
	})
	t.Run("List is in order of id, both ends included, paged", func(t *testing.T) {
		t.Parallel()
		tenant, start := newTenant(t), now().Add(-time.Hour)
		var all []webhook.EventID
		for i := range 45 {
			e := newEvent(t, tenant)
			e.ID = newEventID(t, start.Add(time.Duration(i)*time.Millisecond))
			must(t, h.Events.Put(t.Context(), e))
			all = append(all, e.ID)
		}
		must(t, h.Events.Put(t.Context(), newEvent(t, newTenant(t))))
		list := func(first, last webhook.EventID, limit int) []webhook.EventID {
			t.Helper()
			page, err := h.Events.List(t.Context(), tenant, first, last, limit)
			must(t, err)
			got := []webhook.EventID{}
			for _, e := range page {
				got = append(got, e.ID)
			}
			return got
		}
		if diff := cmp.Diff(all[3:40], list(all[3], all[39], 100)); diff != "" {
			t.Errorf("a range (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(all[3:13], list(all[3], all[39], 10)); diff != "" {
			t.Errorf("a page (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(all[:1], list(webhook.FirstEventID(start), webhook.FirstEventID(start.Add(time.Millisecond)), 10)); diff != "" {
			t.Errorf("by time (-want +got):\n%s", diff)
		}
	})
	t.Run("Remember keeps the first claim of a key until it expires", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Truncate(time.Second)
		first := webhook.IdempotencyClaim{Event: newEventID(t, at), Body: "a", Expires: at.Add(time.Hour)}
		second := webhook.IdempotencyClaim{Webhook: 7, Body: "b", Expires: at.Add(3 * time.Hour)}
		remember := func(tenant webhook.Tenant, key string, claim webhook.IdempotencyClaim, at time.Time) webhook.IdempotencyClaim {
			t.Helper()
			existing, err := h.Events.Remember(t.Context(), tenant, key, claim, at)
			must(t, err)
			return existing
		}
		if diff := cmp.Diff(first, remember(tenant, "k", first, at)); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(first, remember(tenant, "k", second, at.Add(time.Minute))); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(second, remember(tenant, "other", second, at)); diff != "" {
			t.Errorf("another key (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(second, remember(newTenant(t), "k", second, at)); diff != "" {
			t.Errorf("another tenant (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(second, remember(tenant, "k", second, at.Add(time.Hour))); diff != "" {
			t.Errorf("after it expired (-want +got):\n%s", diff)
		}
	})
	t.Run("Reclaim replaces the claim of one webhook, or one that has expired", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Truncate(time.Second)
		claim := func(id int32) webhook.IdempotencyClaim {
			return webhook.IdempotencyClaim{Webhook: id, Body: "a", Expires: at.Add(time.Duration(id) * time.Hour)}
		}
		reclaim := func(tenant webhook.Tenant, key string, replaced, id int32, at time.Time) webhook.IdempotencyClaim {
			t.Helper()
			existing, err := h.Events.Reclaim(t.Context(), tenant, key, replaced, claim(id), at)
			must(t, err)
			return existing
		}
		_, err := h.Events.Remember(t.Context(), tenant, "k", claim(1), at)
		must(t, err)
		if diff := cmp.Diff(claim(1), reclaim(tenant, "k", 7, 2, at)); diff != "" {
			t.Errorf("of another webhook (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(claim(2), reclaim(tenant, "k", 1, 2, at)); diff != "" {
			t.Errorf("of this webhook (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(claim(2), reclaim(tenant, "k", 1, 3, at)); diff != "" {
			t.Errorf("a second time (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(claim(3), reclaim(tenant, "k", 7, 3, at.Add(2*time.Hour))); diff != "" {
			t.Errorf("after it expired (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(claim(4), reclaim(tenant, "free", 3, 4, at)); diff != "" {
			t.Errorf("a free key (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(claim(5), reclaim(newTenant(t), "k", 7, 5, at)); diff != "" {
			t.Errorf("another tenant (-want +got):\n%s", diff)
		}
	})
	t.Run("claims are not events", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Truncate(time.Second)
		claim := webhook.IdempotencyClaim{Event: newEventID(t, at), Body: "a", Expires: at.Add(time.Hour)}
		_, err := h.Events.Remember(t.Context(), tenant, "k", claim, at)
		must(t, err)
		if h.Feed != nil {
			if n := len(h.Feed(t, tenant)); n != 0 {
				t.Errorf("the feed has %d records, want none", n)
			}
		}
		listed, err := h.Events.List(t.Context(), tenant, webhook.FirstEventID(time.Time{}), "ffffffff-ffff-ffff-ffff-ffffffffffff", 10)
		if err != nil || len(listed) != 0 {
			t.Errorf("got %d events, %v", len(listed), err)
		}
	})
}
