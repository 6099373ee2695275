package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// dialer connects to targets that the guard lets pass.
type dialer struct {
	guard  *Guard
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	tls    *tls.Config
}

// handshakeError marks whatever went wrong between the TCP connection and the
// end of the TLS handshake; crypto/tls has no one type for it.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// lookupError marks a failed resolution, whoever resolved.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return "lookup: " + e.err.Error() }
func (e *lookupError) Unwrap() error { return e.err }

// dialLimit is the key of the time at which an attempt's dial ends. net/http
// detaches dials from their requests, so that another request may have the
// connection; but a dial that outlives its attempt would outlive the invocation
// too, and go on when the environment thaws.
type dialLimit struct{}

// withDialLimit ends the dial of a request, whose context is ctx, with the
// attempt's.
func withDialLimit(ctx, attempt context.Context) context.Context {
	deadline, _ := attempt.Deadline()
	return context.WithValue(ctx, dialLimit{}, deadline)
}

// limited gives the context that a dial may use.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Value(dialLimit{}).(time.Time); ok {
		return context.WithDeadline(ctx, deadline)
	}
	return context.WithCancel(ctx)
}

func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := d.socket(ctx, address)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// socket resolves the host, refuses it if any of its addresses is refused, and
// connects to the first that answers. IPv4 goes first since many networks have
// no way out for IPv6.
func (d *dialer) socket(ctx context.Context, address string) (*countedConn, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	host, port, err := splitTarget(address)
	if err != nil {
		return nil, err
	}
	name, err := d.guard.CheckHost(host)
	if err != nil {
		return nil, err
	}
	ips, err := d.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips {
		if err := d.guard.CheckAddress(netip.AddrPortFrom(ip, port)); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	var failures []error
	for i, ip := range ips {
		conn, err := d.connect(ctx, netip.AddrPortFrom(ip, port), len(ips)-i)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// resolve asks for the name itself: with a final dot no resolver tries it under
// the domains of this network as well. In the local run a short name, as of a
// container beside it, is one of those.
func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	if !d.guard.allowPrivate {
		host += "."
	}
	found, err := d.lookup(ctx, host)
	if err != nil {
		return nil, &lookupError{err}
	}
	if len(found) == 0 {
		return nil, &lookupError{errors.New("no address")}
	}
	ips := make([]netip.Addr, len(found))
	for i, ip := range found {
		ips[i] = ip.Unmap()
	}
	return ips, nil
}

// connect leaves time for the addresses that are still to be tried.
func (d *dialer) connect(ctx context.Context, target netip.AddrPort, left int) (*countedConn, error) {
	nd := net.Dialer{Control: d.guard.Control, Timeout: handshakeTimeout / time.Duration(min(5, left))}
	conn, err := nd.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn}, nil
}

func (d *dialer) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	raw, err := d.socket(ctx, address)
	if err != nil {
		return nil, err
	}
	host, _, err := splitTarget(address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	ctx, cancel := limited(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, handshakeTimeout)
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, &handshakeError{err}
	}
	raw.shared = conn.ConnectionState().NegotiatedProtocol == "h2"
	return conn, nil
}
