package webhook_test

import (
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// selected lists webhooks as dispatch does.
func selected(listed []webhook.Webhook) iter.Seq2[webhook.Webhook, *webhook.Selection] {
	return func(yield func(webhook.Webhook, *webhook.Selection) bool) {
		for _, w := range listed {
			if !yield(w, w.Selection()) {
				return
			}
		}
	}
}

func TestRecipients_AStateEventGoesToWebhooksThatMaySeeIt(t *testing.T) {
	t.Parallel()
	of := func(id int32, app string) webhook.Webhook {
		return webhook.Webhook{ID: id, State: webhook.StateActive, App: app}
	}
	listed := []webhook.Webhook{of(1, ""), of(2, "app1"), of(3, "app2")}
	event := webhook.Event{Name: "webhook9.errors", App: "app1"}
	got := webhook.Recipients(event, selected(listed), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if diff := cmp.Diff([]webhook.Webhook{of(1, ""), of(2, "app1")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := func(id int32) webhook.Webhook { return webhook.Webhook{ID: id, State: webhook.StateActive} }
	late := active(4)
	late.ActivatedAt = accepted.Add(time.Minute + 1)
	listed := []webhook.Webhook{active(3), active(1), {ID: 2, State: webhook.StateStopped}, late, active(1), active(3)}
	if diff := cmp.Diff([]webhook.Webhook{active(3), active(1)}, webhook.Recipients(webhook.Event{}, selected(listed), accepted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTakes_WhatTheOptionsLeaveOut(t *testing.T) {
	t.Parallel()
	entity, accepted := "contact", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	plain := webhook.Event{Name: "Contact.Changed", PrimaryKey: 7, ChangedBy: 5, Data: []byte(`{"Name":"x","updated":"now"}`)}
	rich := webhook.Event{Name: "contact.changed", Content: &webhook.Content{
		Entity: &entity, Changes: []string{"updated"}, FieldValues: []byte(`{"amount":5}`), Previous: []byte(`{"amount":4}`), Source: "crm",
	}}
	deleted := webhook.Event{Name: "contact.deleted", Data: []byte(`{"amount":5}`)}
	for name, test := range map[string]struct {
		event   webhook.Event
		options webhook.Options
		refusal string // "" if the event is sent
	}{
		"no options":                   {plain, webhook.Options{}, ""},
		"a filter of folded names":     {plain, webhook.Options{Filter: []byte(`{"Event":["contact.changed"],"Entity":["Contact"]}`)}, ""},
		"a filter of data":             {plain, webhook.Options{Filter: []byte(`{"FieldValues":{"Name":["y"]}}`)}, "Filter.FieldValues.Name"},
		"a filter of changes":          {plain, webhook.Options{Filter: []byte(`{"Changes":["Name"],"PrimaryKey":[7]}`)}, ""},
		"a filter of content":          {rich, webhook.Options{Filter: []byte(`{"Source":["crm"],"Previous":{"amount":[{"numeric":["<",5]}]}}`)}, ""},
		"a filter of a deletion":       {deleted, webhook.Options{Filter: []byte(`{"Values":{"amount":[5]},"Changes":[{"exists":false}]}`)}, ""},
		"a filter of a later version":  {plain, webhook.Options{Filter: []byte(`{"Name":["x"]}`)}, ""},
		"only another field":           {plain, webhook.Options{OnlyFields: []string{"amount"}}, "OnlyFields"},
		"only one of the fields":       {plain, webhook.Options{OnlyFields: []string{"NAME", "amount"}}, ""},
		"ignoring one of the fields":   {plain, webhook.Options{IgnoreFields: []string{"Updated"}}, ""},
		"ignoring all of the fields":   {rich, webhook.Options{IgnoreFields: []string{"Updated", "x"}}, "IgnoreFields"},
		"only a field that is ignored": {plain, webhook.Options{OnlyFields: []string{"name"}, IgnoreFields: []string{"name"}}, "OnlyFields"},
		"a deletion names no fields":   {deleted, webhook.Options{OnlyFields: []string{"name"}, IgnoreFields: []string{"amount"}}, ""},
		"its own event":                {plain, webhook.Options{SkipOwn: []int32{4, 5}}, "SkipOwn"},
		"another associate's event":    {plain, webhook.Options{SkipOwn: []int32{4}}, ""},
		"an event of the system":       {rich, webhook.Options{SkipOwn: []int32{0}}, ""},
	} {
		w := webhook.Webhook{State: webhook.StateActive, Options: test.options}
		if got := w.Refusal(test.event); got != test.refusal {
			t.Errorf("%s: got %q, want %q", name, got, test.refusal)
		}
		if got := w.Takes(test.event, accepted); got != (test.refusal == "") {
			t.Errorf("%s: takes %t", name, got)
		}
		w.State = webhook.StateStopped
		if w.Takes(test.event, accepted) {
			t.Errorf("%s: a stopped webhook takes it", name)
		}
	}
}
