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

// dialer connects to targets that the guard allows.
type dialer struct {
	guard  *Guard
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	tcp    func(ctx context.Context, address netip.AddrPort) (net.Conn, error) // nil: a real connection
	tls    *tls.Config
}

// handshakeError marks any failure between the TCP connection and the end of
// the TLS handshake; crypto/tls has no single type for these.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// lookupError marks a failed name resolution.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return "lookup: " + e.err.Error() }
func (e *lookupError) Unwrap() error { return e.err }

// dialLimit is the context key of an attempt's deadline. net/http detaches
// dials from their requests so that another request may use the connection, but
// a dial that outlives its attempt would outlive the invocation too, and resume
// when the environment thaws.
type dialLimit struct{}

// withDialLimit returns ctx with the attempt's deadline, which also ends the
// request's dial.
func withDialLimit(ctx, attempt context.Context) context.Context {
	deadline, _ := attempt.Deadline()
	return context.WithValue(ctx, dialLimit{}, deadline)
}

// limited returns the context of a dial, bounded by its attempt's deadline.
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

// socket resolves the host and connects to the first address that accepts. It
// refuses the host if any of its addresses is refused. IPv4 goes first, since
// many networks have no route for IPv6.
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

// resolve looks up a host. The final dot keeps resolvers from trying the name
// under this network's own domains. The local run omits it: there a short name
// may be a neighboring container.
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

// connect dials one address and leaves time for the left-1 others.
func (d *dialer) connect(ctx context.Context, target netip.AddrPort, left int) (*countedConn, error) {
	dial := d.tcp
	if dial == nil {
		nd := net.Dialer{Control: d.guard.Control, Timeout: handshakeTimeout / time.Duration(min(5, left))}
		dial = func(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
			return nd.DialContext(ctx, "tcp", address.String())
		}
	}
	conn, err := dial(ctx, target)
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
