package embedded_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// A page of a search examines a bounded number of events, wherever the page is.
// BenchmarkFigures measures the same with a million.
func TestSearch_ManyEventsArePagedInBoundedSteps(t *testing.T) {
	t.Parallel()
	const stored = 50_000
	db, random := open(t, t.TempDir()), webhooktest.Random(1)
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	db.PutAll(t, func(yield func(webhook.Event) bool) {
		for i := range stored {
			at := start.Add(time.Duration(i) * time.Second)
			id, err := webhook.NewEventID(at, random)
			if err != nil {
				t.Error(err)
				return
			}
			e := webhook.Event{
				Tenant: "Default", ID: id, Name: "contact.changed", PrimaryKey: int32(i % 1000), Data: []byte(`{"name":"Blåbær AS","category_idx":3}`), At: at, ExpiresAt: at.AddDate(10, 0, 0),
			}
			if !yield(e) {
				return
			}
		}
	})
	seven, none := int32(7), int32(1000)
	for name, q := range map[string]webhook.EventQuery{
		"all":          {},
		"some match":   {Filter: webhook.EventFilter{PrimaryKey: &seven}},
		"none match":   {Filter: webhook.EventFilter{PrimaryKey: &none}},
		"none is seen": {Sees: func(webhook.Event) bool { return false }},
	} {
		for _, from := range []int{stored, stored / 2, stored / 100} {
			q.Tenant, q.Limit, q.Before = "Default", 100, webhook.FirstEventID(start.Add(time.Duration(from)*time.Second))
			page, err := db.Events().Search(t.Context(), q)
			if err != nil || page.Examined == 0 || page.Examined > 3000 || name != "all" && page.Next != "" && page.Examined < 1000 {
				t.Errorf("%s before event %d: examined %d, %v", name, from, page.Examined, err)
			}
		}
	}
}
