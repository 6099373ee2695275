package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// searched returns the ids of all pages of a search, newest first, and fails if a page
// breaks a rule.
func searched(t *testing.T, h Harness, q webhook.EventQuery) []webhook.EventID {
	t.Helper()
	ids := []webhook.EventID{}
	for range 1000 {
		page, err := h.Events.Search(t.Context(), q)
		must(t, err)
		if len(page.Events) > q.Limit || len(page.Events) > page.Examined {
			t.Fatalf("a page of %d has %d events and %d examined", q.Limit, len(page.Events), page.Examined)
		}
		for _, e := range page.Events {
			ids = append(ids, e.ID)
		}
		if page.Next == "" {
			return ids
		}
		if q.Before != "" && page.Next >= q.Before || page.Examined == 0 {
			t.Fatalf("the page before %s examined %d and continues before %s", q.Before, page.Examined, page.Next)
		}
		q.Before = page.Next
	}
	t.Fatal("the search does not end")
	return nil
}

func testSearch(t *testing.T, h Harness) {
	seven, none := int32(7), int32(0)
	entity := "Person"
	tenant, start := newTenant(t), now().Add(-time.Hour)
	var all []webhook.Event
	for i := range 120 {
		e := newEvent(t, tenant)
		e.ID, e.Name, e.PrimaryKey = newEventID(t, start.Add(time.Duration(i)*time.Millisecond)), "contact.changed", int32(i%10)
		switch i % 4 {
		case 1:
			e.Name, e.Key = "Sale.Created", fmt.Sprint("A-", i%10)
		case 2:
			e.Data, e.Content = nil, &webhook.Content{Entity: &entity, Source: "/in/crm"}
		}
		must(t, h.Events.Put(t.Context(), e))
		all = append([]webhook.Event{e}, all...)
	}
	expired := newEvent(t, tenant)
	expired.ID, expired.ExpiresAt = newEventID(t, start.Add(5*time.Millisecond)), now().Add(-time.Minute).Truncate(time.Second)
	must(t, h.Events.Put(t.Context(), expired))
	must(t, h.Events.Put(t.Context(), newEvent(t, newTenant(t))))
	for name, q := range map[string]webhook.EventQuery{
		"all":                        {},
		"a name in another case":     {Filter: webhook.EventFilter{Name: "CONTACT.changed"}},
		"a pattern":                  {Filter: webhook.EventFilter{Name: "sale.*"}},
		"an entity in another case":  {Filter: webhook.EventFilter{Entity: "person"}},
		"an entity of a plain name":  {Filter: webhook.EventFilter{Entity: "sale"}},
		"a primary key":              {Filter: webhook.EventFilter{PrimaryKey: &seven}},
		"primary key 0":              {Filter: webhook.EventFilter{PrimaryKey: &none}},
		"a key":                      {Filter: webhook.EventFilter{Key: "A-3"}},
		"a key in another case":      {Filter: webhook.EventFilter{Key: "a-3"}},
		"a source":                   {Filter: webhook.EventFilter{Source: "/in/crm"}},
		"nothing":                    {Filter: webhook.EventFilter{Source: "/in/other"}},
		"what may be seen":           {Sees: func(e webhook.Event) bool { return e.PrimaryKey < 3 }},
		"a range":                    {First: all[100].ID, Before: all[20].ID},
		"a range and a filter":       {First: all[100].ID, Before: all[20].ID, Filter: webhook.EventFilter{PrimaryKey: &seven}},
		"from an id":                 {First: all[3].ID},
		"before an id":               {Before: all[110].ID},
		"an empty range":             {First: all[20].ID, Before: all[20].ID},
		"a range that is reversed":   {First: all[20].ID, Before: all[100].ID},
		"several members, all match": {Filter: webhook.EventFilter{Name: "sale.created", Entity: "Sale", Key: "A-3", PrimaryKey: ptr(int32(3))}},
	} {
		t.Run("Search for "+name+" finds each event once, newest first", func(t *testing.T) {
			t.Parallel()
			want := []webhook.EventID{}
			for _, e := range all {
				if (q.First == "" || e.ID >= q.First) && (q.Before == "" || e.ID < q.Before) && q.Filter.Matches(e) && (q.Sees == nil || q.Sees(e)) {
					want = append(want, e.ID)
				}
			}
			for _, limit := range []int{1, 7, 100} {
				q.Tenant, q.Limit = tenant, limit
				if diff := cmp.Diff(want, searched(t, h, q)); diff != "" {
					t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
				}
			}
		})
	}
	t.Run("Search returns what Put stored", func(t *testing.T) {
		t.Parallel()
		page, err := h.Events.Search(t.Context(), webhook.EventQuery{Tenant: tenant, Limit: 100})
		must(t, err)
		if len(page.Events) == 0 {
			t.Fatal("no events")
		}
		if diff := cmp.Diff(all[:len(page.Events)], page.Events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Recall reads a claim until it expires", func(t *testing.T) {
		t.Parallel()
		at := now().Truncate(time.Second)
		claim := webhook.IdempotencyClaim{Event: newEventID(t, at), Body: "a", Expires: at.Add(time.Hour)}
		_, err := h.Events.Remember(t.Context(), tenant, "k", claim, at)
		must(t, err)
		got, err := h.Events.Recall(t.Context(), tenant, "k", at)
		must(t, err)
		if diff := cmp.Diff(claim, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for what, recall := range map[string]func() (webhook.IdempotencyClaim, error){
			"a free key": func() (webhook.IdempotencyClaim, error) { return h.Events.Recall(t.Context(), tenant, "free", at) },
			"an expired claim": func() (webhook.IdempotencyClaim, error) {
				return h.Events.Recall(t.Context(), tenant, "k", at.Add(time.Hour))
			},
			"another tenant's": func() (webhook.IdempotencyClaim, error) { return h.Events.Recall(t.Context(), newTenant(t), "k", at) },
		} {
			if got, err := recall(); !errors.Is(err, webhook.ErrNotFound) || got != (webhook.IdempotencyClaim{}) {
				t.Errorf("%s: got %+v, %v", what, got, err)
			}
		}
	})
}
