package httpapi_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// Every operation that creates a webhook beyond WEBHOOKS_PER_TENANT returns a conflict
// that names the limit.
func TestCreate_AtTheLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) {
		if db, ok := c.Registry.Webhooks.(embedded.Webhooks); ok {
			c.Registry.Webhooks = db.Limited(2)
		}
	})
	const body = `{"Name":"n","Events":["a.b"],"TargetUrl":"https://example.com/"}`
	for range 2 {
		if got := s.call("POST", "/api/v1/Webhook", body); got.Code != 200 {
			t.Fatalf("got %d: %s", got.Code, got.Body)
		}
	}
	for path, body := range map[string]string{
		"/api/v1/Webhook":                    body,
		"/api/v1/Agents/Webhook/SaveWebhook": `{"Webhook":` + body + `}`,
	} {
		got := s.call("POST", path, body)
		if got.Code != 409 || !strings.Contains(got.Body.String(), "limit of 2 webhooks") || !strings.Contains(got.Body.String(), "SoConflictException") {
			t.Errorf("%s: got %d: %s", path, got.Code, got.Body)
		}
	}
	if n := len(s.webhooks()); n != 2 {
		t.Errorf("%d webhooks are stored", n)
	}
}
