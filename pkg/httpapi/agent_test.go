package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const agent = "/api/v1/Agents/Webhook/"

// save saves a webhook through the agent and returns the response.
func (s *server) save(body string) map[string]any {
	s.t.Helper()
	answer := s.call("POST", agent+"SaveWebhook", body)
	if answer.Code != 200 {
		s.t.Fatalf("SaveWebhook: got %d %s", answer.Code, answer.Body)
	}
	var shown map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &shown); err != nil {
		s.t.Fatal(err)
	}
	return shown
}

func TestAgent_SaveCreatesOrUpdates(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	created := s.save(minimal)
	if _, linked := created["_Links"]; linked || created["WebhookId"] != 1.0 || created["Secret"] != "open sesame" {
		t.Errorf("created %v", created)
	}
	// Decision 0.1: an id other than 0 updates. Wrapped bodies are read too.
	saved := s.save(`{"webhook":{"webhookId":1,"name":"renamed","events":["a"],"targetUrl":"https://example.com/"}}`)
	if saved["WebhookId"] != 1.0 || saved["Name"] != "renamed" || saved["Secret"] != "********" || len(s.webhooks()) != 1 {
		t.Errorf("saved %v, stored %d", saved, len(s.webhooks()))
	}
	if got := s.call("POST", agent+"SaveWebhook", `{"WebhookId":9,"Events":["a"],"TargetUrl":"https://example.com/"}`); got.Code != 404 {
		t.Errorf("an unknown id: got %d %s", got.Code, got.Body)
	}
}

// The bodies are those of the official JavaScript client, which sends back what it
// received, with types of its own.
func TestAgent_GetChangeSave(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.save(minimal)
	got := s.call("POST", agent+"GetWebhook?webhookId=1", `null`, "Content-Type: application/json")
	var shown map[string]any
	if err := json.Unmarshal(got.Body.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	sent := map[string]any{}
	for name, value := range shown {
		sent[strings.ToLower(name[:1])+name[1:]] = value
	}
	for name, value := range map[string]any{
		"name": "changed", "updated": nil, "registered": "0001-01-01T00:00:00.000Z", "notifyVia": nil, "notifyWhen": 3,
		"registeredAssociate": map[string]any{"tableRight": map[string]any{"mask": 15}, "type": 1}, "lastError": 0, "totalCalls": "7",
	} {
		sent[name] = value
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	saved := s.save(string(body))
	shown["Name"], shown["NotifyWhen"] = "changed", "FirstFailure, Disabling"
	if diff := cmp.Diff(shown, saved); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
	doc, err := s.db.Secrets().Read(t.Context(), s.webhooks()[0].Secret)
	if err != nil || doc.Current.Reveal() != "open sesame" || doc.Headers["X-Api-Key"].Reveal() != "k1" {
		t.Errorf("the stored secrets changed (%v)", err)
	}
}

func TestAgent_Responses(t *testing.T) {
	t.Parallel()
	const unbindable = `{"Message":"The request is invalid.","MessageDetail":"`
	for name, test := range map[string]struct {
		path, body string
		status     int
		text       string // the start of the response
	}{
		"default":                      {"CreateDefaultWebhook", `null`, 200, `{"WebhookId":0,"Name":null,"Events":["contact.created","contact.deleted"]`},
		"get":                          {"GetWebhook?WEBHOOKID=1", `null`, 200, `{"WebhookId":1,"Name":"n"`},
		"get of an unknown id":         {"GetWebhook?webhookId=9", `null`, 200, `null`},
		"get without an id":            {"GetWebhook", `null`, 400, unbindable + "the query parameter webhookId"},
		"get of an id with letters":    {"GetWebhook?webhookId=x", `null`, 400, unbindable},
		"delete":                       {"DeleteWebhook?WebhookId=1", `null`, 204, ``},
		"delete of an unknown id":      {"DeleteWebhook?WebhookId=9", ``, 204, ``},
		"delete without an id":         {"DeleteWebhook", ``, 400, unbindable},
		"list":                         {"GetAllWebhooks", `null`, 200, `[{"WebhookId":1,`},
		"list with filters":            {"GetAllWebhooks", `{"nameFilter":"N","eventFilter":"CONTACT.changed","statusFilter":"active"}`, 200, `[{"WebhookId":1,`},
		"list with empty filters":      {"GetAllWebhooks", `{"NameFilter":"","EventFilter":null,"StatusFilter":"Unknown"}`, 200, `[{"WebhookId":1,`},
		"list of another status":       {"GetAllWebhooks", `{"StatusFilter":2}`, 200, `[]`},
		"list of an unknown status":    {"GetAllWebhooks", `{"StatusFilter":"Asleep"}`, 400, unbindable + "StatusFilter must be one of"},
		"list, two faults":             {"GetAllWebhooks", `{"NameFilter":1,"StatusFilter":"Asleep"}`, 400, unbindable + "NameFilter must be a string; StatusFilter"},
		"last error, none":             {"GetLastError", `{"webhookId":1}`, 200, `null`},
		"last error of an unknown id":  {"GetLastError", `{"WebhookId":9}`, 200, `null`},
		"last error of a string":       {"GetLastError", `{"WebhookId":"x"}`, 400, unbindable + "WebhookId must be a 32-bit integer"},
		"save of nothing":              {"SaveWebhook", `null`, 400, unbindable + "the body must be a webhook"},
		"save of broken JSON":          {"SaveWebhook", `{"Name":`, 400, unbindable + "the body must be"},
		"save of an array":             {"SaveWebhook", `[]`, 400, unbindable},
		"save, wrong types":            {"SaveWebhook", `{"Name":5,"Events":"x","TargetUrl":"https://example.com"}`, 400, unbindable + "Name must be a string; Events must be an array of strings"},
		"save that breaks a rule":      {"SaveWebhook", `{"Events":["a"],"TargetUrl":"ftp://example.com"}`, 400, `{"Error":true,"ErrorType":"ArgumentException"`},
		"test":                         {"TestWebhook", `{"Webhook":{"TargetUrl":"https://example.com/"}}`, 200, `{"Success":true,"Message":"HTTP 200 OK","TableRight":{"Mask":"FULL","Reason":""},"FieldProperties":{}}`},
		"test of nothing":              {"TestWebhook", `{}`, 400, `{"Error":true,"ErrorType":"ArgumentException","ErrorMessage":"TargetUrl is required"`},
		"test with a mask and no id":   {"TestWebhook", `{"Webhook":{"TargetUrl":"https://example.com/","Secret":"********"}}`, 400, `{"Error":true,"ErrorType":"ArgumentException"`},
		"signal":                       {"SignalEvent", `{"eventName":"foo.bar","primaryKey":7,"data":{"a":1}}`, 204, ``},
		"signal without key and data":  {"SignalEvent", `{"EventName":"foo.bar"}`, 204, ``},
		"signal without a name":        {"SignalEvent", `null`, 400, `{"Error":true,"ErrorType":"ArgumentException"`},
		"signal with a key over int32": {"SignalEvent", `{"EventName":"foo.bar","PrimaryKey":2147483648}`, 400, unbindable + "PrimaryKey must be"},
		"an unknown operation":         {"SignWebhook", `null`, 404, `{"Error":true,"ErrorType":"SoNotFoundException"`},
		"a path in lower case":         {"getallwebhooks/", `null`, 200, `[{"WebhookId":1,`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.save(minimal)
			s.answer.Response = "HTTP 200 OK"
			answer := s.call("POST", agent+test.path, test.body)
			if answer.Code != test.status || !strings.HasPrefix(answer.Body.String(), test.text) {
				t.Errorf("got %d %s, want %d %s", answer.Code, answer.Body, test.status, test.text)
			}
		})
	}
}

func TestAgent_SignalIsTheSameAsInREST(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	answer := s.call("POST", agent+"SignalEvent", `{"EventName":"foo.bar","PrimaryKey":7,"Data":{"b": 1.10}}`)
	events := s.events()
	//nolint:staticcheck // headers are sent in the documented spelling
	if len(events) != 1 || answer.Header()["X-SuperOffice-EventId"][0] != string(events[0].ID) ||
		events[0].Name != "foo.bar" || events[0].PrimaryKey != 7 || string(events[0].Data) != `{"b":1.10}` {
		t.Errorf("got %v and %+v", answer.Header(), events)
	}
}

func TestAgent_GETDescribesAndNeverInvokes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.save(minimal)
	for _, path := range []string{
		"CreateDefaultWebhook", "SaveWebhook", "DeleteWebhook?webhookId=1", "GetWebhook?webhookId=1",
		"GetAllWebhooks", "TestWebhook", "SignalEvent", "GetLastError",
	} {
		operation, _, _ := strings.Cut(path, "?")
		answer := s.call("GET", agent+path, "")
		var text struct{ Operation, Method, Description string }
		if err := json.Unmarshal(answer.Body.Bytes(), &text); err != nil || answer.Code != 200 ||
			text.Operation != operation || text.Method != "POST" || text.Description == "" {
			t.Errorf("%s: got %d %s", path, answer.Code, answer.Body)
		}
	}
	if got := s.call("GET", agent+"SaveWebhook", "", "Accept: text/xml").Body.String(); !strings.Contains(got, "<Description ") || !strings.Contains(got, "<Method>POST</Method>") {
		t.Errorf("as XML: %s", got)
	}
	if len(s.webhooks()) != 1 || len(s.events()) != 0 || len(s.pings) != 1 {
		t.Error("the operation was run")
	}
}

func TestAgent_Scopes(t *testing.T) {
	t.Parallel()
	onlyEvents := newServer(t, func(c *httpapi.Config) { c.Auth = scoped(webhook.ScopeEvents) })
	if got := onlyEvents.call("POST", agent+"GetAllWebhooks", "null"); got.Code != 403 {
		t.Errorf("got %d %s, want 403", got.Code, got.Body)
	}
	if got := onlyEvents.call("POST", agent+"SignalEvent", `{"EventName":"foo.bar"}`); got.Code != 204 {
		t.Errorf("got %d %s, want 204", got.Code, got.Body)
	}
}
