package outbound_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/cloudevent"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A body in the format cloudevents is a CloudEvent as POST /api/v1/Events reads it,
// whatever the event has.
func TestCloudEvents_AreReadBack(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune(`aZ0 "%\/<>&é€😀`)), 0, 8, -1)
	objects := rapid.SampledFrom([]string{"", `{}`, `{"a":1.50,"b":{"c":["\u00e5å<>",null]}}`})
	rapid.Check(t, func(t *rapid.T) {
		e := webhook.Event{
			Tenant: "Default", ID: "019ac000-0000-7000-8000-000000000001", Name: rapid.StringMatching(`[a-z_.-]{1,20}`).Draw(t, "name"),
			PrimaryKey: rapid.Int32().Draw(t, "primary key"), Key: text.Draw(t, "key"), Hops: 1,
			At: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), 100*rapid.Int64Range(0, 9_999_999).Draw(t, "ticks")).UTC(),
		}
		data := objects.Draw(t, "data")
		if rapid.Bool().Draw(t, "plain") {
			e.Key, e.Data = "", json.RawMessage(data)
		} else {
			entity := text.Draw(t, "entity")
			e.Content = &webhook.Content{
				Entity: &entity, Changes: rapid.SliceOfN(text, 0, 3).Draw(t, "changes"), Context: text.Draw(t, "context"), Source: text.Draw(t, "source"),
				SourceEvent: text.Draw(t, "source event"), Sequence: text.Draw(t, "sequence"), Truncated: rapid.Bool().Draw(t, "truncated"),
			}
			for _, raw := range []*json.RawMessage{&e.Content.FieldValues, &e.Content.Values, &e.Content.Previous} {
				if object := objects.Draw(t, "object"); object != "" {
					*raw = json.RawMessage(object)
				}
			}
		}
		options := webhook.Options{Format: webhook.FormatCloudEvents, Include: []webhook.Include{webhook.IncludePrevious, webhook.IncludeChanges, webhook.IncludeValues}}
		body, err := outbound.AppendBody(nil, webhook.Post{Event: e, Webhook: webhook.Webhook{Options: options}})
		if err != nil {
			t.Fatal(err)
		}
		if err := jsonscan.CheckObject(body); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		got, faults := cloudevent.ParseJSON(body)
		want := cloudevent.Event{ID: string(e.ID), Source: "/posthaste/Default", Type: e.Name, Subject: e.Key, Time: e.At, Data: got.Data, Extensions: got.Extensions}
		if e.Key == "" {
			want.Subject = strconv.Itoa(int(e.PrimaryKey))
		}
		if diff := cmp.Diff(want, got); diff != "" || faults != nil {
			t.Errorf("%s: %v (-want +got):\n%s", body, faults, diff)
		}
		if got.Data == nil {
			t.Errorf("%s has no data", body)
		}
		if c := e.Content; c != nil {
			for name, want := range map[string]string{
				"entity": *c.Entity, "context": c.Context, "eventsource": c.Source, "sourceevent": c.SourceEvent, "sequence": c.Sequence, "previous": string(c.Previous), "values": string(c.Values),
			} {
				if got.Extensions[name] != want {
					t.Errorf("%s: %s is %q, want %q", body, name, got.Extensions[name], want)
				}
			}
		}
	})
}
