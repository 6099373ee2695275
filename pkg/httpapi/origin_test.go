package httpapi_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Every operation that could send a masked header value to another target.
func TestAMaskedHeaderValueIsNotSentElsewhere(t *testing.T) {
	t.Parallel()
	const (
		patchType = "Content-Type: application/json-patch+json"
		entity    = `{"WebhookId":1,"Name":"n","Events":["contact.changed"],"TargetUrl":"https://example.org/","Secret":"********","Headers":{"AUTHORIZATION":"********"}}`
		xml       = `<Webhook><WebhookId>1</WebhookId><Name>n</Name><Events><string>contact.changed</string></Events><TargetUrl>https://example.org/</TargetUrl>` +
			`<Headers><StringKeyValuePair><Key>Authorization</Key><Value>********</Value></StringKeyValuePair></Headers></Webhook>`
		form = `WebhookId=1&Name=n&Events=contact.changed&TargetUrl=https%3A%2F%2Fexample.org%2F&Headers%5BAuthorization%5D=********`
	)
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
	}{
		"PUT":                               {"PUT", "/api/v1/Webhook/1", entity, nil},
		"PUT of XML":                        {"PUT", "/api/v1/Webhook/1", xml, []string{"Content-Type: application/xml"}},
		"PUT of a form":                     {"PUT", "/api/v1/Webhook/1", form, []string{"Content-Type: application/x-www-form-urlencoded"}},
		"PUT that stops it":                 {"PUT", "/api/v1/Webhook/1", strings.Replace(entity, "{", `{"State":"Stopped",`, 1), nil},
		"JSON Patch of the target":          {"PATCH", "/api/v1/Webhook/1", `[{"op":"replace","path":"/TargetUrl","value":"https://example.org/"}]`, []string{patchType}},
		"JSON Patch after a test":           {"PATCH", "/api/v1/Webhook/1", `[{"op":"test","path":"targeturl","value":"https://example.com/"},{"op":"add","path":"targeturl","value":"https://example.com:8443/"}]`, []string{patchType}},
		"JSON Patch that states the mask":   {"PATCH", "/api/v1/Webhook/1", `[{"op":"remove","path":"/Headers"},{"op":"add","path":"/Headers/Authorization","value":"********"},{"op":"replace","path":"/TargetUrl","value":"http://example.com/"}]`, []string{patchType}},
		"JSON Patch of target and state":    {"PATCH", "/api/v1/Webhook/1", `[{"op":"replace","path":"/TargetUrl","value":"https://example.org/"},{"op":"replace","path":"/State","value":"Stopped"}]`, []string{patchType}},
		"merge patch":                       {"PATCH", "/api/v1/Webhook/1", `{"TargetUrl":"https://example.org/"}`, nil},
		"merge patch that states the mask":  {"PATCH", "/api/v1/Webhook/1", `{"targetUrl":"https://example.org/","Headers":{"authorization":"********"}}`, nil},
		"Test":                              {"POST", "/api/v1/Webhook/Test", entity, nil},
		"Test of XML":                       {"POST", "/api/v1/Webhook/Test", xml, []string{"Content-Type: text/xml"}},
		"Test of a form":                    {"POST", "/api/v1/Webhook/Test", form, []string{"Content-Type: application/x-www-form-urlencoded"}},
		"the agent's SaveWebhook":           {"POST", "/api/v1/Agents/Webhook/SaveWebhook", entity, nil},
		"the agent's SaveWebhook, wrapped":  {"POST", "/api/v1/Agents/Webhook/SaveWebhook", `{"Webhook":` + entity + `}`, nil},
		"the agent's TestWebhook":           {"POST", "/api/v1/Agents/Webhook/TestWebhook", entity, nil},
		"the agent's TestWebhook, wrapped":  {"POST", "/api/v1/Agents/Webhook/TestWebhook", `{"webhook":` + entity + `}`, nil},
		"under an Idempotency-Key, by save": {"POST", "/api/v1/Agents/Webhook/SaveWebhook", entity, []string{"Idempotency-Key: k"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, state := range []string{"Active", "Stopped", "TooManyErrors"} {
				s := newServer(t)
				s.shown(200, "POST", "/api/v1/Webhook", `{"Name":"n","State":"`+state+`","Events":["contact.changed"],"TargetUrl":"https://example.com/","Secret":"s","Headers":{"Authorization":"Bearer 1","X-B":"b"}}`)
				s.pings = nil
				got := s.call(test.method, test.path, test.body, test.headers...)
				if text := got.Body.String(); got.Code != 400 || !strings.Contains(strings.ToLower(text), "authorization must be set again") || strings.Contains(text, "X-B") {
					t.Errorf("%s: got %d %s, want 400 that names the header", state, got.Code, text)
				}
				stored := s.webhooks()
				if len(s.pings) != 0 || len(stored) != 1 || stored[0].TargetURL != "https://example.com/" || stored[0].Revision != 1 {
					t.Errorf("%s: %d pings, stored %+v", state, len(s.pings), stored)
				}
			}
		})
	}
}

// A create has no stored value that a mask could keep, even if it is repeated.
func TestAMaskOnCreateIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.shown(200, "POST", "/api/v1/Webhook", minimal, "Idempotency-Key: k")
	masked := strings.NewReplacer("open sesame", webhook.MaskedSecret, "k1", webhook.MaskedSecret).Replace(minimal)
	if got := s.call("POST", "/api/v1/Webhook", masked, "Idempotency-Key: k"); got.Code != 400 {
		t.Errorf("got %d %s, want 400", got.Code, got.Body)
	}
}

// Values that are set again go to the new origin, and no other value does.
func TestAHeaderValueThatIsSetAgainMoves(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.shown(200, "POST", "/api/v1/Webhook", minimal)
	s.shown(200, "PATCH", "/api/v1/Webhook/1", `{"TargetUrl":"https://example.org/","Headers":{"X-Api-Key":"k2"}}`)
	last := s.pings[len(s.pings)-1]
	if got := last.Secrets.Headers["X-Api-Key"].Reveal(); last.Webhook.TargetURL != "https://example.org/" || got != "k2" {
		t.Errorf("pinged %s with %s", last.Webhook.TargetURL, got)
	}
	s.shown(200, "PATCH", "/api/v1/Webhook/1", `{"TargetUrl":"https://example.net/","Headers":null}`)
	if last := s.pings[len(s.pings)-1]; len(last.Secrets.Headers) != 0 {
		t.Errorf("%d header values were sent on", len(last.Secrets.Headers))
	}
}
