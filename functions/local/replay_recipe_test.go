package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The calls of docs/replay.md retry a delivery, count and replay a period, cancel the
// replay, and create a webhook that gets past events.
func TestRecipe_Replay(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page's calls need curl")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "replay.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := fenced.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 5 {
		t.Fatalf("docs/replay.md has %d blocks, want 5", len(blocks))
	}
	dir := t.TempDir()
	target := &marks{tally: tally{posts: map[webhook.EventID]int{}, changed: make(chan struct{})}}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	events := past(t, dir, server.URL, 10)
	s := start(t, dir, nil)
	setup := strings.Replace(blocks[0][1], "http://127.0.0.1:8080", s.base, 1)
	run := func(call, variables string) (code string, body map[string]any) {
		t.Helper()
		script := setup + "\n" + variables + "\n" + strings.Replace(call, "api ", "api -w ' %{http_code}' ", 1)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput() //nolint:gosec // our own documentation
		var text string
		text, code, _ = cutLast(string(out), " ")
		if err != nil || json.Unmarshal([]byte(text), &body) != nil {
			t.Fatalf("%s: %v\n%s", call, err, out)
		}
		return code, body
	}
	from := "FROM=" + time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339)
	if status, body := run(blocks[1][1], "EVENT="+string(events[0])); status != "202" || body["Round"] != 2.0 {
		t.Errorf("retry: got %s %v", status, body)
	}
	allArrive(t, &target.tally, events[:1])
	status, body := run(blocks[2][1], from)
	if counts, _ := body["Counts"].([]any); status != "202" || body["Status"] != "Done" || len(counts) != 2 {
		t.Errorf("dry run: got %s %v", status, body)
	}
	calls := strings.Split(strings.TrimSpace(blocks[3][1]), "\n")
	status, begun := run(calls[0], from)
	job, _ := begun["JobId"].(string)
	if status != "202" || begun["Status"] != "Running" || job == "" {
		t.Errorf("replay: got %s %v", status, begun)
	}
	if status, body := run(calls[0], from); status != "409" || body["JobId"] != job {
		t.Errorf("a second replay: got %s %v", status, body)
	}
	if err := s.service.sweep(t.Context()); err != nil { // the minute's work
		t.Fatal(err)
	}
	allArrive(t, &target.tally, events)
	if status, body := run(calls[1], ""); status != "200" || len(body["Replays"].([]any)) != 2 {
		t.Errorf("list: got %s %v", status, body)
	}
	if status, body := run(calls[2], "JOB="+job); status != "200" || body["Status"] != "Done" || body["Created"] != 9.0 {
		t.Errorf("cancelling one that has ended: got %s %v", status, body)
	}
	if twice := target.duplicates(); twice != 0 || int(target.marked.Load()) != len(events) {
		t.Errorf("%d came twice, %d of %d are marked", twice, target.marked.Load(), len(events))
	}
	status, created := run(blocks[4][1], from)
	if status != "200" || created["WebhookId"] != 2.0 {
		t.Errorf("create: got %s %v", status, created)
	}
	if code, _, list := s.call(http.MethodGet, "/api/v1/Webhook/2/Replay", ""); code != http.StatusOK || !strings.Contains(string(list), `"Only":["Missing"]`) {
		t.Errorf("got %d %s", code, list)
	}
}

// cutLast cuts a text at the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}
