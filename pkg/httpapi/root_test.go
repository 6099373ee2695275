package httpapi_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// The root points to the API without a credential, on the base of all links.
func TestRoot(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.PublicURL = "" })
	const want = `{"Service":"Posthaste","Version":"1.2.3","_Links":{"OpenApi":"http://example.test/api/v1/openapi.json",` +
		`"Webhooks":"http://example.test/api/v1/Webhook","Health":"http://example.test/healthz"}}`
	if got := s.call("GET", "/", "", "Authorization: "); got.Code != 200 || got.Body.String() != want {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := s.call("HEAD", "/", "", "Authorization: "); got.Code != 200 {
		t.Errorf("HEAD: got %d", got.Code)
	}
	if got := s.call("POST", "/", ""); got.Code != 405 {
		t.Errorf("POST: got %d %s", got.Code, got.Body)
	}
	if got := newServer(t).call("GET", "/", ""); !strings.Contains(got.Body.String(), `"https://hooks.example.com/healthz"`) {
		t.Errorf("with PublicURL: %s", got.Body)
	}
}

// A program that sets up a receiver's firewall needs no credential, and can tell no
// fixed addresses from an error.
func TestEgress(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.EgressAddresses = []string{"203.0.113.7", "2001:db8::/64"} })
	if got := s.call("GET", "/.well-known/posthaste-egress", "", "Authorization: "); got.Code != 200 || got.Body.String() != `{"Addresses":["203.0.113.7","2001:db8::/64"]}` {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := newServer(t).call("GET", "/.well-known/posthaste-egress", "", "Authorization: "); got.Code != 200 || got.Body.String() != `{"Addresses":[]}` {
		t.Errorf("without addresses: got %d %s", got.Code, got.Body)
	}
}
