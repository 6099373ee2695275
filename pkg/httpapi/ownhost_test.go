package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
)

// The calls go to example.test, and links are built on hooks.example.com.
func TestSave_RefusesTheServicesOwnHosts(t *testing.T) {
	t.Parallel()
	own := []string{
		"https://example.test/api/v1/Webhook/a/1", "https://EXAMPLE.test./", "https://example.test:8443/", "https://ｅxample.test/", "https://example。test/",
		"https://hooks.example.com/", "https://Hooks.Example.com:443/x",
	}
	strict := func(c *httpapi.Config) { c.Registry.Rules.CheckHost = guard(t).CheckHost }
	s := newServer(t, strict)
	if w := s.call("POST", "/api/v1/Webhook", `{"Events":["a"],"TargetUrl":"https://other.example.com/"}`); w.Code != http.StatusOK {
		t.Fatalf("another host: got %d %s", w.Code, w.Body)
	}
	for _, target := range own {
		for _, route := range []string{
			"POST /api/v1/Webhook", "PUT /api/v1/Webhook/1", "POST /api/v1/Webhook/Test",
			"POST /api/v1/Agents/Webhook/SaveWebhook", "POST /api/v1/Agents/Webhook/TestWebhook",
		} {
			method, path, _ := strings.Cut(route, " ")
			body := `{"Events":["a"],"TargetUrl":"` + target + `"}`
			if strings.Contains(path, "Agents") {
				body = `{"Webhook":` + body + `}`
			}
			w := s.call(method, path, body)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "must not point to this service") {
				t.Errorf("%s with %s: got %d %s", route, target, w.Code, w.Body)
			}
		}
	}
	if got := s.webhooks(); len(got) != 1 || got[0].TargetURL != "https://other.example.com/" {
		t.Errorf("stored: %+v", got)
	}
	local := newServer(t, strict, func(c *httpapi.Config) { c.AllowOwnHost = true })
	if w := local.call("POST", "/api/v1/Webhook", `{"Events":["a"],"TargetUrl":"https://example.test/_receiver"}`); w.Code != http.StatusOK {
		t.Errorf("where it is allowed: got %d %s", w.Code, w.Body)
	}
}

func guard(t *testing.T) *outbound.Guard {
	t.Helper()
	g, err := outbound.NewGuard(outbound.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
