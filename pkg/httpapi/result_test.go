package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// A test of a webhook that is named by its id, without a target, is a test of
// what is stored.
func TestTest_ByID(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api/v1/Webhook/Test", agent + "TestWebhook"} {
		wrapped := func(body string) string {
			if strings.HasPrefix(path, agent) {
				return `{"Webhook":` + body + `}`
			}
			return body
		}
		s := newServer(t)
		s.call("POST", "/api/v1/Webhook", strings.Replace(minimal, "{", `{"Properties":{"a":1},`, 1))
		for _, test := range []struct{ body, url, name, secret, key, properties string }{
			{`{"WebhookId":1}`, "https://example.com/", "n", "open sesame", "k1", `{"a":1}`},
			{`{"webhookId":"1","TargetUrl":null,"Secret":null,"Headers":null,"Properties":null,"State":"Unknown"}`, "https://example.com/", "n", "open sesame", "k1", `{"a":1}`},
			{`{"WebhookId":1,"Name":"m","Secret":"s2","Headers":{"X-Api-Key":"k2"}}`, "https://example.com/", "m", "s2", "k2", `{"a":1}`},
			{`{"WebhookId":1,"TargetUrl":"https://example.com/other"}`, "https://example.com/other", "", "open sesame", "", ""}, // states its own
		} {
			s.pings = nil
			got := s.call("POST", path, wrapped(test.body))
			if got.Code != http.StatusOK || len(s.pings) != 1 {
				t.Errorf("%s %s: got %d %s and %d POSTs", path, test.body, got.Code, got.Body, len(s.pings))
				continue
			}
			sent := s.pings[0]
			if w := sent.Webhook; w.TargetURL != test.url || w.Name != test.name || sent.Secrets.Current.Reveal() != test.secret ||
				sent.Secrets.Headers["X-Api-Key"].Reveal() != test.key || string(w.Properties) != test.properties {
				t.Errorf("%s %s: sent to %s of %q, properties %s", path, test.body, w.TargetURL, w.Name, w.Properties)
			}
		}
		for body, status := range map[string]int{
			`{"WebhookId":9}`: 404, `{"WebhookId":0}`: 400, `{}`: 400, `{"WebhookId":"x"}`: 400, `{"WebhookId":1,"TargetUrl":""}`: 400, `{"WebhookId":1,"Name":5}`: 400,
		} {
			if got := s.call("POST", path, wrapped(body)); got.Code != status {
				t.Errorf("%s %s: got %d %s, want %d", path, body, got.Code, got.Body, status)
			}
		}
		if w := s.webhooks(); len(w) != 1 || w[0].Revision != 1 {
			t.Errorf("%s: the webhook was changed", path)
		}
		others := newServer(t, func(c *httpapi.Config) {
			who := tje0
			who.App = "app"
			c.Auth, c.Registry.Webhooks, c.Registry.Secrets = anyone{who}, s.db.Webhooks(), s.db.Secrets()
		})
		if got := others.call("POST", path, wrapped(`{"WebhookId":1}`)); got.Code != http.StatusNotFound || len(others.pings) != 0 {
			t.Errorf("%s, another app: got %d %s", path, got.Code, got.Body)
		}
	}
}
