package sample

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Every event of the catalog may be signalled, is stored as an event is, and has its
// own record's id nowhere.
func TestCatalog(t *testing.T) {
	t.Parallel()
	if len(catalog()) < 50 {
		t.Errorf("%d events", len(catalog()))
	}
	for name := range catalog() {
		content, known := Known(strings.ToUpper(name))
		if !known || !webhook.MayRaise(name) || name != strings.ToLower(name) {
			t.Errorf("%s: known %t", name, known)
			continue
		}
		e := webhook.Event{Name: name, Content: content}
		if deleted := e.Deletes(); deleted != (content.Values != nil) || deleted && len(content.Changes) > 0 {
			t.Errorf("%s: values %s, changes %v", name, content.Values, content.Changes)
		}
		if content.Changes == nil || content.FieldValues == nil {
			t.Errorf("%s: changes %v, field values %s", name, content.Changes, content.FieldValues)
		}
		for _, values := range []json.RawMessage{content.FieldValues, content.Values} {
			members, err := jsonscan.Members(values)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, m := range members {
				entity, _, _ := strings.Cut(name, ".")
				if m.Name == entity+"_id" && string(m.Value) != "0" {
					t.Errorf("%s has the id of a record: %s %s", name, m.Name, m.Value)
				}
			}
		}
	}
}

func TestKnown_HasTheEntityAsSpelled(t *testing.T) {
	t.Parallel()
	content, known := Known("List.Category.Created")
	if !known || *content.Entity != "List.Category" {
		t.Errorf("got %v %v", content, known)
	}
	for _, name := range []string{"test", "contact", "contact.*", "webhook1.errors", "order.created", ""} {
		if _, known := Known(name); known {
			t.Errorf("%q is known", name)
		}
	}
}

// No value of the earlier event is in the sample.
func TestLike(t *testing.T) {
	t.Parallel()
	values := json.RawMessage(`{"name":"s3cr\"t","<n>":-1.5e3,"ok":true,"gone":null,"list":["s3cret",{"a":1}],"deep":{"x":{"y":"s3cret"}},"none":{}}`)
	const emptied = `{"name":"","\u003cn\u003e":0,"ok":false,"gone":null,"list":[],"deep":{"x":{"y":""}},"none":{}}`
	entity := "order"
	for name, test := range map[string]struct {
		event webhook.Event
		seen  func(webhook.Event) webhook.Carried
		want  webhook.Event
	}{
		"a signal": {
			webhook.Event{Name: "order.placed", PrimaryKey: 7, Key: "k", Data: values},
			func(e webhook.Event) webhook.Carried { return e.Carried(false) },
			webhook.Event{Name: "order.placed", Data: json.RawMessage(emptied)},
		},
		"a signal of a deletion": {
			webhook.Event{Name: "order.deleted", Data: values},
			func(e webhook.Event) webhook.Carried { return e.Carried(true) },
			webhook.Event{Name: "order.deleted", Data: json.RawMessage(emptied)},
		},
		"a signal of which only names are seen": {
			webhook.Event{Name: "order.placed", Data: json.RawMessage(`{"b":1,"a":"s3cret"}`)},
			func(e webhook.Event) webhook.Carried { return e.Carried(true) },
			webhook.Event{Name: "order.placed", Data: json.RawMessage(`{"a":null,"b":null}`)},
		},
		"a signal without data": {
			webhook.Event{Name: "order.placed"},
			func(e webhook.Event) webhook.Carried { return e.Carried(false) },
			webhook.Event{Name: "order.placed"},
		},
		"an event of a source": {
			webhook.Event{Name: "order.placed", PrimaryKey: 7, Content: &webhook.Content{
				Entity: &entity, Changes: []string{"b", "a"}, FieldValues: values, Values: json.RawMessage(`{"id":7}`), Previous: json.RawMessage(`{"a":"s3cret"}`),
				Context: "s3cret", Source: "/in/s3cret", SourceEvent: "s3cret",
			}},
			func(e webhook.Event) webhook.Carried { return e.Carried(false) },
			webhook.Event{Name: "order.placed", Content: &webhook.Content{
				Entity: &entity, Changes: []string{"b", "a"}, FieldValues: json.RawMessage(emptied), Values: json.RawMessage(`{"id":0}`), Previous: json.RawMessage(`{"a":""}`),
			}},
		},
	} {
		got := Like(test.event, test.seen(test.event))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
