package httpapi_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// way is one of the ways in which a client sets a member of a webhook.
type way struct {
	method, path, body, contentType string
}

// ways returns every way to set a string member of webhook 1, or of a new one.
func ways(t *testing.T, member, value string) map[string]way {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var element strings.Builder
	if err := xml.EscapeText(&element, []byte(value)); err != nil {
		t.Fatal(err)
	}
	target, targetXML, targetForm := `"TargetUrl":"https://example.com/",`, `<TargetUrl>https://example.com/</TargetUrl>`, `&TargetUrl=https://example.com/`
	if member == "TargetUrl" {
		target, targetXML, targetForm = "", "", ""
	}
	entity := fmt.Sprintf(`{"Events":["contact.changed"],%s%q:%s}`, target, member, encoded)
	asXML := fmt.Sprintf(`<Webhook><Events><string>contact.changed</string></Events>%s<%s>%s</%[2]s></Webhook>`, targetXML, member, element.String())
	form := "Events=contact.changed" + targetForm + "&" + member + "=" + url.QueryEscape(value)
	withID := `{"WebhookId":1,` + entity[1:]
	return map[string]way{
		"POST":         {"POST", "/api/v1/Webhook", entity, "application/json"},
		"POST, a form": {"POST", "/api/v1/Webhook", form, "application/x-www-form-urlencoded"},
		"POST, XML":    {"POST", "/api/v1/Webhook", asXML, "application/xml"},
		"PUT":          {"PUT", "/api/v1/Webhook/1", entity, "application/json"},
		"PUT, a form":  {"PUT", "/api/v1/Webhook/1", form, "application/x-www-form-urlencoded"},
		"PUT, XML":     {"PUT", "/api/v1/Webhook/1", asXML, "application/xml"},
		"merge patch":  {"PATCH", "/api/v1/Webhook/1", fmt.Sprintf(`{%q:%s}`, member, encoded), "application/merge-patch+json"},
		"JSON Patch":   {"PATCH", "/api/v1/Webhook/1", fmt.Sprintf(`[{"op":"replace","path":"/%s","value":%s}]`, member, encoded), "application/json-patch+json"},
		"agent, new":   {"POST", agent + "SaveWebhook", entity, "application/json"},
		"agent":        {"POST", agent + "SaveWebhook", withID, "application/json"},
	}
}

// White space around a target is never meant, and a space inside one is: it is
// stored as it came.
func TestTargetUrl_IsStoredWithoutSpacesAround(t *testing.T) {
	t.Parallel()
	const want = "https://example.com/two words?q=é{%20}"
	for name, w := range ways(t, "TargetUrl", " \t"+want+"\u00a0\n ") {
		s := newServer(t)
		s.shown(200, "POST", "/api/v1/Webhook", minimal)
		got := s.call(w.method, w.path, w.body, "Content-Type: "+w.contentType, "Accept: application/json")
		if text := fmt.Sprintf("%q:%q", "TargetUrl", want); got.Code != 200 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("%s: got %d %s, want %s", name, got.Code, got.Body, text)
		}
		if stored := s.webhooks(); stored[len(stored)-1].TargetURL != want {
			t.Errorf("%s: stored as %q", name, stored[len(stored)-1].TargetURL)
		}
	}
}

func TestTargetUrl_WithoutControlCharacters(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, inside := range []string{"\t", "\n", "\r\n", "\x7f"} {
		got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"TargetUrl": "https://example.com/a" + inside + "b"}))
		if got.Code != 400 || !strings.Contains(got.Body.String(), "TargetUrl must not contain control characters") {
			t.Errorf("%q: got %d %s", inside, got.Code, got.Body)
		}
	}
}

// A secret that only looks like a Standard Webhooks secret would sign with
// another key than the receiver's library uses, and no message would verify.
func TestSecret_MustBeginWithItsPrefix(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	for name, w := range ways(t, "Secret", "v1,whsec_"+key) {
		s := newServer(t)
		s.shown(200, "POST", "/api/v1/Webhook", minimal)
		before := s.webhooks()
		got := s.call(w.method, w.path, w.body, "Content-Type: "+w.contentType, "Accept: application/json")
		if text := got.Body.String(); got.Code != 400 || !strings.Contains(text, `Secret must begin with \"whsec_\" itself`) || strings.Contains(text, key) {
			t.Errorf("%s: got %d %s", name, got.Code, text)
		}
		if after := s.webhooks(); len(after) != len(before) || after[0].Revision != before[0].Revision {
			t.Errorf("%s: something was stored", name)
		}
	}
	s := newServer(t)
	for _, secret := range []string{"v1, whsec_" + key, "V1,WHSEC_" + key, "v1a,whsec_" + key, " whsec_" + key, "\n\twhsec_" + key, `"whsec_` + key + `"`, "'whsec_" + key + "'", "Whsec_" + key, "whsec_" + key + "\n", "whsec_\n" + key} {
		if got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Secret": secret})); got.Code != 400 || strings.Contains(got.Body.String(), key) {
			t.Errorf("%q: got %d %s", secret, got.Code, got.Body)
		}
		test := fmt.Sprintf(`{"Webhook":%s}`, body(t, map[string]any{"Secret": secret}))
		if got := s.call("POST", agent+"TestWebhook", test); got.Code != 400 {
			t.Errorf("test with %q: got %d %s", secret, got.Code, got.Body)
		}
	}
	for _, secret := range []string{"whsec_" + key, "v1," + key, "v1", "v1,", "my whsec_" + key, "whsec", " ", "v2,whsec_" + key} {
		if got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Secret": secret})); got.Code != 200 {
			t.Errorf("%q: got %d %s", secret, got.Code, got.Body)
		}
	}
}
