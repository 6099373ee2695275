package outbound_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/sample"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// blocks returns the blocks of JSON of a page, by what marks them, or by their numbers.
func blocks(t *testing.T) (marked map[string]string, first []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	marked = map[string]string{}
	parts := strings.Split(string(page), "```")
	for i := 1; i < len(parts); i += 2 {
		document, ok := strings.CutPrefix(parts[i], "json\n")
		if !ok {
			continue
		}
		before := parts[i-1]
		if _, mark, found := strings.Cut(before[max(0, len(before)-40):], "<!-- preset:"); found {
			name, _, _ := strings.Cut(mark, " ")
			marked[name] = document
			continue
		}
		first = append(first, document)
	}
	return marked, first
}

// made returns what the sender makes of an event, and checks the options as a save does.
func made(t *testing.T, document string, e webhook.Event) []byte {
	t.Helper()
	options := webhook.Options{Template: json.RawMessage(document)}
	if err := options.Validate(); err != nil {
		t.Fatal(err)
	}
	w := webhook.Webhook{Tenant: "Cust12345", ID: 1, Name: "W", TargetURL: "https://example.com/", Options: options}
	e.Tenant, e.ID, e.At = "Cust12345", event.ID, at
	request, err := sender(t, func(c *outbound.Config) { c.Now = time.Now }).Rebuild(webhook.Post{Webhook: w, Event: e}, webhook.Sent{}, at)
	if err != nil {
		t.Fatal(err)
	}
	return request.Body
}

// eachText visits the strings of a document, and what is not one where it must be.
func eachText(value any, visit func(name, text string)) {
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			if text, ok := v.(string); ok {
				visit(name, text)
			} else if name == "text" || name == "value" || name == "title" {
				if _, object := v.(map[string]any); !object {
					visit(name, "") // null or an array
				}
			}
			eachText(v, visit)
		}
	case []any:
		for _, v := range value {
			eachText(v, visit)
		}
	}
}

// The presets of docs/templates.md make what Slack and Teams accept, of every event of
// the catalog, of an event without data, of the test event and of one about a webhook.
func TestPresets(t *testing.T) {
	t.Parallel()
	catalog, err := os.ReadFile("../sample/catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]json.RawMessage
	if err := json.Unmarshal(catalog, &names); err != nil || len(names) < 50 {
		t.Fatalf("%d events (%v)", len(names), err)
	}
	events := []webhook.Event{
		{Name: "order.placed"},
		{Name: webhook.TestEventName},
		{Name: "webhook7.errors", Data: json.RawMessage(`{"state":3}`), PrimaryKey: 7},
		{Name: "a.b", Key: "A<!channel>", Data: json.RawMessage(`{"<!channel>":1}`)},
	}
	for name := range names {
		content, _ := sample.Known(name)
		events = append(events, webhook.Event{Name: name, PrimaryKey: 7, Content: content})
	}
	presets, _ := blocks(t)
	if len(presets) != 2 {
		t.Fatalf("%d presets, want 2", len(presets))
	}
	for _, e := range events {
		for preset, document := range presets {
			body := made(t, document, e)
			var value map[string]any
			if err := json.Unmarshal(body, &value); err != nil {
				t.Fatalf("%s of %s: %v", preset, e.Name, err)
			}
			eachText(value, func(name, text string) {
				if text == "" || utf8.RuneCountInString(text) > 3000 {
					t.Errorf("%s of %s: %s has %d characters: %s", preset, e.Name, name, utf8.RuneCountInString(text), body)
				}
			})
			switch text, _ := value["text"].(string); {
			case preset == "slack" && (strings.ContainsAny(text, "<>&") || strings.Contains(string(body), "mrkdwn") || len(value["blocks"].([]any)) == 0):
				t.Errorf("Slack, of %s: %s", e.Name, body)
			case preset == "teams" && (value["type"] != "message" || len(body) > 28_000 || !strings.Contains(string(body), `"contentType":"application/vnd.microsoft.card.adaptive"`)):
				t.Errorf("Teams, of %s: %s", e.Name, body)
			}
			if err := (webhook.Options{Template: json.RawMessage(document)}).WithoutValues(); err != nil {
				t.Errorf("%s cannot be used with EVENT_DATA=names: %v", preset, err)
			}
		}
	}
}

// The example of docs/templates.md makes what the page says.
func TestTemplates_TheExample(t *testing.T) {
	t.Parallel()
	_, example := blocks(t)
	got := made(t, example[0], webhook.Event{Name: "contact.changed", Data: json.RawMessage(`{"name":"Blåbær AS","amount":1.50}`)})
	if string(got)+"\n" != example[1] {
		t.Errorf("got %s, the page says %s", got, example[1])
	}
}
