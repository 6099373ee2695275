package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// reader is a browser without JavaScript, signed in to the console.
type reader struct {
	*started
	client *http.Client
	token  string
}

func (s *started) reader() *reader {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	b := &reader{started: s, client: &http.Client{Jar: jar}}
	status, page := b.send("/console/sign-in", url.Values{"user": {"tje0"}, "password": {"Tje0"}})
	if status != http.StatusOK || !strings.Contains(page, "Sign out") {
		s.t.Fatalf("sign in: %d %s", status, page)
	}
	b.token = regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)[1]
	return b
}

func (b *reader) do(r *http.Request) (int, http.Header, string) {
	b.t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func (b *reader) page(path string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	status, _, body := b.do(r)
	return status, body
}

func (b *reader) send(path string, form url.Values, headers ...string) (int, string) {
	b.t.Helper()
	if b.token != "" && !form.Has("token") {
		form.Set("token", b.token)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	status, _, body := b.do(r)
	return status, body
}

// Every page says something useful without JavaScript, is small, and may load nothing
// from elsewhere.
func TestConsole_Pages(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	s.create(target.URL)
	event := string(s.signal())
	b := s.reader()
	for path, want := range map[string]string{
		"/console/webhooks": ">n</a>", "/console/webhooks?q=nothing": "No webhook has that", "/console/webhooks?skip=-3": ">n</a>", "/console/webhooks/1": "contact.*",
		"/console/webhooks/1?status=odd": "status must be one of", "/console/webhooks/new": "New webhook", "/console/webhooks/new?copy=1": "Copy of n", "/console/webhooks/1/edit": "Edit n",
		"/console/webhooks/1/stop": "are cancelled", "/console/webhooks/1/delete": "Delete n?", "/console/webhooks/1/secret": "New secret for n?", "/console/webhooks/1/history": "not been changed",
		"/console/webhooks/1/replay": "Count them", "/console/events": "contact.changed", "/console/events?primaryKey=x": "primaryKey must be", "/console/events/" + event: "Data", "/console/events/" + event + "?webhook=1": "matches contact.changed",
		"/console/send": "Who would get it?", "/console/webhooks/1/test": "A sample of an event", "/console/webhooks/1/options": "Policy",
	} {
		status, page := b.page(path)
		if status != http.StatusOK || !strings.Contains(page, want) || len(page) > 300<<10 {
			t.Errorf("%s: %d, %d bytes; want %q in\n%s", path, status, len(page), want, page)
		}
		if strings.Contains(page, "style=") || strings.Contains(page, "onclick") || strings.Contains(page, "<script>") {
			t.Errorf("%s has something inline", path)
		}
	}
	for path, want := range map[string]int{"/console/webhooks/99": 404, "/console/nothing": 404, "/console/assets/console.css": 404, "/console/webhooks/..%2F1": 404} {
		if status, page := b.page(path); status != want {
			t.Errorf("%s: %d, want %d:\n%s", path, status, want, page)
		}
	}
	_, header, _ := s.call(http.MethodGet, "/console/sign-in", "")
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %q", policy)
	}
}

// A form counts only with the session's token and from a page of this site, and a page
// only with a session.
func TestConsole_Forms(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	s.create(target.URL)
	b := s.reader()
	stop := func() url.Values { return url.Values{"state": {"Stopped"}} }
	for name, try := range map[string]func() int{
		"another token": func() int {
			form := stop()
			form.Set("token", "another")
			status, _ := b.send("/console/webhooks/1/state", form)
			return status
		},
		"no token": func() int {
			form := stop()
			form.Set("token", "")
			status, _ := b.send("/console/webhooks/1/state", form)
			return status
		},
		"another site": func() int {
			status, _ := b.send("/console/webhooks/1/state", stop(), "Sec-Fetch-Site: cross-site")
			return status
		},
		"another origin": func() int {
			status, _ := b.send("/console/webhooks/1/state", stop(), "Origin: https://evil.example")
			return status
		},
	} {
		if status := try(); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, status)
		}
	}
	if _, _, body := s.call(http.MethodGet, "/api/v1/Webhook/1", ""); !strings.Contains(string(body), `"State":"Active"`) {
		t.Errorf("the webhook changed: %s", body)
	}
	for options, want := range map[string]string{`{"Policy":"odd"}`: "Policy must be", "{": "must be a JSON object", `{"TimeoutSeconds":20}`: "The changes are saved"} {
		if _, page := b.send("/console/webhooks/1/options", url.Values{"options": {options}}); !strings.Contains(page, want) {
			t.Errorf("options %s: want %q in\n%s", options, want, page)
		}
	}
	if _, page := b.send("/console/webhooks/1/test", url.Values{"event": {"contact.changed"}}); !strings.Contains(page, "What was sent") || !strings.Contains(page, "X-Hook-Test: true") {
		t.Errorf("a sample:\n%s", page)
	}
	if status, page := b.send("/console/webhooks/1/state", stop()); status != http.StatusOK || !strings.Contains(page, "is stopped") {
		t.Errorf("stop: %d %s", status, page)
	}
	if status, page := b.send("/console/sign-out", url.Values{}); status != http.StatusOK || !strings.Contains(page, "Password or token") {
		t.Errorf("sign out: %d %s", status, page)
	}
	if status, page := b.page("/console/webhooks/1"); status != http.StatusOK || !strings.Contains(page, `value="/console/webhooks/1"`) {
		t.Errorf("without a session: %d %s", status, page)
	}
	for next, want := range map[string]string{"/console/events?event=a.b": "/console/events?event=a.b", "https://evil.example/console/": "/console/webhooks", `/\evil.example`: "/console/webhooks", "//evil.example/console/": "/console/webhooks"} {
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/console/sign-in", strings.NewReader(url.Values{"user": {"tje0"}, "password": {"Tje0"}, "next": {next}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if status, header, _ := b.do(r); status != http.StatusSeeOther || header.Get("Location") != want {
			t.Errorf("next=%s: %d to %q, want %q", next, status, header.Get("Location"), want)
		}
	}
}

// A list makes two calls and shows fifty webhooks, however many there are. The log says
// that the console made the calls.
func TestConsole_ListIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	for i := range 120 {
		status, _, body := s.call(http.MethodPost, "/api/v1/Webhook", fmt.Sprintf(`{"Name":"hook %d","Events":["contact.*"],"TargetUrl":"https://example.com/%d"}`, i, i))
		if status != http.StatusOK {
			t.Fatalf("create: %d %s", status, body)
		}
	}
	b := s.reader()
	_, page := b.page("/console/webhooks?skip=50")
	if n := strings.Count(page, "<tr>") - 1; n != 50 || !strings.Contains(page, "Next") || !strings.Contains(page, "Previous") || len(page) > 300<<10 {
		t.Errorf("%d rows in %d bytes", n, len(page))
	}
	if _, page = b.page("/console/webhooks?q=hook+119"); strings.Count(page, "<tr>")-1 != 1 {
		t.Errorf("the search found others:\n%s", page)
	}
	s.stop()
	if n := len(regexp.MustCompile(`action="GET .* via=console`).FindAllString(s.logs.String(), -1)); n != 6 {
		t.Errorf("three lists made %d calls, want 6", n)
	}
}

func TestConsole_CanBeTurnedOff(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), map[string]string{"CONSOLE": "false"})
	if status, _, body := s.call(http.MethodGet, "/console/webhooks", ""); status != http.StatusNotFound || !strings.Contains(string(body), "Nothing is served") {
		t.Errorf("got %d %s", status, body)
	}
}
