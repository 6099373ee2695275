package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var accepted = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func newEvent(t *testing.T, name string) webhook.Event {
	t.Helper()
	id, err := webhook.NewEventID(accepted, webhooktest.Random(1))
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Event{Tenant: "Default", ID: id, Name: name, At: accepted}
}

// newWebhook returns an active webhook that was created an hour before the event.
func newWebhook(patterns ...string) webhook.Webhook {
	before := accepted.Add(-time.Hour)
	return webhook.Webhook{
		Tenant: "Default", ID: 7, Name: "n", Events: patterns, State: webhook.StateActive, Registered: before, Updated: before, Revision: 3, Activation: 1, ActivatedAt: before,
	}
}

func codes(reasons []explain.Reason) (all []explain.Code) {
	for _, r := range reasons {
		all = append(all, r.Code)
	}
	return all
}

// Every combination of what dispatch looks at: the verdict is dispatch's, and a
// webhook that does not match lacks something that has a code. One that was created
// after the event has no verdict before there is a row.
func TestExplain_TheVerdictIsDispatchs(t *testing.T) {
	t.Parallel()
	matching, cases := 0, 0
	for _, name := range []string{"contact.changed", "Contact.Changed", "a.b.c.d.e.f.g.h", "webhook7.errors", "webhook.errors", "test", "x"} {
		for _, pattern := range []string{"contact.changed", "contact.*", "*", "WEBHOOK7.errors", "webhook.errors", "a.b.c.d.e.f.*", "test", "sale.sold"} {
			for _, state := range []webhook.State{webhook.StateActive, webhook.StateStopped, webhook.StateTooManyErrors} {
				for _, app := range []string{"", "a", "b"} {
					for _, activated := range []time.Duration{-time.Hour, 0, time.Minute, time.Minute + time.Millisecond, time.Hour} {
						for _, registered := range []time.Duration{-time.Hour, 0, time.Minute} {
							e, w := newEvent(t, name), newWebhook("none.such", pattern)
							e.App = "a"
							w.State, w.App, w.ActivatedAt, w.Registered = state, app, accepted.Add(activated), accepted.Add(registered)
							x := explain.Explain(explain.Facts{Event: e, Accepted: accepted, Revisions: []webhook.Webhook{w}, Now: accepted})
							want := registered <= 0 && w.SubscribesTo(webhook.SubscriptionKeys(name)...) && len(webhook.Recipients(e, slices.Values([]webhook.Webhook{w}), accepted)) == 1
							cases++
							if want {
								matching++
							}
							switch got := codes(x.Reasons); {
							case x.Matches != want, want != (got[0] == explain.Matched), want && x.Pattern != pattern:
								t.Fatalf("%s, %s, %v, app %q, activated %v, registered %v: got %v %v by %q, want %t", name, pattern, state, app, activated, registered, x.Matches, got, x.Pattern, want)
							case slices.Contains(got, explain.OtherRule):
								t.Fatalf("%s, %s, %v, app %q, activated %v: the rule has no code", name, pattern, state, app, activated)
							}
						}
					}
				}
			}
		}
	}
	if matching == 0 || matching == cases {
		t.Errorf("%d of %d match", matching, cases)
	}
}

func TestExplain_NamesEveryRuleThatRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event  string
		change func(w *webhook.Webhook)
		want   []explain.Code
		text   string
	}{
		"no pattern":      {"sale.sold", func(*webhook.Webhook) {}, []explain.Code{explain.NotSubscribed}, "add sale.sold, sale.* or *."},
		"stopped":         {"contact.changed", func(w *webhook.Webhook) { w.State = webhook.StateStopped }, []explain.Code{explain.Stopped}, "Stopped"},
		"disabled":        {"contact.changed", func(w *webhook.Webhook) { w.State = webhook.StateTooManyErrors }, []explain.Code{explain.Disabled}, "TooManyErrors"},
		"another app's":   {"webhook9.errors", func(w *webhook.Webhook) { w.App, w.Events = "b", []string{"webhook.errors"} }, []explain.Code{explain.OtherApp}, "another app"},
		"activated later": {"contact.changed", func(w *webhook.Webhook) { w.ActivatedAt = accepted.Add(61 * time.Second) }, []explain.Code{explain.ActivatedLater}, "at 2026-11-24T08:01:01Z"},
		"created later": {"contact.changed", func(w *webhook.Webhook) {
			w.Registered, w.ActivatedAt = accepted.Add(61*time.Second), accepted.Add(61*time.Second)
		}, []explain.Code{explain.CreatedLater}, "at 2026-11-24T08:01:01Z"},
		"everything": {"webhook9.errors", func(w *webhook.Webhook) {
			w.App, w.State, w.ActivatedAt = "b", webhook.StateStopped, accepted.Add(time.Hour)
		}, []explain.Code{explain.NotSubscribed, explain.Stopped, explain.OtherApp, explain.ActivatedLater}, "add webhook9.errors or webhook.errors."},
	} {
		e, w := newEvent(t, test.event), newWebhook("contact.*")
		e.App = "a"
		test.change(&w)
		x := explain.Explain(explain.Facts{Event: e, Accepted: accepted, Revisions: []webhook.Webhook{w}, Now: accepted.Add(time.Hour)})
		if diff := cmp.Diff(test.want, codes(x.Reasons)); diff != "" || x.Matches {
			t.Errorf("%s: matches %t (-want +got):\n%s", name, x.Matches, diff)
		}
		if !strings.Contains(x.Reasons[0].Text, test.text) {
			t.Errorf("%s: got %q, want %q in it", name, x.Reasons[0].Text, test.text)
		}
	}
}
