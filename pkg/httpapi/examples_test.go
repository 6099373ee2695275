package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// isJSON is the media type that carries the examples; the others have the same
// schemas.
const isJSON = "application/json"

// Every operation has an example of all that it takes and returns as JSON, and
// each example conforms to its schema.
func TestExamples_ConformToTheirSchemas(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	check := func(where string, content openapi3.Content) {
		t.Helper()
		media := content[isJSON]
		if media == nil {
			return
		}
		if len(media.Examples) == 0 {
			t.Errorf("%s has no example", where)
		}
		for name, example := range media.Examples {
			if err := media.Schema.Value.VisitJSON(example.Value.Value, openapi3.EnableFormatValidation()); err != nil {
				t.Errorf("%s: the example %s: %v", where, name, err)
			}
		}
	}
	for key, route := range operations(doc) {
		operation := route.Operation
		for _, p := range append(operation.Parameters, route.PathItem.Parameters...) {
			switch {
			case !p.Value.Required:
			case p.Value.Example == nil:
				t.Errorf("%s has no example of %s", key, p.Value.Name)
			default:
				if err := p.Value.Schema.Value.VisitJSON(p.Value.Example); err != nil {
					t.Errorf("%s: the example of %s: %v", key, p.Value.Name, err)
				}
			}
		}
		if operation.RequestBody != nil {
			check(key, operation.RequestBody.Value.Content)
		}
		for status, response := range operation.Responses.Map() {
			if strings.HasPrefix(status, "2") {
				check(key+" "+status, response.Value.Content)
			}
		}
	}
}

// A webhook to be saved states what is required, wherever it is saved.
func TestOpenAPI_RequiresWhatASaveNeeds(t *testing.T) {
	t.Parallel()
	saves := operations(loadDocument(t))
	for _, key := range []string{"POST /api/v1/Webhook", "PUT /api/v1/Webhook/{id}", "POST " + agent + "SaveWebhook"} {
		schema := saves[key].Operation.RequestBody.Value.Content[isJSON].Schema.Value
		for body, valid := range map[string]bool{
			`{"Events":["a"],"TargetUrl":"https://example.com/"}`: true, `{"Events":["a"]}`: false, `{"TargetUrl":"https://example.com/"}`: false,
			`{"Events":null,"TargetUrl":"https://example.com/"}`: false, `{"Events":[],"TargetUrl":"https://example.com/"}`: false,
		} {
			var value any
			if err := json.Unmarshal([]byte(body), &value); err != nil {
				t.Fatal(err)
			}
			if err := schema.VisitJSON(value); (err == nil) != valid {
				t.Errorf("%s: %s: %v", key, body, err)
			}
			method, path, _ := strings.Cut(strings.Replace(key, "{id}", "1", 1), " ")
			s := newServer(t)
			s.call("POST", "/api/v1/Webhook", minimal)
			if got := s.call(method, path, body); (got.Code == http.StatusOK) != valid {
				t.Errorf("%s: %s: got %d %s", key, body, got.Code, got.Body)
			}
		}
	}
}

// Every example of a request works as it is.
func TestExamples_AreAccepted(t *testing.T) {
	t.Parallel()
	for key, route := range operations(loadDocument(t)) {
		if route.Operation.RequestBody == nil {
			continue
		}
		for name, example := range route.Operation.RequestBody.Value.Content[isJSON].Examples {
			t.Run(key+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newGuarded(t)
				s.answer = webhook.Result{StatusCode: 200}
				s.call("POST", "/api/v1/Webhook", minimal, basicAuth("tje0:Tje0"))
				credential := basicAuth("tje0:Tje0")
				if strings.HasPrefix(route.Path, "/admin") {
					credential = asAdmin
				}
				if strings.Contains(route.Path, "{tenant}") {
					s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust12345"}`, http.StatusCreated)
				}
				if strings.Contains(route.Path, "{name}") {
					s.admin("POST", "/admin/v1/Sources", relayCRM, http.StatusCreated)
				}
				body, err := json.Marshal(example.Value.Value)
				if err != nil {
					t.Fatal(err)
				}
				got := s.call(route.Method, examplePath(route), string(body), credential)
				if got.Code >= 300 || route.Operation.Responses.Status(got.Code) == nil {
					t.Errorf("%s: got %d %s", body, got.Code, got.Body)
				}
			})
		}
	}
}

// examplePath returns the address of an operation with the examples of its
// parameters.
func examplePath(route *routers.Route) string {
	path, query := route.Path, url.Values{}
	for _, p := range route.Operation.Parameters {
		switch value := fmt.Sprint(p.Value.Example); p.Value.In {
		case "path":
			path = strings.Replace(path, "{"+p.Value.Name+"}", value, 1)
		case "query":
			if p.Value.Required {
				query.Set(p.Value.Name, value)
			}
		}
	}
	return path + "?" + query.Encode()
}
