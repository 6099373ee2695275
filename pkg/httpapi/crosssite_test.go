package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// asked counts how often a credential is checked.
type asked struct {
	anyone
	times int
}

func (a *asked) Authenticate(r *http.Request, named webhook.Tenant) (webhook.Principal, error) {
	a.times++
	return a.anyone.Authenticate(r, named)
}

func (a *asked) StartSession(r *http.Request, named webhook.Tenant) ([]*http.Cookie, webhook.Principal, error) {
	who, err := a.Authenticate(r, named)
	return []*http.Cookie{{Name: auth.SessionCookie, Value: "t"}}, who, err
}

func (a *asked) EndSession(r *http.Request) ([]*http.Cookie, webhook.Principal, error) {
	return a.StartSession(r, "")
}

// A page of another site can make a browser send the credential that it remembers.
// No route that changes something accepts such a call. Clients that are not
// browsers send no header about sites, and are served. A new route is covered at
// once.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	const fetch, own = "Sec-Fetch-Site: ", "http://example.test" // where calls go to
	const public = "https://hooks.example.com"
	for name, test := range map[string]struct {
		headers []string
		served  bool
	}{
		"a form of another site":                  {[]string{fetch + "cross-site", "Origin: https://evil.example", "Content-Type: application/x-www-form-urlencoded"}, false},
		"a script of another site, no type":       {[]string{fetch + "cross-site", "Origin: https://evil.example"}, false},
		"another host of the same site":           {[]string{fetch + "same-site", "Origin: https://evil.example.test"}, false},
		"a sandboxed page":                        {[]string{fetch + "cross-site", "Origin: null"}, false},
		"an older browser, another site":          {[]string{"Origin: https://evil.example"}, false},
		"an older browser, a sandboxed page":      {[]string{"Origin: null"}, false},
		"an older browser, a port of another":     {[]string{"Origin: http://example.test:8081"}, false},
		"an unknown value of Sec-Fetch-Site":      {[]string{fetch + "nested-site"}, false},
		"PUBLIC_URL's host by http":               {[]string{fetch + "cross-site", "Origin: http://hooks.example.com"}, false},
		"PUBLIC_URL's host as part of another":    {[]string{fetch + "cross-site", "Origin: https://hooks.example.com.evil.example"}, false},
		"no browser":                              {nil, true},
		"a page of the service itself":            {[]string{fetch + "same-origin", "Origin: " + own}, true},
		"the user, by the address bar":            {[]string{fetch + "none"}, true},
		"an older browser, the service itself":    {[]string{"Origin: " + own}, true},
		"a page at PUBLIC_URL":                    {[]string{fetch + "cross-site", "Origin: " + public}, true},
		"an older browser, a page at PUBLIC_URL":  {[]string{"Origin: " + public}, true},
		"behind a proxy that changes the address": {[]string{fetch + "same-origin", "Origin: https://proxy.example"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who := &asked{anyone: scoped(webhook.ScopeWebhooks, webhook.ScopeEvents, webhook.ScopeAdmin)}
			s := newServer(t, func(c *httpapi.Config) { c.Auth, c.Sessions = who, who })
			for _, route := range httpapi.Routes() {
				path := strings.NewReplacer("{id}", "1", "{tenant}", "Cust1", "{name}", "crm", "{job}", "x", "{event}", "a.b", "{primaryKey}", "1").Replace(route.Pattern)
				before := who.times
				got := s.call(route.Method, path, "", test.headers...)
				switch {
				case test.served || route.Method == http.MethodGet:
					if got.Code == http.StatusForbidden {
						t.Errorf("%s %s: got %d %s", route.Method, path, got.Code, got.Body)
					}
				case got.Code != http.StatusForbidden || who.times != before:
					t.Errorf("%s %s: got %d %s, and the credential was checked %d times", route.Method, path, got.Code, got.Body, who.times-before)
				default:
					var fault struct{ ErrorType, ErrorSource string }
					if err := json.Unmarshal(got.Body.Bytes(), &fault); err != nil || fault.ErrorType != "SoSecurityException" || fault.ErrorSource != "Posthaste" {
						t.Errorf("%s %s: got %s (%v)", route.Method, path, got.Body, err)
					}
				}
			}
		})
	}
}

// PUBLIC_URL is spelled as people write it, an origin as browsers send it.
func TestCrossSite_PublicURLsOrigin(t *testing.T) {
	t.Parallel()
	for public, origin := range map[string]string{
		"https://Hooks.Example.com":          "https://hooks.example.com",
		"HTTPS://hooks.example.com:443/base": "https://hooks.example.com",
		"http://hooks.example.com:80":        "http://hooks.example.com",
		"https://hooks.example.com:8443/a/b": "https://hooks.example.com:8443",
		"https://[2001:db8::1]:443":          "https://[2001:db8::1]",
		"":                                   "",
		"hooks.example.com":                  "",
	} {
		s := newServer(t, func(c *httpapi.Config) { c.PublicURL = public })
		got := s.call("POST", "/api/v1/Webhook/a.b/1", "", "Sec-Fetch-Site: cross-site", "Origin: "+origin).Code
		if want := map[bool]int{true: 204, false: 403}[origin != ""]; got != want {
			t.Errorf("%q, page of %q: got %d, want %d", public, origin, got, want)
		}
	}
}

// A browser sends a GET for a page, an image or a link, and no check of sites
// applies to it. So no GET may change anything: the data stays the same, byte for
// byte.
func TestNoGETChangesState(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	user, _ := s.issue("Cust1", "bearer", "anna", "")
	if got := s.call("POST", "/api/v1/Webhook", minimal, user); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"a":1}`, user)
	if got := s.call("POST", "/api/v1/Webhook", minimal, basicAuth("tje0:Tje0")); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	const event = "01a20c91-a000-7000-8000-000000000007"
	s.attempted(1, event, webhook.SignerNone)
	s.admin("POST", "/admin/v1/Sources", relayCRM, 201)
	job := s.admin("POST", "/admin/v1/Redispatch", `{"Tenant":"Cust1","From":"2026-11-23T00:00:00Z","To":"2026-11-24T00:00:00Z"}`, 202)["JobId"]
	replay := s.call("POST", "/api/v1/Webhook/1/Replay", `{"From":"2026-11-23T00:00:00Z"}`, user)
	var begun struct {
		JobID string `json:"JobId"`
	}
	if err := json.Unmarshal(replay.Body.Bytes(), &begun); err != nil || replay.Code != 202 {
		t.Fatalf("got %d %s, %v", replay.Code, replay.Body, err)
	}
	stored := func() string {
		data, err := os.ReadFile(filepath.Join(s.dir, "posthaste.db"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	s.pings = nil
	before, tried := stored(), 0
	for _, route := range httpapi.Routes() {
		if route.Method != http.MethodGet {
			continue
		}
		caller := user
		if route.Scope == webhook.ScopeAdmin {
			caller = asAdmin
		}
		if strings.Contains(route.Pattern, "{eventId}") {
			caller = basicAuth("tje0:Tje0") // whose tenant has the delivery
		}
		job := job
		if strings.Contains(route.Pattern, "/Replay") {
			job = begun.JobID
		}
		path := strings.NewReplacer("{eventId}", event, "{id}", "1", "{tenant}", "Cust1", "{name}", "crm", "{job}", fmt.Sprint(job)).Replace(route.Pattern)
		// Each query parameter that an operation may read is set.
		query := "?webhookId=1&State=Stopped&Name=x&EventName=a.b&PrimaryKey=1&$select=Name"
		if special := queries["GET "+route.Pattern]; special != "" {
			query = "?" + strings.ReplaceAll(special, "{id}", "1")
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			tried++
			if got := s.call(method, path+query, "", caller); got.Code != 200 {
				t.Errorf("%s %s: got %d %s", method, path, got.Code, got.Body)
			}
			if stored() != before || len(s.pings) > 0 {
				t.Fatalf("%s %s changes stored data or sends something", method, path)
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d calls were made", tried)
	}
}
