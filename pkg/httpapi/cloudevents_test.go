package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// specified returns an example of the CloudEvents specification: the headers and the
// body of a request.
func specified(t *testing.T, name string) (headers []string, body string) {
	t.Helper()
	text := read(t, "../cloudevent/testdata/spec/"+name)
	switch {
	case strings.HasSuffix(name, "batch.json"):
		return []string{"Content-Type: application/cloudevents-batch+json; charset=UTF-8"}, text
	case strings.HasSuffix(name, ".json"):
		return []string{"Content-Type: application/cloudevents+json; charset=UTF-8"}, text
	}
	head, body, _ := strings.Cut(text, "\n\n")
	return strings.Split(head, "\n"), body
}

// The examples of the specification, at the time that they have.
func TestCloudEvents_Specification(t *testing.T) {
	t.Parallel()
	type event = webhook.Event
	entity := "com.example"
	of := func(data, source, id string, at time.Time) event {
		return event{
			Name: "com.example.someevent", ChangedBy: 1, At: at, Hops: 1,
			Content: &webhook.Content{Entity: &entity, FieldValues: json.RawMessage(data), Changes: []string{"data"}, Source: source, SourceEvent: id},
		}
	}
	at := time.Date(2018, 4, 5, 17, 31, 0, 0, time.UTC)
	object := of(`{"appinfoA":"abc","appinfoB":123,"appinfoC":true}`, "/mycontext", "C234-1234-1234", at)
	object.Content.Changes = []string{"appinfoA", "appinfoB", "appinfoC"}
	number := of(`{"data":1.5}`, "/mycontext", "C234-1234-1234", at)
	text := of(`{"data":"I'm just a string"}`, "/mycontext", "D234-1234-1234", at)
	message := of(`{"message":"Hello World!"}`, "/mycontext/subcontext", "1234-1234-1234", time.Date(2018, 4, 5, 3, 56, 24, 0, time.UTC))
	message.Content.Changes = []string{"message"}
	for name, want := range map[string]event{
		"object.json": object, "object.http": object, "number.json": number, "number.http": number, "string.json": text, "string.http": text,
		"conformance-binary.http": message, "conformance-structured.http": message,
	} {
		s := newServer(t)
		s.clock.Set(at)
		headers, body := specified(t, name)
		e, err := s.db.Events().Get(t.Context(), "Default", s.accepted(body, headers...)[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, stated(e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	s := newServer(t)
	s.clock.Set(at)
	for name, text := range map[string]string{
		"binary.json": "data_base64", "binary.http": "Content-Type", "xml.json": "datacontenttype", "xml.http": "Content-Type", "base64.json": "data_base64", "base64.http": "Content-Type",
		"batch.json": "[0].data_base64",
	} {
		headers, body := specified(t, name)
		if got := s.call("POST", eventsPath, body, headers...); got.Code != 415 || !strings.Contains(got.Body.String(), `"`+text) {
			t.Errorf("%s: got %d %s, want 415 about %s", name, got.Code, got.Body, text)
		}
	}
	headers, body := specified(t, "empty-batch.json")
	if ids := s.accepted(body, headers...); len(ids) != 0 {
		t.Errorf("an empty batch: got %v", ids)
	}
}

func TestCloudEvents_SubjectAndData(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		subject string
		want    webhook.Event
	}{
		{"", webhook.Event{}},
		{"7", webhook.Event{PrimaryKey: 7}},
		{"0", webhook.Event{}},
		{"-2147483648", webhook.Event{PrimaryKey: -1 << 31}},
		{"2147483647", webhook.Event{PrimaryKey: 1<<31 - 1}},
		{"2147483648", webhook.Event{Key: "2147483648"}},
		{"007", webhook.Event{Key: "007"}},
		{"+7", webhook.Event{Key: "+7"}},
		{"-0", webhook.Event{Key: "-0"}},
		{"7 ", webhook.Event{Key: "7 "}},
		{"7.0", webhook.Event{Key: "7.0"}},
		{"0x7", webhook.Event{Key: "0x7"}},
		{"٧", webhook.Event{Key: "٧"}},
		{"A-7", webhook.Event{Key: "A-7"}},
	} {
		s := newServer(t)
		object := map[string]any{"specversion": "1.0", "id": "1", "source": "s", "type": "a", "data": nil}
		if test.subject != "" {
			object["subject"] = test.subject
		}
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		s.accepted(string(body), "Content-Type: application/cloudevents+json")
		e := s.events()[0]
		if e.PrimaryKey != test.want.PrimaryKey || e.Key != test.want.Key || string(e.Content.FieldValues) != `{"data":null}` {
			t.Errorf("subject %q: got %d, %q and %s", test.subject, e.PrimaryKey, e.Key, e.Content.FieldValues)
		}
	}
}

func TestCloudEvents_OurMembers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	entity, a := "e", "a"
	s.accepted(`[
		{"specversion":"1.0","id":"1","source":"s","type":"a.b","subject":"7","sequence":9,"posthaste":"event","data":
			{"PrimaryKey":7,"Key":"k","entity":"e","Changes":["x"],"FieldValues":{"x":1},"Values":{"y":2},"Previous":{"x":0},"ChangedByAssociateId":5}},
		{"specversion":"1.0","id":"2","source":"s","type":"a.b","posthaste":"event"},
		{"specversion":"1.0","id":"3","source":"s","type":"a.b","posthaste":null,"data":{"Changes":["x"]}}]`, "Content-Type: application/cloudevents-batch+json")
	s.accepted(`{"Previous":{"x":0}}`, "ce-specversion: 1.0", "ce-id: 4", "ce-source: s", "ce-type: a.b", "ce-posthaste: event", "Content-Type: application/json")
	want := []*webhook.Content{
		{
			Entity: &entity, Changes: []string{"x"}, FieldValues: json.RawMessage(`{"x":1}`), Values: json.RawMessage(`{"y":2}`),
			Previous: json.RawMessage(`{"x":0}`), Source: "s", SourceEvent: "1", Sequence: "9",
		},
		{Entity: &a, Source: "s", SourceEvent: "2"},
		{Entity: &a, Changes: []string{"Changes"}, FieldValues: json.RawMessage(`{"Changes":["x"]}`), Source: "s", SourceEvent: "3"},
		{Entity: &a, Previous: json.RawMessage(`{"x":0}`), Source: "s", SourceEvent: "4"},
	}
	stored := map[string]webhook.Event{}
	for _, e := range s.events() {
		stored[e.Content.SourceEvent] = e
	}
	for _, c := range want {
		if diff := cmp.Diff(c, stored[c.SourceEvent].Content); diff != "" {
			t.Errorf("event %s (-want +got):\n%s", c.SourceEvent, diff)
		}
	}
	if e := stored["1"]; e.PrimaryKey != 7 || e.Key != "k" || e.ChangedBy != 5 {
		t.Errorf("got %d, %q, by %d", e.PrimaryKey, e.Key, e.ChangedBy)
	}
}
