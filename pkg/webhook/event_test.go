package webhook_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Decision 0.6: which patterns match.
func TestSubscriptionKeys(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"contact.changed":       {"contact.changed", "contact.*", "*"},
		"Contact.Changed":       {"contact.changed", "contact.*", "*"},
		"list.category.created": {"list.category.created", "list.category.*", "list.*", "*"},
		"Order.Line.":           {"order.line.", "order.line.*", "order.*", "*"},
		"a.b.c.d.e.f.g":         {"a.b.c.d.e.f.g", "a.b.c.d.e.f.*", "a.b.c.d.e.*", "a.b.c.d.*", "a.b.c.*", "a.b.*", "a.*", "*"},
		"a.b.c.d.e.f.g.h.i":     {"a.b.c.d.e.f.g.h.i", "a.b.c.d.e.f.*", "a.b.c.d.e.*", "a.b.c.d.*", "a.b.c.*", "a.b.*", "a.*", "*"},
		"non":                   {"non", "*"},
		"test":                  {"test"},
		"Webhook12.errors":      {"webhook12.errors", "webhook.errors"},
		"webhook.errors":        {"webhook.errors"},
		"webhook.created":       {"webhook.created", "webhook.*", "*"},
		"webhooks.errors":       {"webhooks.errors", "webhooks.*", "*"},
	}
	for name, want := range tests {
		if diff := cmp.Diff(want, webhook.SubscriptionKeys(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestValidEventPattern(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		"contact.changed": true, "et": true, "A-b_c.9": true, "*": true, "contact.*": true,
		"": false, "a,b": false, "contact.ch*": false, "*.changed": false, "blåbær": false,
		"list.category.*": true, "a.b.c.d.e.f.*": true, "a.b.c.d.e.f.g.*": false, "a.b.c.d.e.f.g.h": true, ".*": false, "a.*.*": false, "a.*.b": false, "a*": false,
		strings.Repeat("a", 198) + ".*": true, strings.Repeat("a", 199) + ".*": false,
		strings.Repeat("a", 200): true, strings.Repeat("a", 201): false,
	} {
		if got := webhook.ValidEventPattern(pattern); got != want {
			t.Errorf("%q: got %v, want %v", pattern, got, want)
		}
	}
}

func TestSubscribesToAndRecipients(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := webhook.Webhook{State: webhook.StateActive, Events: []string{"Contact.*", "sale.sold"}, ActivatedAt: accepted.Add(-time.Hour)}
	stopped, late, justInTime, deep := active, active, active, active
	deep.Events = []string{"order.LINE.*"}
	watcher := active
	watcher.Events, watcher.App = []string{"webhook.errors", "webhook7.stopped", "contact.*"}, "app1"
	anyApp := watcher
	anyApp.App = ""
	stopped.State = webhook.StateStopped
	late.ActivatedAt = accepted.Add(61 * time.Second)
	justInTime.ActivatedAt = accepted.Add(60 * time.Second)
	tests := []struct {
		name    string
		webhook webhook.Webhook
		event   webhook.Event
		want    bool
	}{
		{"by first segment, in any case", active, webhook.Event{Name: "contact.created"}, true},
		{"by a longer prefix", deep, webhook.Event{Name: "Order.Line.added"}, true},
		{"by a longer prefix, further down", deep, webhook.Event{Name: "order.line.item.added"}, true},
		{"not what is only one segment of the prefix", deep, webhook.Event{Name: "order.added"}, false},
		{"not the prefix itself", deep, webhook.Event{Name: "order.line"}, false},
		{"not a segment that begins alike", deep, webhook.Event{Name: "order.lines.added"}, false},
		{"by exact name", active, webhook.Event{Name: "sale.sold"}, true},
		{"another event of a subscribed entity", active, webhook.Event{Name: "sale.lost"}, false},
		{"not the ping", active, webhook.Event{Name: "test"}, false},
		{"not when stopped", stopped, webhook.Event{Name: "sale.sold"}, false},
		{"not when activated more than 60 s after acceptance", late, webhook.Event{Name: "sale.sold"}, false},
		{"when activated 60 s after acceptance", justInTime, webhook.Event{Name: "sale.sold"}, true},
		{"a state event of any webhook of its app", watcher, webhook.Event{Name: "webhook12.errors", App: "app1"}, true},
		{"not a state event of another app's webhook", watcher, webhook.Event{Name: "webhook12.errors", App: "app2"}, false},
		{"not a state event of a webhook without an app", watcher, webhook.Event{Name: "webhook12.errors"}, false},
		{"not one of another app's webhook by id", watcher, webhook.Event{Name: "webhook7.stopped", App: "app2"}, false},
		{"without an app, a state event of any app's webhook", anyApp, webhook.Event{Name: "webhook12.errors", App: "app2"}, true},
		{"not another kind of state event", anyApp, webhook.Event{Name: "webhook12.stopped"}, false},
		{"an app's webhook gets other events of the tenant", watcher, webhook.Event{Name: "contact.created"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.webhook.SubscribesTo(webhook.SubscriptionKeys(tt.event.Name)...) &&
				tt.webhook.Takes(tt.event, accepted)
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestNewEventID(t *testing.T) {
	t.Parallel()
	random := bytes.NewReader(bytes.Repeat([]byte{0xff}, 10))
	id, err := webhook.NewEventID(time.UnixMilli(0x0123456789ab), random)
	if err != nil {
		t.Fatal(err)
	}
	if want := webhook.EventID("01234567-89ab-7fff-bfff-ffffffffffff"); id != want {
		t.Errorf("got %s, want %s: 48 bits of time, version 7, variant 10", id, want)
	}
	if !id.Valid() {
		t.Error("Valid rejects the new id")
	}
	if at := id.Time(); at.UnixMilli() != 0x0123456789ab || !webhook.EventID("x").Time().IsZero() {
		t.Errorf("it is of %v", at)
	}
	if first := webhook.FirstEventID(time.UnixMilli(0x0123456789ab)); first >= id || first <= webhook.FirstEventID(time.UnixMilli(0x0123456789aa)) {
		t.Errorf("the first id of the instant, %s, is not its lower bound", first)
	}
	if _, err := webhook.NewEventID(time.Now(), bytes.NewReader(nil)); err == nil {
		t.Error("got an id without random bytes, want an error")
	}
}
