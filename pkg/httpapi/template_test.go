package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// previewed is what tests read of a preview.
type previewed struct {
	Body     *string
	Warnings []string
}

func (s *server) previewed(body string) (shown previewed) {
	s.t.Helper()
	got := s.call("POST", "/api/v1/Webhook/1/Options/Preview", body)
	if err := json.Unmarshal(got.Body.Bytes(), &shown); err != nil || got.Code != 200 {
		s.t.Fatalf("got %d %s (%v)", got.Code, got.Body, err)
	}
	return shown
}

func TestPreview_ShowsWhatATemplateMakes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"name":"Blåbær <AS>","amount":1.50}`)
	event := `"EventId":"` + string(s.events()[0].ID) + `"`
	const document = `{"text":"{{Event}} {{PrimaryKey}}: {{FieldValues.name}}","n":"{{FieldValues.amount}}","was":"{{Previous.name}}"}`
	const want = `{"text":"contact.changed 7: Blåbær <AS>","n":1.50,"was":null}`
	warning := "None of the 1 events that match Events has the member of Template.Previous.name."
	if got := s.previewed(`{"Template":` + document + `,` + event + `}`); got.Body == nil || *got.Body != want || len(got.Warnings) != 1 || got.Warnings[0] != warning {
		t.Errorf("got %+v", got)
	}
	if got := s.call("PATCH", "/api/v1/Webhook/1/Options", `{"Template":`+document+`}`); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	if got := s.previewed(`{` + event + `}`); got.Body == nil || *got.Body != want {
		t.Errorf("of the webhook's own template: got %+v", got)
	}
	if got := s.previewed(`{"Fields":["amount"],` + event + `}`); got.Body == nil || *got.Body != `{"text":"contact.changed 7: ","n":1.50,"was":null}` {
		t.Errorf("with Fields: got %+v", got)
	}
	if got := s.previewed(`{"Template":null,"Format":"data",` + event + `}`); got.Body == nil || *got.Body != `{"name":"Blåbær <AS>","amount":1.50}` {
		t.Errorf("without it: got %+v", got)
	}
	got := s.call("POST", "/api/v1/Webhook/1/Options/Preview", `{"Template":{"text":"{{FieldValues.name"},`+event+`}`)
	if got.Code != 400 || !strings.Contains(got.Body.String(), `Template has {{ without }} in \"{{FieldValues.name\"; {{{{ is a literal {{`) {
		t.Errorf("a fault: got %d %s", got.Code, got.Body)
	}
}

// A body that is too large is neither sent nor shown; the attempt, its request and a
// preview say why.
func TestTemplate_TooLargeABody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"text":"`+strings.Repeat("x", template.MaxResult/3)+`"}`)
	id := s.events()[0].ID
	const document = `["{{FieldValues.text}}","{{FieldValues.text}}","{{FieldValues.text}}"]`
	got := s.previewed(`{"Template":` + document + `,"EventId":"` + string(id) + `"}`)
	if want := "Event " + string(id) + " would not be sent. body_too_large: The webhook's Template makes a body of more than 512 KiB"; got.Body != nil || len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], want) {
		t.Errorf("got %+v", got)
	}
	if got := s.call("PATCH", "/api/v1/Webhook/1/Options", `{"Template":`+document+`}`); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	_, err := s.db.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{
		Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: id}, Now: now, Seed: delivery.Seed{EventName: "contact.changed", ExpiresAt: now.Add(time.Hour)},
		Outcome: delivery.Outcome{Status: delivery.StatusFailed, Attempt: delivery.Attempt{Number: 1, At: now, Error: failure.Body, Sent: webhook.Sent{Revision: 2}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var shown shownRequest
	response := s.call("GET", "/api/v1/Webhook/1/Deliveries/"+string(id)+"/Request", "")
	if err := json.Unmarshal(response.Body.Bytes(), &shown); err != nil || response.Code != 200 {
		t.Fatalf("got %d %s (%v)", response.Code, response.Body, err)
	}
	if shown.Exact || shown.Body != "" || shown.URL == "" || !strings.HasPrefix(shown.Note, "Nothing was sent. body_too_large: The webhook's Template") {
		t.Errorf("the request: got %+v", shown)
	}
}

// Where bodies have no values, neither which events pass a filter nor what a template
// makes of them tells what they are. What is stored already stays.
func TestOptions_WithoutValues(t *testing.T) {
	t.Parallel()
	var config *httpapi.Config
	s := newServer(t, func(c *httpapi.Config) { config = c })
	s.call("POST", "/api/v1/Webhook", minimal)
	s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"name":"Hidden"}`)
	const stored = `{"Filter":{"FieldValues":{"name":["x"]}},"Template":{"n":"{{FieldValues.name}}"}}`
	if got := s.call("PATCH", "/api/v1/Webhook/1/Options", stored); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	config.OmitFieldValues = true
	s.Handler = httpapi.New(*config)
	const fault = " must not be about %: this deployment keeps values out of deliveries (EVENT_DATA=names)"
	for body, members := range map[string]string{
		`{"Filter":{"FieldValues":{"name":[{"prefix":"H"}]}}}`:                        "Filter FieldValues",
		`{"Filter":{"$or":[{"Key":["x"]},{"Previous":{"name":[{"exists":false}]}}]}}`: "Filter Previous",
		`{"Template":{"text":"{{Previous.name}}"}}`:                                   "Template Previous",
		`{"Template":["{{FieldValues}}"],"Filter":{"FieldValues":{"name":["x"]}}}`:    "Filter FieldValues",
		`{"Template":{"text":"{{Event}} {{Changes}} {{Values.name}}"}}`:               "",
		`{"Filter":{"Changes":["name"],"Values":{"name":["x"]}}}`:                     "",
		`{"TimeoutSeconds":5}`: "",
	} {
		for _, call := range [][2]string{{"PATCH", "/api/v1/Webhook/1/Options"}, {"POST", "/api/v1/Webhook/1/Options/Preview"}} {
			got := s.call(call[0], call[1], body)
			option, member, refused := strings.Cut(members, " ")
			if want := option + strings.Replace(fault, "%", member, 1); refused != (got.Code == 400) || refused && !strings.Contains(got.Body.String(), want) {
				t.Errorf("%s %s: got %d %s", call[0], body, got.Code, got.Body)
			}
		}
	}
}
