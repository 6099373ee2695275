package outbound_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The log shows an app the names and values that the bodies of its deliveries have, no
// more and no less: in every format, with every Include, whatever the event has.
func TestBodies_HaveWhatTheLogShows(t *testing.T) {
	t.Parallel()
	marks := []string{"a-name", "current-value", "deleted-value", "old-value"}
	events := []webhook.Event{
		{Name: "contact.changed"},
		{Name: "contact.changed", Data: json.RawMessage(`{"a-name":"current-value"}`)},
		{Name: "contact.deleted", Data: json.RawMessage(`{"a-name":"deleted-value"}`)},
	}
	for members := range 16 {
		c := &webhook.Content{}
		if members&1 != 0 {
			c.Changes = []string{"a-name"}
		}
		if members&2 != 0 {
			c.FieldValues = json.RawMessage(`{"x":"current-value"}`)
		}
		if members&4 != 0 {
			c.Values = json.RawMessage(`{"x":"deleted-value"}`)
		}
		if members&8 != 0 {
			c.Previous = json.RawMessage(`{"x":"old-value"}`)
		}
		events = append(events, webhook.Event{Name: "contact.changed", Content: c}, webhook.Event{Name: "contact.deleted", Content: c})
	}
	formats := []webhook.Format{"", webhook.FormatSuperOffice, webhook.FormatStandard, webhook.FormatCloudEvents, webhook.FormatData}
	includes := []webhook.Include{webhook.IncludePrevious, webhook.IncludeChanges, webhook.IncludeValues}
	shown := map[string]int{}
	for _, e := range events {
		for _, format := range formats {
			for set := range 1 << len(includes) {
				for _, namesOnly := range []bool{false, true} {
					w := webhook.Webhook{Options: webhook.Options{Format: format}}
					for i, member := range includes {
						if set>>i&1 != 0 {
							w.Options.Include = append(w.Options.Include, member)
						}
					}
					body, err := outbound.AppendBodyOf(nil, webhook.Post{Webhook: w, Event: e}, namesOnly)
					if err != nil {
						t.Fatal(err)
					}
					carried := fmt.Sprintf("%q %s", w.Carries(e, namesOnly).Changes, texts(w.Carries(e, namesOnly)))
					all := fmt.Sprintf("%q %s", e.Carried(namesOnly).Changes, texts(e.Carried(namesOnly)))
					for _, mark := range marks {
						if strings.Contains(string(body), mark) != strings.Contains(carried, mark) {
							t.Fatalf("%s, format %q, Include %v, names only %t: the body is %s, the log shows %s", e.Name, format, w.Options.Include, namesOnly, body, carried)
						}
						if strings.Contains(carried, mark) {
							shown[mark]++
							if !strings.Contains(all, mark) {
								t.Fatalf("%s, names only %t: an app sees %s, and all that there is is %s", e.Name, namesOnly, carried, all)
							}
						}
					}
				}
			}
		}
	}
	for _, e := range events {
		for _, namesOnly := range []bool{false, true} {
			w := webhook.Webhook{Tenant: "t", TargetURL: "https://example.com/", Options: webhook.Options{Template: json.RawMessage(everything)}}
			s := sender(t, func(c *outbound.Config) { c.OmitFieldValues = namesOnly })
			request, err := s.Rebuild(webhook.Post{Webhook: w, Event: e}, webhook.Sent{}, at)
			if err != nil {
				t.Fatal(err)
			}
			carried := fmt.Sprintf("%q %s", w.Carries(e, namesOnly).Changes, texts(w.Carries(e, namesOnly)))
			for _, mark := range marks {
				if strings.Contains(string(request.Body), mark) != strings.Contains(carried, mark) {
					t.Fatalf("%s, names only %t: the body of a template is %s, the log shows %s", e.Name, namesOnly, request.Body, carried)
				}
			}
		}
	}
	if missing := slices.IndexFunc(marks, func(mark string) bool { return shown[mark] == 0 }); missing >= 0 {
		t.Errorf("%s was never shown", marks[missing])
	}
}

func texts(c webhook.Carried) string {
	return strings.Join([]string{string(c.FieldValues), string(c.Values), string(c.Previous)}, " ")
}
