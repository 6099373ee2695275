package outbound_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Node, uvicorn and net/http respond with 400 to a request line that holds a
// raw space or another character that RFC 3986 does not allow.
func TestSend_TheRequestLineIsEncoded(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		lines := make(chan string, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Proto != protocol {
				t.Errorf("came over %s, want %s", r.Proto, protocol)
			}
			lines <- r.RequestURI
		}))
		server.EnableHTTP2 = protocol == "HTTP/2.0"
		server.StartTLS()
		t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		s := sender(t, func(c *outbound.Config) { c.RootCAs, c.HTTP2, c.Now = roots, server.EnableHTTP2, time.Now })
		for rest, want := range map[string]string{
			"/hook?name=first second":      "/hook?name=first%20second",
			"/hook?token=abc ":             "/hook?token=abc",
			"/webhook ":                    "/webhook",
			"/a b/blåbær?q=é&r=\"<>{}|\\^": "/a%20b/bl%C3%A5b%C3%A6r?q=%C3%A9&r=%22%3C%3E%7B%7D%7C%5C%5E",
			"/a%2Fb c%2f?x=%2B%20 %e2":     "/a%2Fb%20c%2f?x=%2B%20%20%e2",
			"/50%?rate=100%&x=%4":          "/50%25?rate=100%25&x=%254",
		} {
			if got := s.Send(t.Context(), webhook.Post{Webhook: hook(server.URL + rest), Event: event}); got.Error != failure.None {
				t.Errorf("%s %q: %+v", protocol, rest, got)
				continue
			}
			line := <-lines
			if line != want {
				t.Errorf("%s %q was sent as %q, want %q", protocol, rest, line, want)
			}
			if _, err := url.ParseRequestURI(line); err != nil || strings.Contains(line, " ") {
				t.Errorf("%s %q: %v", protocol, rest, err)
			}
		}
	}
}
