package outbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A failed handshake says what is wrong with the certificate, and nothing of
// the certificate itself.
func TestSend_TLSErrorsHaveADetail(t *testing.T) {
	t.Parallel()
	server := func(start func(*httptest.Server), version uint16) *httptest.Server {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
		start(s)
		t.Cleanup(s.Close)
		return s
	}
	secure, outdated := server((*httptest.Server).StartTLS, 0), server((*httptest.Server).StartTLS, tls.VersionTLS11)
	plain := server((*httptest.Server).Start, 0)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	otherName := strings.Replace(secure.URL, "127.0.0.1", "other.example", 1)
	trusts := func(now time.Time) func(*outbound.Config) {
		return func(c *outbound.Config) {
			c.RootCAs, c.Now = roots, func() time.Time { return now }
			c.Lookup = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
		}
	}
	valid, years := time.Now(), func(n int) time.Time { return secure.Certificate().NotAfter.AddDate(n, 0, 0) }
	for _, c := range []struct {
		name, url string
		config    func(*outbound.Config)
		want      failure.Detail
	}{
		{"expired", secure.URL, trusts(years(1)), failure.Expired},
		{"not valid yet", secure.URL, trusts(secure.Certificate().NotBefore.AddDate(-1, 0, 0)), failure.Expired},
		{"expired, and for another name", otherName, trusts(years(1)), failure.Expired},
		{"self-signed", secure.URL, nil, failure.UnknownIssuer},
		{"for another name", otherName, trusts(valid), failure.WrongName},
		{"an http server", strings.Replace(plain.URL, "http:", "https:", 1), trusts(valid), failure.NotTLS},
		{"an old version of TLS", outdated.URL, trusts(valid), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := sender(t, c.config).Send(t.Context(), webhook.Post{Webhook: hook(c.url), Event: event})
			if got.Error != failure.TLS || got.Detail != c.want {
				t.Errorf("got %q, %q, want tls, %q", got.Error, got.Detail, c.want)
			}
		})
	}
}
