package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// effect shows that an option does something: what is observed of a webhook with
// each of two values, both of which differ from each other.
type effect struct {
	values  [2]any
	wants   [2]string
	observe func(s *started, setOption func(url string) int32) string
}

// attempted signals an event and returns its delivery to the webhook after the
// first attempt.
func (s *started) attempted(id int32) delivery.Row {
	s.t.Helper()
	key := delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}
	return s.row(key, func(d delivery.Row) bool { return d.AttemptCount == 1 })
}

// effects has an entry for every option.
var effects = map[string]effect{
	"Policy": {
		[2]any{"superoffice", "durable"},
		[2]string{"next attempt after 1s", "next attempt after 5s"},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t, webhooktest.Answer{Status: 503})
			row := s.attempted(setOption(target.URL))
			if row.NextAt.Sub(row.Attempts[0].At) > 3*time.Second { // 5 s ± 20 %
				return "next attempt after 5s"
			}
			return "next attempt after 1s"
		},
	},
	"TimeoutSeconds": {
		[2]any{1, 2},
		[2]string{"timeout after 1s", "timeout after 2s"},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t, webhooktest.Answer{Wait: make(chan struct{})})
			row := s.attempted(setOption(target.URL))
			return fmt.Sprintf("%s after %v", row.Attempts[0].Error, row.Attempts[0].Duration.Truncate(time.Second))
		},
	},
	"SecretOverlapSeconds": {
		[2]any{0, 3600},
		[2]string{"1 signatures", "2 signatures"},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t)
			s.rotate(setOption(target.URL))
			s.signal()
			return fmt.Sprintf("%d signatures", len(strings.Fields(received(s.t, s, target, 1)[0].Header.Get("Webhook-Signature"))))
		},
	},
	"Format": {
		[2]any{"data", "cloudevents"},
		[2]string{"[name]", "[data datacontenttype id source specversion subject time type]"},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t)
			setOption(target.URL)
			s.signal()
			var body map[string]any
			if err := json.Unmarshal(received(s.t, s, target, 1)[0].Body, &body); err != nil {
				s.t.Fatal(err)
			}
			return fmt.Sprint(slices.Sorted(maps.Keys(body)))
		},
	},
	"Include": {
		[2]any{[]string{}, []string{"previous"}},
		[2]string{"<nil>", "map[name:old]"},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t)
			setOption(target.URL)
			const event = `{"Event":"contact.changed","PrimaryKey":7,"FieldValues":{"name":"new"},"Previous":{"name":"old"}}`
			if status, _, response := s.call("POST", "/api/v1/Events", event); status != 202 {
				s.t.Fatalf("got %d %s", status, response)
			}
			var body map[string]any
			if err := json.Unmarshal(received(s.t, s, target, 1)[0].Body, &body); err != nil {
				s.t.Fatal(err)
			}
			return fmt.Sprint(body["Previous"])
		},
	},
	"Filter":       selecting(map[string]any{"FieldValues": map[string]any{"n": []int{1}}}, map[string]any{"FieldValues": map[string]any{"n": []int{2}}}),
	"OnlyFields":   selecting([]string{"first"}, []string{"second"}),
	"IgnoreFields": selecting([]string{"second"}, []string{"first"}),
	"SkipOwn":      selecting([]int{2}, []int{1}),
	"Fields": {
		[2]any{[]string{"A"}, []string{"b", "c"}},
		[2]string{`["a"] {"a":1.50}`, `["b"] {"b":"<"}`},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t)
			setOption(target.URL)
			if status, _, response := s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"a":1.50,"b":"<"}`); status != 204 {
				s.t.Fatalf("got %d %s", status, response)
			}
			var body struct{ Changes, FieldValues json.RawMessage }
			if err := json.Unmarshal(received(s.t, s, target, 1)[0].Body, &body); err != nil {
				s.t.Fatal(err)
			}
			return fmt.Sprintf("%s %s", body.Changes, body.FieldValues)
		},
	},
	"Template": {
		[2]any{map[string]any{"text": "{{Event}}!"}, []any{"{{PrimaryKey}}"}},
		[2]string{`{"text":"contact.changed!"}`, `[7]`},
		func(s *started, setOption func(string) int32) string {
			target := webhooktest.NewReceiver(s.t)
			setOption(target.URL)
			s.signal()
			return string(received(s.t, s, target, 1)[0].Body)
		},
	},
}

// selecting is the effect of an option with values of which the first refuses the
// second of two events, and the second the first.
func selecting(first, second any) effect {
	return effect{[2]any{first, second}, [2]string{"1", "2"}, func(s *started, setOption func(string) int32) string {
		target := webhooktest.NewReceiver(s.t)
		setOption(target.URL)
		const events = `[{"Event":"contact.changed","PrimaryKey":1,"Changes":["first"],"FieldValues":{"n":1},"ChangedByAssociateId":1},
			{"Event":"contact.changed","PrimaryKey":2,"Changes":["second"],"FieldValues":{"n":2},"ChangedByAssociateId":2}]`
		if status, _, response := s.call("POST", "/api/v1/Events", events); status != 202 {
			s.t.Fatalf("got %d %s", status, response)
		}
		var body map[string]any
		if err := json.Unmarshal(received(s.t, s, target, 1)[0].Body, &body); err != nil {
			s.t.Fatal(err)
		}
		return fmt.Sprint(body["PrimaryKey"])
	}}
}

// unexposed are fields of webhook.Options that the API does not show yet, with
// the reason.
var unexposed = map[string]string{}

// Every option changes what happens. An option without an entry in effects, in
// docs/superoffice.md or in openapi.json, or with a field that the API does not
// show, fails here.
func TestOptions_EachHasAnEffect(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	s.create("http://127.0.0.1:1024/")
	status, _, response := s.call("GET", "/api/v1/Webhook/1/Options", "")
	var shown map[string]any
	if err := json.Unmarshal(response, &shown); err != nil || status != 200 {
		t.Fatalf("got %d %s (%v)", status, response, err)
	}
	names := slices.Sorted(maps.Keys(shown))
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(effects))); diff != "" {
		t.Errorf("options without an effect (-shown +effects):\n%s", diff)
	}
	fields := reflect.TypeFor[webhook.Options]()
	for i := range fields.NumField() {
		field := fields.Field(i).Name // TimeoutSeconds is the field Timeout
		inAPI := slices.ContainsFunc(names, func(name string) bool { return strings.TrimSuffix(name, "Seconds") == field })
		if reason, ok := unexposed[field]; inAPI == ok {
			t.Errorf("webhook.Options.%s: shown by the API %v, left out on purpose %v (%s)", field, inAPI, ok, reason)
		}
	}
	_, _, response = s.call("GET", "/api/v1/openapi.json", "")
	var openapi struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]any } `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(response, &openapi); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{"Options", "OptionsInput"} {
		if diff := cmp.Diff(names, slices.Sorted(maps.Keys(openapi.Components.Schemas[schema].Properties))); diff != "" {
			t.Errorf("openapi.json, %s (-shown +described):\n%s", schema, diff)
		}
	}
	_, _, refusal := s.call("PATCH", "/api/v1/Webhook/1/Options", `{"Nope":1}`)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "superoffice.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(string(refusal), name) {
			t.Errorf("the message for an unknown option lacks %s: %s", name, refusal)
		}
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("docs/superoffice.md has no row for %s", name)
		}
	}
}

func TestOptions_Effects(t *testing.T) {
	t.Parallel()
	for name, e := range effects {
		for i, value := range e.values {
			t.Run(fmt.Sprintf("%s %v", name, value), func(t *testing.T) {
				t.Parallel()
				s := start(t, t.TempDir(), nil)
				got := e.observe(s, func(url string) int32 {
					id := s.create(url)
					option, err := json.Marshal(map[string]any{name: value})
					if err != nil {
						t.Fatal(err)
					}
					if status, _, response := s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d/Options", id), string(option)); status != 200 {
						t.Fatalf("got %d %s", status, response)
					}
					return id
				})
				if got != e.wants[i] {
					t.Errorf("got %s, want %s", got, e.wants[i])
				}
			})
		}
	}
}
