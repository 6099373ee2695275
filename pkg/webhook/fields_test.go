package webhook_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestOnly_KeepsTheListedMembersAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	entity := "contact"
	plain := webhook.Event{Name: "contact.changed", Data: json.RawMessage(`{"n":1.50,"<name>":"a\u00e5","x":{"n":1},"N":2}`)}
	rich := webhook.Event{Name: "contact.changed", Content: &webhook.Content{
		Entity: &entity, Changes: []string{"n", "x"}, FieldValues: json.RawMessage(`{"n":1,"x":2}`), Values: json.RawMessage(`{}`), Source: "crm",
	}}
	type content = webhook.Content
	for name, test := range map[string]struct {
		event   webhook.Event
		fields  []string
		data    string
		content *content
	}{
		"all":               {plain, nil, string(plain.Data), nil},
		"in any case":       {plain, []string{"n", "<NAME>"}, `{"n":1.50,"<name>":"a\u00e5","N":2}`, nil},
		"none of them":      {plain, []string{"other"}, `{}`, nil},
		"an event of a way": {rich, []string{"x", "y"}, ``, &content{Entity: &entity, Changes: []string{"x"}, FieldValues: json.RawMessage(`{"x":2}`), Values: json.RawMessage(`{}`), Source: "crm"}},
		"without data":      {webhook.Event{Name: "a"}, []string{"x"}, ``, nil},
	} {
		before := test.event
		got := test.event.Only(test.fields)
		if string(got.Data) != test.data {
			t.Errorf("%s: data %s, want %s", name, got.Data, test.data)
		}
		if diff := cmp.Diff(test.content, got.Content); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(before, test.event); diff != "" {
			t.Errorf("%s: the event itself changed:\n%s", name, diff)
		}
	}
	w := webhook.Webhook{Options: webhook.Options{Fields: []string{"x"}}}
	if diff := cmp.Diff(webhook.Carried{Changes: []string{"x"}, FieldValues: json.RawMessage(`{"x":2}`), Values: json.RawMessage(`{}`)}, w.Carries(rich, false)); diff != "" {
		t.Errorf("carried (-want +got):\n%s", diff)
	}
}
