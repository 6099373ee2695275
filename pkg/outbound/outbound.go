// Package outbound makes the POSTs: it writes the body and headers of a
// delivery, signs them, sends them to the target and says what came of it.
//
// It refuses to reach anything inside: every address is checked after name
// resolution, redirects are not followed, and no proxy is asked. It refuses to
// repeat a POST of which a byte may have arrived: retries are the policy's. The
// one exception is an answer that refuses the signature while the webhook's
// secret is being rotated: the other secret is then tried at once. It never prints an error of net/http, which would hold the target's URL; errors
// become one of the words of [webhook.AttemptError], by their type.
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
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Config is what a [Sender] depends on. Now must be set; the zero values of all
// else are the strict ones.
type Config struct {
	UserAgent string
	// AllowHTTP permits http targets, and port 80 for them.
	AllowHTTP bool
	// AllowPrivate permits loopback and private addresses and names: for the
	// local run.
	AllowPrivate bool
	// AllowedCIDRs are permitted though they are not public.
	AllowedCIDRs []netip.Prefix
	// RuntimeAPI is AWS_LAMBDA_RUNTIME_API, host:port, the host an address or
	// localhost. It is never a target. Empty: there is none.
	RuntimeAPI string
	// OmitFieldValues leaves FieldValues out of bodies: receivers see which
	// members an event has, and no values.
	OmitFieldValues bool
	// HTTP2 is offered to targets beside HTTP/1.1.
	HTTP2 bool
	// RootCAs that targets' certificates are checked against. nil: the
	// system's.
	RootCAs *x509.CertPool
	Now     func() time.Time
	// Lookup resolves a host name, which ends with a dot unless AllowPrivate is
	// set. nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

const (
	maxResponseHeader = 64 << 10 // bytes of an answer's headers
	maxIdle           = 1024     // connections, over all hosts
	maxIdlePerHost    = 128      // tenants share hosts
	maxTargetBytes    = 2 << 20  // of URLs remembered, each up to 4,000 characters
	targetBytes       = 256      // of a URL beside its text, which is in the key as well
	handshakeTimeout  = 10 * time.Second
	idleTimeout       = 90 * time.Second
	// freeze is how long an environment may sleep before its idle connections
	// are presumed dead: targets and NAT gateways forget them meanwhile.
	freeze = 20 * time.Second
)

// Sender sends POSTs. It may be used concurrently.
type Sender struct {
	config    Config
	guard     *Guard
	transport *http.Transport

	sessions sessions
	targets  *bytecache.Cache[string, *url.URL] // by tenant and TargetURL
}

// New makes a sender. It fails as [NewGuard] does. It also takes out of what is
// written to the standard logger what targets say unasked.
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
	d := &dialer{guard: guard, lookup: lookup, tls: &tls.Config{
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
	return &Sender{config: config, guard: guard, sessions: remembered, targets: bytecache.New[string, *url.URL](maxTargetBytes), transport: &http.Transport{
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

// Guard is what decides which targets the sender may reach.
func (s *Sender) Guard() *Guard { return s.guard }

// CloseIdle closes the connections that no attempt uses.
func (s *Sender) CloseIdle() { s.transport.CloseIdleConnections() }

// Resume is called when an environment that was perhaps frozen goes on.
// Connections that were idle for more than 20 s of it are closed: a POST on a
// connection that the other side has forgotten would fail. lastEnd is when the
// last invocation ended; zero: there was none.
func (s *Sender) Resume(lastEnd, now time.Time) {
	if !lastEnd.IsZero() && webhook.Elapsed(lastEnd, now) > freeze {
		s.CloseIdle()
	}
}
