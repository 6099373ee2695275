//go:build browser

// Package browser_test drives the console with a real browser: headless Chromium, against
// the local run as a process of its own. make test-browser runs it.
package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a story waits for what must appear.
const patience = 30 * time.Second

// story is a browser with a new profile, the local run with new data, and a target.
type story struct {
	t      *testing.T
	ctx    context.Context
	base   string
	target *httptest.Server
	down   atomic.Bool  // the target responds with 500
	posts  atomic.Int64 // that it accepted

	mu      sync.Mutex
	dialogs []string
}

func begin(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, base: serve(t)}
	s.target = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if s.down.Load() {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "<script>alert(document.domain)</script>")
			return
		}
		s.posts.Add(1)
	}))
	t.Cleanup(s.target.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-features", "BackForwardCache,Translate"), // the driver loses pages that are kept there
	)
	browser, closeBrowser := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(closeBrowser)
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	chromedp.ListenTarget(ctx, func(event any) {
		if dialog, ok := event.(*page.EventJavascriptDialogOpening); ok {
			s.mu.Lock()
			s.dialogs = append(s.dialogs, dialog.Message)
			s.mu.Unlock()
		}
	})
	if err := chromedp.Run(ctx); err != nil { // starts the browser, which ends with ctx
		t.Fatal(err)
	}
	return s
}

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "posthaste-browser")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "local")
	out, err := exec.Command("go", "build", "-o", path, "..").CombinedOutput()
	if err != nil {
		err = &buildError{string(out)}
	}
	return path, err
})

type buildError struct{ said string }

func (e *buildError) Error() string { return "build: " + e.said }

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// serve starts the local run and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "DATA_DIR="+t.TempDir(), "LOG_LEVEL=warn")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, after, found := strings.Cut(lines.Text(), "serves on "); found {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return strings.Fields(after)[0]
		}
	}
	t.Fatal("the local run did not say where it serves")
	return ""
}

// do runs browser actions.
func (s *story) do(what string, actions ...chromedp.Action) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var text, at string
		_ = chromedp.Run(s.ctx, chromedp.Text("body", &text), chromedp.Location(&at))
		s.t.Fatalf("%s: %v; the page %s says\n%s", what, err, at, text)
	}
}

// sees waits until the page has a text.
func (s *story) sees(text string) {
	s.t.Helper()
	s.do("waiting for "+text, chromedp.WaitVisible(`//main[contains(normalize-space(.), "`+text+`")]`, chromedp.BySearch))
}

// seesLater loads a page again until it has a text.
func (s *story) seesLater(path, text string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		var said string
		s.do("open "+path, chromedp.Navigate(s.base+path), chromedp.Text("main", &said))
		if strings.Contains(said, text) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s does not say %q:\n%s", path, text, said)
		}
		<-time.After(100 * time.Millisecond)
	}
}

func (s *story) open(path string) { s.t.Helper(); s.do("open "+path, chromedp.Navigate(s.base+path)) }

// press clicks the button or link with a text. What the next page says is waited for
// before anything else is opened.
func (s *story) press(text string) {
	s.t.Helper()
	xpath := `//*[self::a or self::button or self::summary][normalize-space(.)="` + text + `"]`
	s.do("press "+text, chromedp.Click(xpath, chromedp.BySearch, chromedp.NodeVisible))
}

func (s *story) fill(name, value string) {
	s.t.Helper()
	s.do("fill "+name, chromedp.SetValue(`main [name="`+name+`"]`, value))
}

func (s *story) signIn() {
	s.t.Helper()
	s.open("/console")
	s.fill("user", "tje0")
	s.fill("password", "Tje0")
	s.do("sign in", chromedp.Click("main button"))
	s.sees("New webhook")
}

// call calls the API, as a system of the tenant does.
func (s *story) call(path string, body, into any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, s.base+"/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.SetBasicAuth("tje0", "Tje0")
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, _ := io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 || into != nil && json.Unmarshal(said, into) != nil {
		s.t.Fatalf("%s: %s %s", path, resp.Status, said)
	}
}

// webhook creates webhook 1, whose target is the story's.
func (s *story) webhook(name string) {
	s.t.Helper()
	s.call("Webhook", map[string]any{"Name": name, "Events": []string{"order.*"}, "TargetUrl": s.target.URL + "/in"}, nil)
}

// quiet checks that no page opened a dialog.
func (s *story) quiet() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dialogs) > 0 {
		s.t.Errorf("a script ran: %q", s.dialogs)
	}
}
