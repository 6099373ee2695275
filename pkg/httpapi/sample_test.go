package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// tested is the response to a test with a sample, as far as tests look at it.
type tested struct {
	Success bool
	Message string
	Sample  string
	Request *struct {
		URL     string `json:"Url"`
		Headers map[string]string
		Body    string
	}
	Response struct {
		At            string
		StatusCode    int
		Error, Advice string
		Headers       map[string]string
		Body          string
	}
}

func (s *server) sample(event, body string, headers ...string) (shown tested) {
	s.t.Helper()
	s.pings = nil
	got := s.call("POST", "/api/v1/Webhook/Test?event="+event, body, headers...)
	if err := json.Unmarshal(got.Body.Bytes(), &shown); err != nil || got.Code != 200 || len(s.pings) != 1 {
		s.t.Fatalf("%s: got %d %s and %d POSTs", event, got.Code, got.Body, len(s.pings))
	}
	return shown
}

// countedEvents counts the calls of a store of events.
type countedEvents struct {
	webhook.Events
	searches, gets int
	limit          int
}

func (e *countedEvents) Search(ctx context.Context, q webhook.EventQuery) (webhook.EventPage, error) {
	e.searches++
	e.limit = q.Limit
	return e.Events.Search(ctx, q)
}

func (e *countedEvents) Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error) {
	e.gets++
	return e.Events.Get(ctx, tenant, id)
}

func TestSample_IsOfTheCatalogOrOfARecentEvent(t *testing.T) {
	t.Parallel()
	events := &countedEvents{}
	s := newServer(t, func(c *httpapi.Config) {
		events.Events = c.Registry.Events
		c.Registry.Events = events
	})
	s.call("POST", "/api/v1/Webhook", minimal)
	entity := "order"
	s.accept("Default", now.Add(-time.Minute), webhook.Event{Name: "order.placed", PrimaryKey: 7, Data: json.RawMessage(`{"old":1}`)})
	s.accept("Default", now, webhook.Event{Name: "Order.Placed", PrimaryKey: 8, Key: "k", Data: json.RawMessage(`{"amount":12.5,"customer":"marker"}`)})
	s.accept("Default", now, webhook.Event{Name: "contact.changed", PrimaryKey: 9, Data: json.RawMessage(`{"name":"marker"}`)})
	s.accept("Default", now, webhook.Event{Name: "table.changed", Content: &webhook.Content{Entity: &entity, Changes: []string{"b"}, FieldValues: json.RawMessage(`{"b":"marker","c":2}`)}})
	s.accept("Other", now, webhook.Event{Name: "secret.event", Data: json.RawMessage(`{"marker":1}`)})
	for event, test := range map[string]struct {
		sample, data string
		searches     int
	}{
		"contact.changed":   {"catalog", `"Changes":["contact_id","associate_id","department","updated_associate_id","updated","updatedCount"],"Event":"contact.changed","PrimaryKey":0,"Entity":"contact"`, 0},
		"CONTACT.Created":   {"catalog", `"Event":"CONTACT.Created","PrimaryKey":0,"Entity":"CONTACT","ContextIdentifier":"Default","ChangedByAssociateId":1,"WebhookName":"n","FieldValues":{"activeInterests":0,`, 0},
		"activity.deleted":  {"catalog", `"Values":{"appointment_id":0,"contact_id":1234,`, 0},
		"sale.sold":         {"catalog", `"FieldValues":{}`, 0},
		"order.placed":      {"recent", `"Changes":["amount","customer"],"Event":"order.placed","PrimaryKey":0,"Entity":"order","ContextIdentifier":"Default","ChangedByAssociateId":1,"WebhookName":"n","FieldValues":{"amount":0,"customer":""}`, 1},
		"table.changed":     {"recent", `"Changes":["b"],"Event":"table.changed","PrimaryKey":0,"Entity":"order","ContextIdentifier":"Default","ChangedByAssociateId":1,"WebhookName":"n","FieldValues":{"b":"","c":0}`, 1},
		"secret.event":      {"empty", `"Changes":[],"Event":"secret.event","PrimaryKey":0,"Entity":"secret",`, 1},
		"never.happened.ok": {"empty", `"FieldValues":{}`, 1},
	} {
		*events = countedEvents{Events: events.Events}
		s.answer = webhook.Result{At: now, StatusCode: 200, Sent: webhook.Sent{Body: "x", Signer: webhook.SignerCurrent}}
		got := s.sample(event, `{"WebhookId":1}`)
		if got.Sample != test.sample || got.Request == nil || !strings.Contains(got.Request.Body, test.data) {
			t.Errorf("%s: got %+v", event, got.Request)
			continue
		}
		if strings.Contains(fmt.Sprint(got.Request), "marker") {
			t.Errorf("%s: a value of an event was sent: %+v", event, got.Request)
		}
		for name, want := range map[string]string{"X-Hook-Test": "true", "X-SuperOffice-Event": event, "X-Api-Key": "********", "X-SuperOffice-Signature": "********"} {
			if got.Request.Headers[name] != want {
				t.Errorf("%s: header %s: got %q, want %q", event, name, got.Request.Headers[name], want)
			}
		}
		sent := s.pings[0]
		if !sent.Test || sent.Event.PrimaryKey != 0 || sent.Event.Key != "" || sent.Secrets.Current.Reveal() != "open sesame" || string(sent.Event.ID) != got.Request.Headers["webhook-id"] {
			t.Errorf("%s: sent %+v", event, sent.Event)
		}
		if events.searches != test.searches || events.gets != 0 || events.limit > 1 {
			t.Errorf("%s: %d searches for %d events, and %d reads of an event", event, events.searches, events.limit, events.gets)
		}
	}
	if n := len(s.events()); n != 4 {
		t.Errorf("%d events are stored, want those from before", n)
	}
}

// The names are those of events that the app sees, and that its deliveries carry.
func TestSample_OfAnAppKeepsToWhatItSees(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	who := tje0
	who.App = "app"
	s.accept("Default", now, webhook.Event{Name: "order.placed", Data: json.RawMessage(`{"a":1}`)})
	s.accept("Default", now, webhook.Event{Name: "salary.changed", Data: json.RawMessage(`{"amount":1}`)})
	apps := newServer(t, func(c *httpapi.Config) {
		c.Auth, c.Registry.Events = anyone{who}, s.db.Events()
	})
	apps.call("POST", "/api/v1/Webhook", `{"Events":["order.*"],"TargetUrl":"https://example.com/"}`)
	apps.answer = webhook.Result{StatusCode: 200, Sent: webhook.Sent{Body: "x"}}
	if got := apps.sample("order.placed", `{"WebhookId":1}`); got.Sample != "recent" || !strings.Contains(got.Request.Body, `"FieldValues":{"a":0}`) {
		t.Errorf("its own: got %+v", got.Request)
	}
	if got := apps.sample("salary.changed", `{"WebhookId":1}`); got.Sample != "empty" || strings.Contains(got.Request.Body, "amount") {
		t.Errorf("another's: got %+v", got.Request)
	}
}

func TestSample_HasTheFormatOfTheWebhook(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.answer = webhook.Result{At: now, StatusCode: 200, Sent: webhook.Sent{Body: "x"}}
	for format, want := range map[string]string{
		"standard":    `{"type":"contact.deleted","timestamp":"2026-11-24T08:00:00Z","data":{"associate_id":4039840,"contact_id":0},"primaryKey":0,`,
		"cloudevents": `"type":"contact.deleted","subject":"0",`,
		"data":        `{"associate_id":4039840,"contact_id":0}`,
	} {
		s.call("PUT", "/api/v1/Webhook/1/Options", `{"Format":"`+format+`"}`)
		for _, body := range []string{`{"WebhookId":1}`, `{"WebhookId":1,"TargetUrl":"https://example.com/other"}`} {
			if got := s.sample("contact.deleted", body); !strings.Contains(got.Request.Body, want) || got.Request.Headers["Content-Type"] == "" {
				t.Errorf("%s of %s: got %+v", format, body, got.Request)
			}
		}
	}
	if got := s.sample("contact.deleted", `{"TargetUrl":"https://example.com/"}`); !strings.HasPrefix(got.Request.Body, `{"EventId":`) {
		t.Errorf("of a webhook that is not stored: got %s", got.Request.Body)
	}
}

func TestSample_SaysWhatCameBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.answer = webhook.Result{
		At: now.Add(1234567), Error: failure.Status, StatusCode: 500, Sent: webhook.Sent{Body: "x"},
		Response: "HTTP 500\nServer: x\n\nno", Excerpt: "HTTP 500\nServer: x\n\nno",
	}
	if got := s.sample("a.b", `{"WebhookId":1}`); got.Success || got.Response.At != "2026-11-24T08:00:00.001Z" || got.Message != "HTTP 500\nServer: x\n\nno" || got.Response.StatusCode != 500 || got.Response.Error != "status" ||
		!strings.HasPrefix(got.Response.Advice, "The target responded with") || got.Response.Headers["Server"] != "x" || got.Response.Body != "no" {
		t.Errorf("a refusal: got %+v", got)
	}
	s.answer = webhook.Result{At: now, Error: failure.DNS, Sent: webhook.Sent{Body: "x"}}
	if got := s.sample("a.b", `{"WebhookId":1}`); got.Success || got.Request == nil || got.Response.Error != "dns" || got.Response.Headers != nil {
		t.Errorf("no host: got %+v", got)
	}
	s.answer = webhook.Result{At: now, Error: failure.Blocked}
	if got := s.sample("a.b", `{"WebhookId":1}`); got.Success || got.Request != nil || got.Response.Error != "blocked_address" {
		t.Errorf("nothing was sent: got %+v", got)
	}
	for event, fault := range map[string]string{"test": "event must be the name of an event", "webhook1.errors": "event must be", "contact.*": "event must be", "a%20b": "event must be"} {
		if got := s.call("POST", "/api/v1/Webhook/Test?event="+event, `{"WebhookId":1}`); got.Code != 400 || !strings.Contains(got.Body.String(), fault) {
			t.Errorf("%s: got %d %s", event, got.Code, got.Body)
		}
	}
	s.pings = nil
	for body, status := range map[string]int{`{"WebhookId":9}`: 404, `{}`: 400, `{"WebhookId":1,"Name":5}`: 400} {
		if got := s.call("POST", "/api/v1/Webhook/Test?event=contact.changed", body); got.Code != status || len(s.pings) != 0 {
			t.Errorf("%s: got %d %s", body, got.Code, got.Body)
		}
	}
}
