package explaintest_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/explain/explaintest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Explanations of every combination pass, and each of them fails once one of its
// members is wrong.
func TestCheck(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	e := webhook.Event{Tenant: "Default", ID: webhook.DeriveEventID(accepted, "x"), Name: "a.b"}
	before := accepted.Add(-time.Hour)
	yes := webhook.Webhook{Tenant: "Default", ID: 1, Events: []string{"a.*"}, State: webhook.StateActive, Registered: before, Updated: before, ActivatedAt: before, Revision: 1}
	no := yes
	no.Events, no.Updated, no.Revision = []string{"c"}, accepted.Add(time.Second), 2
	rows := []delivery.Row{
		{},
		{Status: delivery.StatusDelivered, Round: 1, Attempt: 1, AttemptCount: 1},
		{Status: delivery.StatusPending, Round: 1, Attempt: 1, AttemptCount: 1, NextAt: accepted.Add(time.Hour)},
		{Status: delivery.StatusPending, Round: 1, Attempt: 1, LeaseBy: "t", LeaseUntil: accepted.Add(time.Minute)},
	}
	for _, states := range [][]webhook.Webhook{{yes}, {no}, {yes, no}} {
		if states[0].Revision == 2 {
			states[0].Updated = before
		}
		for _, row := range rows {
			for _, age := range []time.Duration{time.Second, time.Hour} {
				f := explain.Facts{Event: e, Accepted: accepted, Revisions: states, Row: row, Now: accepted.Add(age)}
				w := explaintest.Witness{Accepted: accepted, Refusals: map[explain.Code]bool{}, Exists: true, Row: row, Now: f.Now}
				for _, state := range states {
					if state.Revision == 1 {
						w.Wanted = true
					} else {
						w.Refusals[explain.NotSubscribed] = true
					}
				}
				w.Certain = len(w.Refusals) == 0
				x := explain.Explain(f)
				if err := explaintest.Check(x, w); err != nil {
					t.Errorf("%d states, row %q, after %v: %+v: %v", len(states), row.Status, age, x, err)
				}
				for name, change := range map[string]func(*explain.Explanation){
					"Status": func(x *explain.Explanation) { x.Status += "x" }, "Round": func(x *explain.Explanation) { x.Round++ },
					"Attempt": func(x *explain.Explanation) { x.Attempt++ }, "Reasons": func(x *explain.Explanation) { x.Reasons = nil },
					"code": func(x *explain.Explanation) { x.Reasons = append(x.Reasons, explain.Reason{Code: explain.Stopped}) },
				} {
					broken := x
					if change(&broken); explaintest.Check(broken, w) == nil {
						t.Errorf("%d states, row %q: a wrong %s passes", len(states), row.Status, name)
					}
				}
				broken := x
				if broken.Matches = !x.Matches; explaintest.Check(broken, w) == nil && (len(states) == 1 || row.Exists()) && (!row.Exists() || x.Matches) {
					t.Errorf("%d states, row %q: a wrong verdict passes", len(states), row.Status)
				}
			}
		}
	}
}
