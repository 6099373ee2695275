package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// replayed is a replay as a response shows it.
type replayed struct {
	JobID            string `json:"JobId"`
	Status           string
	Examined         int
	Created          int
	RemainingSeconds *int
	Counts           []struct {
		Event, Reason string
		Count         int
	}
}

func (s *server) replay(method, path, body string, want int) (r replayed) {
	s.t.Helper()
	got := s.call(method, "/api/v1/Webhook/1/Replay"+path, body)
	if err := json.Unmarshal(got.Body.Bytes(), &r); err != nil || got.Code != want {
		s.t.Fatalf("%s %s: got %d %s, %v", method, path, got.Code, got.Body, err)
	}
	return r
}

func TestReplay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", `{"Events":["contact.*"],"TargetUrl":"https://example.com/"}`)
	s.attempted(1, anEvent, webhook.SignerNone)
	s.clock.Advance(2 * time.Minute)
	body := fmt.Sprintf(`{"From":%q,"DryRun":%%t}`, now.Add(-time.Minute).Format(time.RFC3339))
	dry := s.replay("POST", "", fmt.Sprintf(body, true), 202)
	if dry.Status != "Done" || dry.Created != 0 || len(dry.Counts) != 1 || dry.Counts[0].Reason != "Failed" || *dry.RemainingSeconds != 0 {
		t.Errorf("a dry run: got %+v", dry)
	}
	s.clock.Advance(time.Second)
	first := s.replay("POST", "", fmt.Sprintf(body, false), 202)
	if first.Status != "Running" || first.RemainingSeconds != nil {
		t.Errorf("got %+v", first)
	}
	if busy := s.replay("POST", "", fmt.Sprintf(body, false), 409); busy.JobID != first.JobID {
		t.Errorf("another one at the same time: got %+v", busy)
	}
	if got := s.replay("GET", "/"+strings.ToUpper(first.JobID), "", 200); got.JobID != first.JobID {
		t.Errorf("got %+v", got)
	}
	for range 2 {
		if got := s.replay("DELETE", "/"+first.JobID, "", 200); got.Status != "Cancelled" {
			t.Errorf("got %+v", got)
		}
	}
	var list struct{ Replays []replayed }
	if err := json.Unmarshal(s.call("GET", "/api/v1/Webhook/1/Replay", "").Body.Bytes(), &list); err != nil || len(list.Replays) != 2 || list.Replays[0].JobID != first.JobID {
		t.Errorf("got %+v, %v", list, err)
	}
	deletion, err := job.New(job.DeleteTenant, "Default", webhook.Associate{}, s.clock.Now(), strings.NewReader(strings.Repeat("x", 20)))
	if err == nil {
		err = s.db.Jobs().Create(t.Context(), deletion)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.replay("GET", "/"+deletion.ID, "", 404)
	s.replay("DELETE", "/"+deletion.ID, "", 404)
	var audited []any
	for _, line := range s.audits() {
		if action := fmt.Sprint(line["action"]); strings.Contains(action, "replay") {
			audited = append(audited, action)
		}
	}
	if diff := cmp.Diff([]any{"begin replay", "cancel replay", "cancel replay"}, audited); diff != "" {
		t.Errorf("audited (-want +got):\n%s", diff)
	}
}

func TestCreateSince(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	since := now.Add(-time.Hour).Format(time.RFC3339)
	for _, headers := range [][]string{nil, {"Idempotency-Key: k"}, {"Idempotency-Key: k"}} { // the last one is repeated
		if got := s.call("POST", "/api/v1/Webhook?since="+since, minimal, headers...); got.Code != 200 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
		s.clock.Advance(time.Second)
	}
	running, err := s.db.Jobs().Running(t.Context(), 10)
	if err != nil || len(running) != 2 {
		t.Fatalf("got %d jobs, %v; want one of each webhook", len(running), err)
	}
	for i, j := range running {
		if j.Webhook != int32(i+1) || !j.From.Equal(now.Add(-time.Hour)) || !j.To.Equal(j.Made.Add(30*time.Second)) || !j.NotBefore.Equal(j.Made.Add(90*time.Second)) {
			t.Errorf("got %+v", j)
		}
	}
	if list := s.call("GET", "/api/v1/Webhook/1/Replay", ""); !strings.Contains(list.Body.String(), running[0].ID) || !strings.Contains(list.Body.String(), `"Only":["Missing"]`) {
		t.Errorf("got %s", list.Body)
	}
	for query, text := range map[string]string{
		"since=yesterday": "since must be a time",
		"since=" + now.Add(time.Hour).Format(time.RFC3339): "since must not be in the future",
	} {
		if got := s.call("POST", "/api/v1/Webhook?"+query, minimal); got.Code != 400 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("%s: got %d %s", query, got.Code, got.Body)
		}
	}
	stopped := strings.Replace(minimal, "{", `{"State":"Stopped",`, 1)
	if got := s.call("POST", "/api/v1/Webhook?since="+since, stopped); got.Code != 400 || !strings.Contains(got.Body.String(), "since requires a webhook that is Active") {
		t.Errorf("a stopped webhook: got %d %s", got.Code, got.Body)
	}
	if n := len(s.webhooks()); n != 2 {
		t.Errorf("%d webhooks, want 2", n)
	}
}
