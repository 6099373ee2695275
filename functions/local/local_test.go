package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// started is a local run on its own port.
type started struct {
	t       *testing.T
	base    string
	service *parts
	logs    *bytes.Buffer
	stop    func() // as Ctrl-C does; returns when all is written
}

// start runs the service on a directory, with settings by name.
func start(t *testing.T, dir string, settings map[string]string) *started {
	t.Helper()
	cfg, err := config.LoadLocal(func(name string) (string, bool) {
		if name == "DATA_DIR" {
			return dir, true
		}
		value, ok := settings[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	logs := new(bytes.Buffer)
	s, err := newParts(cfg, logs)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, cfg, s, listener) }()
	stopped := false
	r := &started{t: t, base: "http://" + listener.Addr().String(), service: s, logs: logs}
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

func (s *started) call(method, path, body string) (int, http.Header, []byte) {
	s.t.Helper()
	return s.callAs("tje0", "Tje0", method, path, body)
}

func (s *started) callAs(user, password, method, path, body string) (int, http.Header, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

// create registers a webhook for contact events and returns its id.
func (s *started) create(target string) int32 {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"Name": "n", "Events": []string{"contact.*"}, "TargetUrl": target, "Secret": "Something Super Secret"})
	if err != nil {
		s.t.Fatal(err)
	}
	status, _, answer := s.call("POST", "/api/v1/Webhook", string(body))
	var created struct{ WebhookId int32 } //nolint:revive // the wire's spelling
	if err := json.Unmarshal(answer, &created); err != nil || status != 200 {
		s.t.Fatalf("create: got %d %s (%v)", status, answer, err)
	}
	return created.WebhookId
}

// signal signals contact.changed and returns the event's id.
func (s *started) signal() webhook.EventID {
	s.t.Helper()
	status, header, answer := s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"name":"Blåbær"}`)
	if status != 204 {
		s.t.Fatalf("signal: got %d %s", status, answer)
	}
	return webhook.EventID(header.Get("X-Superoffice-Eventid"))
}

// row waits until a delivery's row satisfies want, and returns it.
func (s *started) row(key delivery.Key, want func(delivery.Row) bool) delivery.Row {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		row, err := s.service.db.Deliveries().Get(s.t.Context(), key)
		if err == nil && want(row) {
			return row
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the row of %v is %+v (%v)", key, row, err)
		}
		select { // looked at again as soon as something is written
		case <-s.service.db.Changed():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var fenced = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The README's three calls, unchanged except for the port.
func TestREADME_QuickstartShowsAVerifiedDelivery(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl, which the README's calls need, is not installed")
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- quickstart:begin -->")
	section, _, found := strings.Cut(rest, "<!-- quickstart:end -->")
	calls := fenced.FindAllStringSubmatch(section, -1)
	if !found || len(calls) != 3 {
		t.Fatalf("the README has %d calls between its quickstart marks, want 3", len(calls))
	}
	s := start(t, t.TempDir(), nil)
	shell := func(call string) string {
		t.Helper()
		call = strings.ReplaceAll(call, "http://127.0.0.1:8080", s.base)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", call).CombinedOutput() //nolint:gosec // from our own README
		if err != nil {
			t.Fatalf("%s: %v\n%s", call, err, out)
		}
		return string(out)
	}
	if got := shell(calls[0][1]); !strings.Contains(got, `"WebhookId":1,`) {
		t.Errorf("the first call printed %s", got)
	}
	if got := shell(calls[1][1]); strings.Contains(got, "Error") {
		t.Errorf("the second call printed %s", got)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := shell(calls[2][1])
		if strings.Contains(got, `"SuperOffice":"valid","StandardWebhooks":"valid"`) && strings.Contains(got, "Blåbær AS") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the third call still prints %s", got)
		}
	}
	private := config.Local{FirstCredential: webhook.NewSecret(config.DefaultCredential)}
	private.AllowPrivate = true
	text := banner(private, "127.0.0.1:8080")
	for _, call := range calls {
		if !strings.Contains(text, call[1]) {
			t.Errorf("the banner lacks the README's call %s\nin:\n%s", call[1], text)
		}
	}
	_, rest, _ = strings.Cut(calls[0][1], `"Secret": "`)
	secret, _, _ := strings.Cut(rest, `"`)
	if _, err := standardwebhooks.NewWebhook(secret); err != nil {
		t.Errorf("the official library does not take the README's secret %q as it is: %v", secret, err)
	}
}

func TestLocal_DeliversEventsSignalledBeforeARestart(t *testing.T) {
	t.Parallel()
	target := webhooktest.NewReceiver(t)
	dir := t.TempDir()
	first := start(t, dir, nil)
	id := first.create(target.URL)
	event := first.signal()
	key := delivery.Key{Tenant: "Default", Webhook: id, Event: event}
	first.row(key, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	first.stop()

	second := start(t, dir, nil)
	status, _, answer := second.call("GET", "/api/v1/Webhook/1", "")
	if status != 200 || !strings.Contains(string(answer), `"Secret":"********"`) {
		t.Errorf("after a restart: got %d %s", status, answer)
	}
	key.Event = second.signal()
	second.row(key, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	if got := len(target.Requests()); got != 2 {
		t.Errorf("the target got %d POSTs, want 2", got)
	}
}

func TestLocal_AFailedAttemptIsAPendingRowAndIsRetried(t *testing.T) {
	t.Parallel()
	target := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 503, Body: "later"}, webhooktest.Answer{Status: 200})
	s := start(t, t.TempDir(), map[string]string{"DELIVERY_POLICY": "superoffice"})
	key := delivery.Key{Tenant: "Default", Webhook: s.create(target.URL), Event: s.signal()}
	row := s.row(key, func(d delivery.Row) bool { return d.Attempt >= 1 && d.AttemptCount >= 1 })
	if row.Status == delivery.StatusPending && (row.NextAt.IsZero() || row.Attempts[0].StatusCode != 503) {
		t.Errorf("got a pending row without its next or last attempt: %+v", row)
	}
	row = s.row(key, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	if row.Attempt != 2 || len(row.Attempts) != 2 {
		t.Errorf("got %d attempts, want 2: %+v", row.Attempt, row)
	}
	requests := target.Requests()
	if len(requests) != 2 || requests[0].Header.Get("Webhook-Id") != requests[1].Header.Get("Webhook-Id") {
		t.Fatalf("the target got %d POSTs, want 2 of one id", len(requests))
	}
	if first, second := requests[0].Header.Get("X-Superoffice-Retry"), requests[1].Header.Get("X-Superoffice-Retry"); first != "" || second != "1" {
		t.Errorf("got X-SuperOffice-Retry %q and %q, want none and 1", first, second)
	}
}

func TestLocal_StatisticsFollowDeliveries(t *testing.T) {
	t.Parallel()
	target := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 410, Body: "gone"})
	s := start(t, t.TempDir(), nil)
	watcher := webhooktest.NewReceiver(t)
	id := s.create(target.URL)
	status, _, answer := s.call("POST", "/api/v1/Webhook", `{"Events":["webhook1.errors"],"TargetUrl":"`+watcher.URL+`"}`)
	if status != 200 {
		t.Fatalf("create the watcher: got %d %s", status, answer)
	}
	key := delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}
	row := s.row(key, func(d delivery.Row) bool { return d.Status != delivery.StatusPending })
	if row.Status != delivery.StatusFailed {
		t.Errorf("after a 410: got %+v", row)
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(watcher.Requests()) == 0 && time.Now().Before(deadline) {
		<-s.service.db.Changed()
	}
	_, _, answer = s.call("GET", "/api/v1/Webhook/1", "")
	for _, part := range []string{`"State":"TooManyErrors"`, `"TotalCalls":1`, `"TotalErrors":1`, `"ConsecutiveErrors":1`} {
		if !strings.Contains(string(answer), part) {
			t.Errorf("want %s in %s", part, answer)
		}
	}
	if got := watcher.Requests(); len(got) != 1 || !strings.Contains(string(got[0].Body), `"Event":"webhook.errors","PrimaryKey":1`) {
		t.Errorf("the watcher got %d POSTs, want one of webhook.errors", len(got))
	}
}

func TestLocal_SecondProcessOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir, nil)
	cfg, err := config.LoadLocal(func(name string) (string, bool) {
		if name == "DATA_DIR" {
			return dir, true
		}
		return "", false
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newParts(cfg, io.Discard); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v, want a clear refusal", err)
	}
}

func TestLocal_FailedStartClosesTheData(t *testing.T) {
	t.Parallel()
	cfg, err := config.LoadLocal(func(name string) (string, bool) {
		if name == "DATA_DIR" {
			return t.TempDir(), true
		}
		return "", false
	})
	if err != nil {
		t.Fatal(err)
	}
	faulty := cfg
	faulty.RuntimeAPI = "no address"
	if _, err := newParts(faulty, io.Discard); err == nil {
		t.Fatal("it started although the Runtime API's address is invalid")
	}
	s, err := newParts(cfg, io.Discard)
	if err != nil {
		t.Fatalf("the data cannot be opened again: %v", err)
	}
	if err := s.db.Close(); err != nil {
		t.Error(err)
	}
}
