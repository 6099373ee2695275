package webhook_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Decision 0.6: what patterns match.
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
		"webhook12.errors":      {"webhook12.errors"},
		"webhooks.errors":       {"webhooks.errors", "webhooks.*", "*"},
	}
	for name, want := range tests {
		if diff := cmp.Diff(want, webhook.SubscriptionKeys(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Decision 0.21: the part of the name that is the entity.
func TestEvent_Entity(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"contact.changed":       "contact",
		"list.category.created": "list.category",
		"non":                   "non",
		"webhook7.stopped":      "",
	} {
		if got := (webhook.Event{Name: name}).Entity(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
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

func TestWebhook_Matches(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := webhook.Webhook{State: webhook.StateActive, Events: []string{"Contact.*", "sale.sold"}, ActivatedAt: accepted.Add(-time.Hour)}
	stopped, late, justInTime, deep := active, active, active, active
	deep.Events = []string{"order.LINE.*"}
	stopped.State = webhook.StateStopped
	late.ActivatedAt = accepted.Add(61 * time.Second)
	justInTime.ActivatedAt = accepted.Add(60 * time.Second)
	tests := []struct {
		name    string
		webhook webhook.Webhook
		event   string
		want    bool
	}{
		{"by first segment, in any case", active, "contact.created", true},
		{"by a longer prefix", deep, "Order.Line.added", true},
		{"by a longer prefix, further down", deep, "order.line.item.added", true},
		{"not what is only one segment of the prefix", deep, "order.added", false},
		{"not the prefix itself", deep, "order.line", false},
		{"not a segment that begins alike", deep, "order.lines.added", false},
		{"by exact name", active, "sale.sold", true},
		{"another event of a subscribed entity", active, "sale.lost", false},
		{"not the ping", active, "test", false},
		{"not when stopped", stopped, "sale.sold", false},
		{"not when activated more than 60 s after acceptance", late, "sale.sold", false},
		{"when activated 60 s after acceptance", justInTime, "sale.sold", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.webhook.Matches(tt.event, accepted); got != tt.want {
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
		t.Error("the id is not valid by its own rule")
	}
	if first := webhook.FirstEventID(time.UnixMilli(0x0123456789ab)); first >= id || first <= webhook.FirstEventID(time.UnixMilli(0x0123456789aa)) {
		t.Errorf("the first id of the instant, %s, does not bound it", first)
	}
	if _, err := webhook.NewEventID(time.Now(), bytes.NewReader(nil)); err == nil {
		t.Error("got an id without randomness, want an error")
	}
}
