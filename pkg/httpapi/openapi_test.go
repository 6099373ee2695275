package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func init() {
	openapi3filter.RegisterBodyDecoder("text/json", openapi3filter.JSONBodyDecoder)
}

// document loads and validates openapi.json.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile("openapi.json")
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(loader.Context)
})

func loadDocument(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// ours holds the operations of openapi.json.
var ours = sync.OnceValues(func() (map[string]*routers.Route, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return operations(doc), nil
})

// operations lists what the document describes as "METHOD path".
func operations(doc *openapi3.T) map[string]*routers.Route {
	all := map[string]*routers.Route{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			all[method+" "+path] = &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation}
		}
	}
	return all
}

func TestOpenAPI_DescribesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	described := operations(doc)
	for _, route := range httpapi.Routes() {
		key := route.Method + " " + route.Pattern
		operation := described[key]
		if operation == nil {
			t.Errorf("openapi.json lacks %s", key)
			continue
		}
		delete(described, key)
		if got, want := needs(doc, operation.Operation), string(route.Scope); got != want {
			t.Errorf("%s: openapi.json requires %q, the route %q", key, got, want)
		}
		for _, status := range statusesOf(route) {
			if operation.Operation.Responses.Status(status) == nil {
				t.Errorf("%s: openapi.json lacks the status %d", key, status)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(described)) {
		t.Errorf("openapi.json describes %s, which is not a route", key)
	}
}

// An app token authenticates nothing on its own: each of its alternatives has
// another credential too.
func TestOpenAPI_HasASchemeForAppTokens(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	scheme := doc.Components.SecuritySchemes["AppToken"]
	if scheme == nil || scheme.Value.Type != "apiKey" || scheme.Value.In != "header" || scheme.Value.Name != "SO-AppToken" {
		t.Fatalf("got %+v", scheme)
	}
	for key, route := range operations(doc) {
		security := route.Operation.Security
		if security == nil {
			security = &doc.Security
		}
		tokens := 0
		for _, alternative := range *security {
			if _, withToken := alternative["AppToken"]; withToken {
				tokens++
				if len(alternative) != 2 {
					t.Errorf("%s: %v is not a credential and an app token", key, alternative)
				}
			}
		}
		if scope := needs(doc, route.Operation); (scope == "webhooks" || scope == "webhooks:read" || scope == "events") != (tokens == 3) {
			t.Errorf("%s: %d alternatives with an app token", key, tokens)
		}
	}
}

// needs returns the scope that an operation requires of every kind of credential,
// "" if it needs no credential.
func needs(doc *openapi3.T, operation *openapi3.Operation) string {
	alternatives := doc.Security
	if operation.Security != nil {
		alternatives = *operation.Security
	}
	var scopes []string
	for _, alternative := range alternatives {
		for _, each := range alternative {
			scopes = append(scopes, strings.Join(each, ","))
		}
	}
	return strings.Join(slices.Compact(scopes), " or ")
}

// statusesOf lists the statuses that any call of a route may return.
func statusesOf(route httpapi.Route) []int {
	if route.Scope == "" && !strings.HasSuffix(route.Pattern, "/Session") { // which checks its own credential
		return []int{http.StatusOK}
	}
	common := []int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
	if strings.Contains(route.Pattern, "{") {
		common = append(common, http.StatusNotFound)
	}
	return common
}

func TestOpenAPI_HasEveryStatusOfTheErrorTable(t *testing.T) {
	t.Parallel()
	documented := map[int]bool{}
	for _, route := range operations(loadDocument(t)) {
		for text := range route.Operation.Responses.Map() {
			if status, err := strconv.Atoi(text); err == nil {
				documented[status] = true
			}
		}
	}
	for _, status := range httpapi.Statuses() {
		if !documented[status] {
			t.Errorf("no operation of openapi.json has the status %d", status)
		}
	}
}

func TestOpenAPI_EveryOperationHasAnIDAndASummary(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for key, route := range operations(loadDocument(t)) {
		operation := route.Operation
		if other := ids[operation.OperationID]; other != "" || operation.OperationID == "" {
			t.Errorf("%s and %s have the id %q", key, other, operation.OperationID)
		}
		ids[operation.OperationID] = key
		if operation.Summary == "" || len(operation.Tags) != 1 {
			t.Errorf("%s has no summary, or not one tag", key)
		}
	}
}

func TestOpenAPI_IsServedToAnyone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, accept := range []string{"application/json", "application/xml", ""} {
		answer := s.call("GET", "/api/v1/openapi.json", "", "Authorization: ", "Accept: "+accept)
		if got := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || got != "application/json; charset=utf-8" {
			t.Errorf("Accept %q: got %d %q", accept, answer.Code, got)
		}
		if diff := cmp.Diff(read(t, "openapi.json"), answer.Body.String()); diff != "" {
			t.Errorf("Accept %q (-file +served):\n%s", accept, diff)
		}
	}
}

// conforms validates a response of any test of this package against openapi.json:
// its status must be documented, and its media type and body must match.
func conforms(t testing.TB, r *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	routes, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	route := described(routes, r)
	if route == nil {
		return // not a route
	}
	if err := verdict(r, route, answer); err != nil {
		t.Errorf("%s %s does not conform to openapi.json (%s %s): %v", r.Method, r.URL.Path, route.Method, route.Path, err)
	}
}

// verdicts caches the result for each distinct response. The validator compiles the
// schema for every response, and most responses here are repeated.
var verdicts struct {
	sync.Mutex
	known map[string]error
}

// mostVerdicts bounds the cache: a fuzz target runs for hours.
const mostVerdicts = 10_000

// verdict returns an error if a response does not conform to its operation in
// openapi.json.
func verdict(r *http.Request, route *routers.Route, answer *httptest.ResponseRecorder) error {
	key := fmt.Sprintf("%s %s %s %d %v %s", r.Method, route.Method, route.Path, answer.Code, answer.Header(), answer.Body)
	verdicts.Lock()
	err, known := verdicts.known[key]
	verdicts.Unlock()
	if known {
		return err
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 answer.Code, Header: canonical(answer.Header()),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	err = openapi3filter.ValidateResponse(r.Context(), input.SetBodyBytes(answer.Body.Bytes()))
	verdicts.Lock()
	defer verdicts.Unlock()
	if verdicts.known == nil {
		verdicts.known = map[string]error{}
	}
	if len(verdicts.known) < mostVerdicts {
		verdicts.known[key] = err
	}
	return err
}

// canonical returns headers under canonical names. The API sends some in their
// documented spelling.
func canonical(h http.Header) http.Header {
	names := http.Header{}
	for name, values := range h {
		names[http.CanonicalHeaderKey(name)] = values
	}
	return names
}

// described returns the operation of a request as the router does: the most literal
// one that matches, case-insensitively. nil if none does.
func described(routes map[string]*routers.Route, r *http.Request) *routers.Route {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(segments) > 1 && strings.EqualFold(segments[1], "api") && webhook.Tenant(segments[0]).Valid() {
		segments = segments[1:]
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var best *routers.Route
	most := -1
	for _, route := range routes {
		if literals := fits(route.Path, segments); route.Method == method && literals > most {
			best, most = route, literals
		}
	}
	return best
}

// fits returns the number of literal segments of a path that matches, else -1.
func fits(path string, segments []string) (literals int) {
	template := strings.Split(path[1:], "/")
	if len(template) != len(segments) {
		return -1
	}
	for i, s := range template {
		switch {
		case strings.HasPrefix(s, "{"):
		case strings.EqualFold(s, segments[i]):
			literals++
		default:
			return -1
		}
	}
	return literals
}
