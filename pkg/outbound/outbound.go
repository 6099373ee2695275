// Package outbound makes the POSTs: it builds the body and headers of a
// delivery, signs them, sends them to the target and classifies the outcome.
//
// It refuses to reach internal networks: every address is checked after name
// resolution, redirects are not followed, and no proxy is used. It refuses to
// repeat a POST of which a byte may have arrived; retries belong to the policy.
// The one exception is a response that refuses the signature during a rotation
// of the webhook's secret: the other secret is then tried at once. It never
// logs or returns an error of net/http, which would contain the target's URL;
// errors are reduced by type to one of the words of [failure.Kind].
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Config configures a [Sender]. Now is required. Every other zero value is the
// strict choice.
type Config struct {
	UserAgent string
	// AllowHTTP permits http targets, and port 80 for them.
	AllowHTTP bool
	// AllowPrivate permits loopback and private addresses and names, for the
	// local run.
	AllowPrivate bool
	// AllowedCIDRs are networks that may be called although they are not
	// public.
	AllowedCIDRs []netip.Prefix
	// RuntimeAPI is AWS_LAMBDA_RUNTIME_API, host:port, where host is an IP
	// address or localhost. It is never a valid target. Empty means none.
	RuntimeAPI string
	// OmitFieldValues leaves FieldValues out of bodies: receivers see the names
	// of an event's members without their values.
	OmitFieldValues bool
	// HTTP2 offers HTTP/2 to targets in addition to HTTP/1.1.
	HTTP2 bool
	// RootCAs verify targets' certificates. nil means the system's.
	RootCAs *x509.CertPool
	Now     func() time.Time
	// Lookup resolves a host name, which ends with a dot unless AllowPrivate is
	// set. nil means the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Connect makes a connection to an address that the guard allows. nil means
	// TCP. The simulation has a network of its own.
	Connect func(ctx context.Context, address netip.AddrPort) (net.Conn, error)
}

const (
	maxResponseHeader = 64 << 10 // bytes of response headers
	maxIdle           = 1024     // connections, all hosts together
	maxIdlePerHost    = 128      // tenants share hosts
	maxTargetBytes    = 2 << 20  // of cached URLs, each up to 4,000 characters
	targetBytes       = 256      // overhead of a URL on top of its string, which the key repeats
	handshakeTimeout  = 10 * time.Second
	idleTimeout       = 90 * time.Second
	// freeze is how long an environment may sleep before its idle connections
	// are presumed dead: by then targets and NAT gateways may have dropped
	// them.
	freeze = 20 * time.Second
)

// Sender sends POSTs. It may be used concurrently.
type Sender struct {
	config    Config
	guard     *Guard
	transport *http.Transport

	sessions  sessions
	targets   *bytecache.Cache[string, *url.URL]           // by tenant and TargetURL
	templates *bytecache.Cache[string, *template.Template] // by tenant and document
}

// New returns a sender. It fails as [NewGuard] does. As a side effect it
// filters the process's standard logger, to which net/http would write
// unsolicited bytes from targets.
func New(config Config) (*Sender, error) {
	quietOnce()
	guard, err := NewGuard(config)
	if err != nil {
		return nil, err
	}
	lookup := config.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return new(net.Resolver).LookupNetIP(ctx, "ip", host)
		}
	}
	remembered := newSessions()
	d := &dialer{guard: guard, lookup: lookup, tcp: config.Connect, tls: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs,
		ClientSessionCache: remembered,
		NextProtos:         []string{"http/1.1"},
		Time:               config.Now,
	}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	if config.HTTP2 {
		protocols.SetHTTP2(true)
		d.tls.NextProtos = []string{"h2", "http/1.1"}
	}
	return &Sender{config: config, guard: guard, sessions: remembered, targets: bytecache.New[string, *url.URL](maxTargetBytes), templates: bytecache.New[string, *template.Template](maxTemplateBytes), transport: &http.Transport{
		Proxy:                  nil, // a proxy would dial past the guard
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
	}}, nil
}

// Guard returns the guard that decides which targets the sender may reach.
func (s *Sender) Guard() *Guard { return s.guard }

// CloseIdle closes connections that no attempt uses.
func (s *Sender) CloseIdle() { s.transport.CloseIdleConnections() }

// Resume is called when an environment that may have been frozen continues. It
// closes connections that were idle for more than 20 s of that time: a POST on
// a connection that the other side has forgotten would fail. lastEnd is when
// the last invocation ended; zero means there was none.
func (s *Sender) Resume(lastEnd, now time.Time) {
	if !lastEnd.IsZero() && webhook.Elapsed(lastEnd, now) > freeze {
		s.CloseIdle()
	}
}
