package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestRetry(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.attempted(1, anEvent, webhook.SignerNone)
	const id = string(anEvent)
	const path = "/api/v1/Webhook/1/Deliveries/" + id + "/Retry"
	for range 2 {
		if got := s.call("POST", path, ""); got.Code != 202 || got.Body.String() != `{"EventId":"`+id+`","Round":2}` {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
	}
	key := delivery.Key{Tenant: "Default", Webhook: 1, Event: anEvent}
	at := s.clock.Now()
	if _, err := s.db.Deliveries().Lease(t.Context(), delivery.Lease{Key: key, Round: 2, Attempt: 1, Token: "x", Now: at, Until: at.Add(40 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	var refused struct {
		ErrorType   string
		LeasedUntil time.Time
	}
	got := s.call("POST", path, "")
	if err := json.Unmarshal(got.Body.Bytes(), &refused); err != nil || got.Code != 409 || !refused.LeasedUntil.Equal(at.Add(40*time.Second)) {
		t.Errorf("while an attempt is made: got %d %s, %v", got.Code, got.Body, err)
	}
	s.call("PATCH", "/api/v1/Webhook/1", `{"State":"Stopped"}`, "Content-Type: application/merge-patch+json")
	s.clock.Advance(time.Minute)
	got = s.call("POST", path, "")
	if got.Code != 409 || !strings.Contains(got.Body.String(), "Webhook 1 is Stopped") || strings.Contains(got.Body.String(), "LeasedUntil") {
		t.Errorf("a stopped webhook: got %d %s", got.Code, got.Body)
	}
	for event, text := range map[string]string{
		"01a20c91-a000-7000-8000-00000000000a": "No delivery of event",
		"01900000-0000-7000-8000-000000000007": "has expired",
		"nonsense":                             "No delivery of event",
	} {
		if got := s.call("POST", "/api/v1/Webhook/1/Deliveries/"+event+"/Retry", ""); got.Code != 404 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("%s: got %d %s, want %q", event, got.Code, got.Body, text)
		}
	}
	var retries []any
	for _, line := range s.audits() {
		if line["action"] == "retry delivery" {
			retries = append(retries, line["event_id"])
		}
	}
	if diff := cmp.Diff([]any{id, id}, retries); diff != "" {
		t.Errorf("audited retries (-want +got):\n%s", diff)
	}
}
