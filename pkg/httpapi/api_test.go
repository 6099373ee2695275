package httpapi_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestReferenceSample(t *testing.T) {
	t.Parallel()
	answer := newServer(t).call("POST", "/api/v1/Webhook", read(t, "testdata/reference/request.json"),
		"Content-Type: application/json; charset=utf-8", "Accept: application/json; charset=utf-8", "Accept-Language: sv")
	if answer.Code != http.StatusOK {
		t.Fatalf("got %d %s, want 200", answer.Code, answer.Body)
	}
	const golden = "testdata/reference/response.json"
	if *update {
		if err := os.WriteFile(golden, answer.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, golden), answer.Body.String()); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	members, err := jsonscan.Members(answer.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range members {
		keys = append(keys, m.Name)
	}
	want := strings.Fields(`WebhookId Name Events TargetUrl Secret State Type Headers Properties Registered RegisteredAssociate
		Updated UpdatedAssociate ErrorsEmail ErrorEmails ErrorAssociates Description NotifyVia NotifyWhen TotalCalls
		TotalErrors ConsecutiveErrors LastError _Links`)
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

const minimal = `{"Name":"n","Events":["contact.changed"],"TargetUrl":"https://example.com/","Secret":"open sesame","Headers":{"X-Api-Key":"k1","X-B":"b"}}`

func TestSecretIsShownOnlyToTheCallThatSetsIt(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if got := s.call("POST", "/api/v1/Webhook", minimal).Body.String(); !strings.Contains(got, `"Secret":"open sesame"`) || !strings.Contains(got, `{"X-Api-Key":"k1","X-B":"b"}`) {
		t.Errorf("create: %s", got)
	}
	masked := strings.NewReplacer("open sesame", "********", "k1", "********").Replace(minimal)
	for _, got := range []*httptest.ResponseRecorder{
		s.call("GET", "/api/v1/Webhook/1", ""), s.call("GET", "/api/v1/Webhook", ""), s.call("PUT", "/api/v1/Webhook/1", masked),
	} {
		if got.Code != 200 || !strings.Contains(got.Body.String(), `"Secret":"********"`) || !strings.Contains(got.Body.String(), `{"X-Api-Key":"********","X-B":"b"}`) {
			t.Errorf("read: %d %s", got.Code, got.Body)
		}
	}
	if strings.Contains(s.log.String(), "sesame") || strings.Contains(s.log.String(), "Webhook/1") {
		t.Errorf("log: %s", s.log.String())
	}
}

func TestSecretVisible(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.SecretVisible = true })
	s.call("POST", "/api/v1/Webhook", minimal)
	if got := s.call("GET", "/api/v1/Webhook/1", "").Body.String(); !strings.Contains(got, `"Secret":"open sesame"`) || !strings.Contains(got, `"k1"`) {
		t.Errorf("got %s", got)
	}
	// A lost secret does not fail the list.
	s.call("POST", "/api/v1/Webhook", strings.Replace(minimal, "open sesame", "still there", 1))
	if err := s.db.Secrets().Delete(t.Context(), s.webhooks()[0].Secret.Name); err != nil {
		t.Fatal(err)
	}
	if got := s.call("GET", "/api/v1/Webhook", ""); got.Code != 200 || !strings.Contains(got.Body.String(), `"Secret":"********"`) || !strings.Contains(got.Body.String(), `"Secret":"still there"`) {
		t.Errorf("with a lost secret: got %d %s", got.Code, got.Body)
	}
}

func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	const root = "/api/v1/Webhook"
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		text               string
	}{
		"broken JSON":                 {"POST", root, `{"Name":`, nil, 400, "the body"},
		"an array":                    {"POST", root, `[]`, nil, 400, "must be a JSON object"},
		"no body":                     {"POST", root, ``, nil, 400, "the body must be a webhook"},
		"the literal null":            {"POST", root, `null`, nil, 400, "the body must be a webhook"},
		"a second value":              {"POST", root, minimal + `{}`, nil, 400, "the body"},
		"nested too deep":             {"POST", root, strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65), nil, 400, "nested deeper"},
		"invalid UTF-8":               {"POST", root, "{\"Name\":\"\xff\"}", nil, 400, "UTF-8"},
		"3 MB":                        {"POST", root, `{"Name":"` + strings.Repeat("x", 3<<20) + `"}`, nil, 413, "1 MiB"},
		"wrong types, all reported":   {"POST", root, `{"Events":"x","Name":5}`, nil, 400, "Name must be a string; Events must be an array of strings; TargetUrl is required"},
		"a header that is a number":   {"POST", root, `{"Headers":{"A":1}}`, nil, 400, `the value of "A" must be a string`},
		"an unknown state":            {"POST", root, `{"State":"Asleep"}`, nil, 400, "State must be one of"},
		"an empty target":             {"POST", root, `{"Events":["a"],"TargetUrl":""}`, nil, 400, "TargetUrl is required"},
		"a target that is not http":   {"POST", root, `{"Events":["a"],"TargetUrl":"ftp://example.com"}`, nil, 400, "http or https"},
		"the mask on create":          {"POST", root, `{"Events":["a"],"TargetUrl":"https://example.com","Secret":"********"}`, nil, 400, "there is no stored secret to keep"},
		"another format":              {"POST", root, `Name: x`, []string{"Content-Type: application/yaml"}, 415, "application/json"},
		"another charset":             {"POST", root, minimal, []string{"Content-Type: application/json; charset=shift_jis"}, 415, "UTF-8"},
		"an unknown id":               {"GET", root + "/99999", ``, nil, 404, "Webhook id 99999 not found"},
		"an id with letters":          {"GET", root + "/abc", ``, nil, 404, "not found"},
		"an id over int32":            {"GET", root + "/2147483648", ``, nil, 404, "not found"},
		"put of an unknown id":        {"PUT", root + "/99999", minimal, nil, 404, "Webhook id 99999 not found"},
		"put with another id":         {"PUT", root + "/1", `{"WebhookId":2}`, nil, 400, "WebhookId is 2, but the id in the address is 1"},
		"delete of an unknown id":     {"DELETE", root + "/99999", ``, nil, 404, "Webhook id 99999 not found"},
		"a primary key over int32":    {"POST", root + "/contact.changed/2147483648", ``, nil, 400, "PrimaryKey"},
		"a reserved event":            {"POST", root + "/test/1", ``, nil, 400, "reserved"},
		"event data that is an array": {"POST", root + "/contact.changed/1", `[]`, nil, 400, "must be a JSON object"},
		"hops with letters":           {"POST", root + "/contact.changed/1", ``, []string{"X-Posthaste-Hops: x"}, 400, "X-Posthaste-Hops"},
		"a loop":                      {"POST", root + "/contact.changed/1", ``, []string{"X-Posthaste-Hops: 3"}, 508, "loop"},
		"no credential":               {"GET", root, ``, []string{"Authorization: "}, 401, "credential"},
		"another tenant's address":    {"GET", "/Other" + root, ``, nil, 421, "not the credential's"},
		"an unknown route":            {"GET", "/api/v1/Contact", ``, nil, 404, "served at this address"},
		"an unsupported method":       {"DELETE", root, ``, nil, 405, "DELETE is not allowed here; use GET or POST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			answer := s.call(test.method, test.path, test.body, test.headers...)
			var body struct {
				Error                                         bool
				ErrorType, ErrorMessage, ErrorSource, Message string
			}
			if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
				t.Fatalf("%v in %q", err, answer.Body)
			}
			if answer.Code != test.status || !strings.Contains(body.Message, test.text) {
				t.Errorf("got %d %q, want %d with %q", answer.Code, body.Message, test.status, test.text)
			}
			if !body.Error || body.ErrorType == "" || body.ErrorSource != "Posthaste" || body.ErrorMessage != body.Message {
				t.Errorf("the response is not an error of the API: %s", answer.Body)
			}
			if len(s.webhooks())+len(s.events()) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestErrorsKeepInternalTextInside(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
	}{
		{webhook.ErrNotFound, 404},
		{webhook.ErrExists, 409},
		{webhook.ErrConflict, 409},
		{delivery.ErrRefused, 409},
		{webhook.ErrUnavailable, 503},
		{webhook.ErrSecretUnavailable, 503},
		{webhook.ErrUnauthorized, 401},
		{webhook.ErrForbidden, 403},
		{webhook.ErrWrongTenant, 421},
		{webhook.ErrNoTenant, 421},
		{httpapi.ErrPrecondition, 412},
		{webhook.ErrTooLarge, 413},
		{webhook.ErrLoop, 508},
		{webhook.ErrIdempotencyKeyReused, 422},
		{&webhook.ThrottledError{Reason: "too often", After: 1500 * time.Millisecond}, 429},
		{errors.New("disk"), 500},
	} {
		t.Run(test.err.Error(), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, func(c *httpapi.Config) {
				c.Registry.Webhooks = faulty{c.Registry.Webhooks, fmt.Errorf("table internal-name-7: %w", test.err)}
			})
			s.planted = true
			answer := s.call("GET", "/api/v1/Webhook", "")
			if answer.Code != test.status || strings.Contains(answer.Body.String(), "internal-name") {
				t.Errorf("got %d %s, want %d without internal text", answer.Code, answer.Body, test.status)
			}
			if wait := answer.Header().Get("Retry-After"); (wait != "") != (test.status == 429 || test.status == 503) {
				t.Errorf("Retry-After is %q", wait)
			}
			level := "INFO"
			if test.status >= 500 { // not ERROR: the gateway's alarm counts them
				level = "WARN"
			}
			if !strings.Contains(s.log.String(), `"level":"`+level+`"`) {
				t.Errorf("want level %s: %s", level, s.log.String())
			}
		})
	}
}

func TestPanicIsA500(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Health = nil })
	s.call("POST", "/api/v1/Webhook", minimal)
	if got := s.call("GET", "/api/v1/Webhook/1", ""); got.Code != 500 || strings.Contains(got.Body.String(), "nil pointer") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
}

// Decision 0.20: paths are case-insensitive, and a trailing slash is optional.
func TestRoutesAreForgiving(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	for _, path := range []string{"/api/v1/webhook/1", "/API/V1/WEBHOOK/1/", "/Default/api/v1/Webhook/1", "/api/v1/webhook/DEFAULT", "/HealthZ"} {
		for _, method := range []string{"GET", "HEAD"} {
			got := s.call(method, path, "")
			if got.Code != 200 || (got.Body.Len() == 0) != (method == "HEAD") {
				t.Errorf("%s %s: got %d with %d bytes", method, path, got.Code, got.Body.Len())
			}
		}
	}
	if got := s.call("GET", "/Default/api/v1/Webhook/1", "").Body.String(); !strings.Contains(got, `"Self":"https://hooks.example.com/Default/api/v1/Webhook/1/"`) {
		t.Errorf("links: %s", got)
	}
}

func TestSignalEvent(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.call("POST", "/api/v1/Webhook/Contact.Changed/7", `{"b": 1.10, "a": "<å>"}`)
	events := s.events()
	if got.Code != 204 || len(events) != 1 {
		t.Fatalf("got %d %s and %d events", got.Code, got.Body, len(events))
	}
	e := events[0]
	//nolint:staticcheck // headers are sent in the documented spelling
	if ids := got.Header()["X-SuperOffice-EventId"]; len(ids) != 1 || ids[0] != string(e.ID) {
		t.Errorf("event ids %v, stored %s", ids, e.ID)
	}
	if e.Name != "Contact.Changed" || e.PrimaryKey != 7 || string(e.Data) != `{"b":1.10,"a":"<å>"}` || e.ChangedBy != 1 {
		t.Errorf("stored %+v", e)
	}
}

func TestStringsAndNumbersAreUnchanged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const properties = `{"z":1.10,"a":"<å>&","n":12345678901234567890}`
	s.call("POST", "/api/v1/Webhook", `{"name":"<å>&","events":["a"],"targeturl":"https://example.com/?a=1&b=2","properties":`+properties+`}`)
	got := s.call("GET", "/api/v1/Webhook/1", "").Body.String()
	for _, want := range []string{`"Name":"<å>&"`, `"TargetUrl":"https://example.com/?a=1&b=2"`, `"Properties":` + properties} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	onlyEvents := newServer(t, func(c *httpapi.Config) { c.Auth = scoped(webhook.ScopeEvents) })
	onlyWebhooks := newServer(t, func(c *httpapi.Config) { c.Auth = scoped(webhook.ScopeWebhooks) })
	for _, got := range []*httptest.ResponseRecorder{
		onlyEvents.call("GET", "/api/v1/Webhook", ""), onlyWebhooks.call("POST", "/api/v1/Webhook/a.b/1", ""),
	} {
		if got.Code != 403 {
			t.Errorf("got %d %s, want 403", got.Code, got.Body)
		}
	}
}
