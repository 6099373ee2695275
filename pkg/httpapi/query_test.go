package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// No filter is dropped because a parser took offence at it: all webhooks would
// come back.
func TestQuery_KeepsWhatItReads(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, name := range []string{"sync; nightly", ";", "50% + 1", "æ & ø", "another"} {
		s.call("POST", root, fmt.Sprintf(`{"Name":%q,"Events":["a"],"TargetUrl":"https://example.com/"}`, name))
	}
	for query, want := range map[string][]int{
		"nameFilter=sync;%20nightly":               {1},
		"nameFilter=sync;+nightly":                 {1},
		"nameFilter=;":                             {2},
		"nameFilter=no;such":                       nil,
		"eventFilter=no.such;x":                    nil,
		"a;b=c&nameFilter=another":                 {5},
		"nameFilter=50%25+%2B+1":                   {3},
		"nameFilter=%c3%a6+%26+%C3%B8":             {4},
		"&&nameFilter=another&NAMEFILTER=another&": {5},
	} {
		if got := s.call("GET", root+"?"+query, ""); got.Code != 200 || !cmp.Equal(want, listed(t, got.Body)) {
			t.Errorf("?%s: got %d %s, want %v", query, got.Code, got.Body, want)
		}
	}
}

func TestQuery_Refused(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = scoped("webhooks", "events", "admin") })
	s.call("POST", root, minimal)
	const escape = "the query has an invalid percent-escape"
	for query, text := range map[string]string{
		"nameFilter=50%":                   escape,
		"nameFilter=no%zzsuch":             escape,
		"%=1":                              escape,
		"other=%4":                         escape,
		"nameFilter=%E5":                   "the query is not valid UTF-8",
		"nameFilter=a&nameFilter=b":        "nameFilter is in the query more than once",
		"$top=1&$TOP=2":                    "$top is in the query more than once",
		"$top=1;a":                         "$top must be an integer",
		strings.Repeat("a=1&", 5001) + "b": "the query has more than 5000 parameters",
	} {
		if got := s.call("GET", root+"?"+query, ""); got.Code != 400 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("?%.50s: got %d %s, want 400 with %q", query, got.Code, got.Body, text)
		}
	}
	// All routes read their query alike, before they do anything.
	for _, route := range httpapi.Routes() {
		if route.Scope == "" {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{event}", "a.b", "{primaryKey}", "1", "{tenant}", "Default", "{job}", "x").Replace(route.Pattern)
		got := s.call(route.Method, path+"?x=%zz", minimal)
		if got.Code != 400 || !strings.Contains(got.Body.String(), escape) {
			t.Errorf("%s %s: got %d %s", route.Method, route.Pattern, got.Code, got.Body)
		}
		if ofAgent := strings.HasPrefix(path, agent) && route.Method == "POST"; ofAgent != strings.Contains(got.Body.String(), "MessageDetail") {
			t.Errorf("%s: got %s", route.Pattern, got.Body)
		}
	}
	if n := len(s.webhooks()); n != 1 {
		t.Errorf("%d webhooks are stored", n)
	}
	if got := s.call("GET", "/healthz?%", ""); got.Code != 200 {
		t.Errorf("healthz: got %d", got.Code)
	}
}

func TestQuery_IsAsDocumented(t *testing.T) {
	t.Parallel()
	listed := httpapi.QueryParameters()
	for key, route := range operations(loadDocument(t)) {
		var documented []string
		for _, p := range route.Operation.Parameters {
			if p.Value.In == "query" {
				documented = append(documented, p.Value.Name)
			}
		}
		slices.Sort(documented)
		want := slices.Sorted(slices.Values(listed[key]))
		if !slices.Equal(documented, want) {
			t.Errorf("%s: openapi.json has the query parameters %v, the route %v", key, documented, want)
		}
	}
}
