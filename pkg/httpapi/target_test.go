package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The message of a target that is refused names the setting that allows it.
func TestTarget_RefusalsNameTheSetting(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) {
		c.Registry.Rules = webhook.Rules{CheckHost: guard(t).CheckHost, RefuseUnknownTypes: true}
	})
	for target, want := range map[string]string{
		"http://example.com/":                    "must be an https URL unless the setting ALLOW_HTTP is true",
		"https://example.com:80/":                "http targets may use it if the setting ALLOW_HTTP is true",
		"https://example.com:22/":                "must use port 443 or 1024-65535, not 22; no setting allows it",
		"https://10.0.0.1/":                      "ALLOWED_TARGET_CIDRS, or ALLOW_PRIVATE_TARGETS of the local run",
		"https://127.0.0.1/":                     "ALLOWED_TARGET_CIDRS, or ALLOW_PRIVATE_TARGETS of the local run",
		"https://100.64.0.1/":                    "may not be called unless the setting ALLOWED_TARGET_CIDRS allows it",
		"https://169.254.169.254/":               "may not be called; no setting allows it",
		"https://printer/":                       "ALLOW_PRIVATE_TARGETS of the local run",
		"https://db.internal/":                   "ALLOW_PRIVATE_TARGETS of the local run",
		"https://0x7f.1/":                        "use the usual one, such as",
		"https://example.test/":                  "must not point to this service; no setting allows it",
		"https://example.com/\",\"Type\":\"mail": "unless the setting UNKNOWN_TYPE is accept",
	} {
		got := s.call("POST", "/api/v1/Webhook", `{"Events":["a"],"TargetUrl":"`+target+`"}`)
		if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %s", target, got.Code, got.Body, want)
		}
	}
	dev := newServer(t)
	if got := dev.call("POST", "/api/v1/Webhook", `{"Events":["a"],"TargetUrl":"http://example.com:22/"}`); !strings.Contains(got.Body.String(), "must use port 80, 443 or 1024-65535, not 22") {
		t.Errorf("http: got %s", got.Body)
	}
}
