package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// Of an event whose body would be too large nothing is sent, and its delivery fails with
// its first attempt. It does not hold the next one back, however many there are.
func TestTemplate_TooLargeABody(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	target := webhooktest.NewReceiver(t)
	id := s.create(target.URL)
	option := `{"Template":["` + strings.Join([]string{"{{FieldValues.x}}", "{{FieldValues.x}}", "{{FieldValues.x}}"}, `","`) + `"]}`
	if status, _, response := s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d/Options", id), option); status != 200 {
		t.Fatalf("got %d %s", status, response)
	}
	event := func(key int, x string) string {
		return fmt.Sprintf(`{"Event":"contact.changed","PrimaryKey":%d,"FieldValues":{"x":"%s"}}`, key, x)
	}
	large := strings.Repeat("x", 200_000)
	for i := range 12 { // more than open a breaker
		if status, _, response := s.call("POST", "/api/v1/Events", event(i, large)); status != 202 {
			t.Fatalf("got %d %s", status, response)
		}
	}
	if status, _, response := s.call("POST", "/api/v1/Events", event(99, "small")); status != 202 {
		t.Fatalf("got %d %s", status, response)
	}
	if body := string(received(t, s, target, 1)[0].Body); body != `["small","small","small"]` {
		t.Errorf("received %.100s", body)
	}
	s.health(id, func(h webhook.Health) bool {
		return h.TotalErrors == 12 && h.ConsecutiveErrors == 0 && h.FailingSince.IsZero() && h.Breaker == webhook.Breaker{} && strings.Contains(h.LastError, string(failure.Body))
	})
	status, _, response := s.call("GET", fmt.Sprintf("/api/v1/Webhook/%d/Deliveries?error=%s", id, failure.Body), "")
	if failed, once := strings.Count(string(response), `"Status":"Failed"`), strings.Count(string(response), `"AttemptCount":1`); status != 200 || failed != 12 || once != 12 {
		t.Errorf("%d deliveries failed, %d with one attempt: %d %s", failed, once, status, response)
	}
}
