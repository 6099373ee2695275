package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// If two routes of a method match one path, one of them is more literal in every
// segment, so that their order never decides.
func TestRoutes_NoTwoMatchAPathEqually(t *testing.T) {
	t.Parallel()
	routes := httpapi.Routes()
	for i, a := range routes {
		if strings.ToUpper(a.Method) != a.Method || !strings.HasPrefix(a.Pattern, "/") || a.Pattern != "/" && strings.HasSuffix(a.Pattern, "/") {
			t.Errorf("%s %s is not a route", a.Method, a.Pattern)
		}
		for _, b := range routes[:i] {
			if a.Method == b.Method && conflict(a.Pattern, b.Pattern) {
				t.Errorf("%s: %s and %s match one path, and neither is more literal", a.Method, a.Pattern, b.Pattern)
			}
		}
	}
}

// conflict reports whether a path matches both patterns and neither is more literal.
func conflict(a, b string) bool {
	first, second := strings.Split(a, "/"), strings.Split(b, "/")
	if len(first) != len(second) {
		return false
	}
	var wildFirst, wildSecond bool
	for i := range first {
		x, y := strings.HasPrefix(first[i], "{"), strings.HasPrefix(second[i], "{")
		if !x && !y && !strings.EqualFold(first[i], second[i]) {
			return false
		}
		wildFirst, wildSecond = wildFirst || x && !y, wildSecond || y && !x
	}
	return wildFirst == wildSecond
}

func TestConflict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"/a/{b}", "/a/{c}", true},
		{"/a", "/A", true},
		{"/{a}/b", "/a/{b}", true},
		{"/a/{b}", "/a/b", false},
		{"/a/{b}", "/b/{b}", false},
		{"/a", "/a/{b}", false},
		{"/{a}/{b}/c", "/a/{b}/c", false},
	} {
		if got := conflict(test.a, test.b); got != test.want || conflict(test.b, test.a) != test.want {
			t.Errorf("%s and %s: got %t", test.a, test.b, got)
		}
	}
}

// The most literal matching route is called, with the values of its wildcards
// unchanged.
func TestRoutes_TheMostLiteralIsCalled(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.planted = true // openapi.json has no double slashes
	for path, want := range map[string]string{
		"/api/v1/Webhook/DEFAULT":        "GET /api/v1/Webhook/default",
		"/api/v1/webhook/1%2C5":          "GET /api/v1/Webhook/{id}",
		"/Cust1/API/v1/Webhook/7/Option": "unmatched",
		"//api/v1/Webhook/default":       "unmatched",
		"/api/v1/Webhook//":              "unmatched",
		"/api/v1/Webhook/..":             "unmatched",
	} {
		s.log.Reset()
		s.call("GET", path, "")
		if got := s.log.String(); !strings.Contains(got, `"action":"`+want+`"`) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// A handler outside the API gets the request unchanged, only under its own segment,
// and a panic in it is a 500 like any other.
func TestBeside(t *testing.T) {
	t.Parallel()
	var paths []string
	s := newServer(t, func(c *httpapi.Config) {
		c.Mounts = map[string]http.Handler{"/_own": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.Path)
			if r.Method == http.MethodPut {
				panic("boom")
			}
			w.WriteHeader(http.StatusTeapot)
		})}
	})
	for path, want := range map[string]int{"/_own": 418, "/_own/a//b": 418, "/_OWN": 404, "//_own": 404, "/_owns": 404, "/api/_own": 404} {
		if got := s.call("GET", path, ""); got.Code != want {
			t.Errorf("%s: got %d, want %d", path, got.Code, want)
		}
	}
	if slices.Sort(paths); !slices.Equal(paths, []string{"/_own", "/_own/a//b"}) {
		t.Errorf("the handler got %q", paths)
	}
	s.log.Reset()
	got := s.call("PUT", "/_own", "")
	if got.Code != 500 || !strings.Contains(got.Body.String(), `"ErrorType":"SoServerException"`) || !strings.Contains(s.log.String(), "boom") {
		t.Errorf("got %d %s\n%s", got.Code, got.Body, s.log.String())
	}
}

// The message of a 405 names what is allowed, and Allow has HEAD as well.
func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for call, want := range map[string][2]string{
		"GET /api/v1/Webhook/contact.changed/7": {"GET is not allowed here; use POST", "POST"},
		"GET /api/v1/Webhook/Test":              {"GET is not allowed here; use POST", "POST"}, // and not 404, as for a webhook Test
		"DELETE /api/v1/webhook/default":        {"DELETE is not allowed here; use GET", "GET, HEAD"},
		"POST /api/v1/Webhook/1/LastError":      {"POST is not allowed here; use GET", "GET, HEAD"}, // and not 400, as for an event 1
		"PUT /API/V1/webhook/":                  {"PUT is not allowed here; use GET or POST", "GET, HEAD, POST"},
		"DELETE /api/v1/Webhook/1/Options":      {"DELETE is not allowed here; use GET, PATCH or PUT", "GET, HEAD, PATCH, PUT"}, // and not POST, as for an event 1
	} {
		method, path, _ := strings.Cut(call, " ")
		got := s.call(method, path, "")
		if got.Code != 405 || !strings.Contains(got.Body.String(), `"ErrorMessage":"`+want[0]+`"`) || got.Header().Get("Allow") != want[1] {
			t.Errorf("%s: got %d %s, Allow %q", call, got.Code, got.Body, got.Header().Get("Allow"))
		}
	}
}
