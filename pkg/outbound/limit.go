package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// net/http ends an exchange with its context, with three exceptions: reading
// after a 101, a TLS alert that a full socket does not take (5 s), and, over
// HTTP/2, waiting for another stream's write. The last two end here, at the
// socket.
const (
	// goodbyeTime bounds the TLS alert that closes a connection.
	goodbyeTime = 10 * time.Millisecond
	// writeTime bounds one write of an HTTP/2 connection, 16 KiB at most. A
	// target that reads more slowly loses the connection for all its attempts.
	writeTime = 5 * time.Second
	// endTime is how long past its limit an HTTP/2 attempt may wait for a write
	// before the connection is closed.
	endTime = 100 * time.Millisecond
)

// countedConn is a connection's socket. It counts the bytes read, to distinguish a
// missing response from one that was too large or malformed: net/http has no
// types for these.
type countedConn struct {
	net.Conn
	received atomic.Int64
	// shared means that several attempts use the connection, over HTTP/2. It is
	// set before the first of them.
	shared  bool
	writing atomic.Bool // a write is in progress, on a shared connection
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// Write is bounded by the attempt's limit on an unshared connection, and by
// writeTime on a shared one.
func (c *countedConn) Write(p []byte) (int, error) {
	if !c.shared {
		return c.Conn.Write(p)
	}
	c.writing.Store(true)
	defer c.writing.Store(false)
	stuck := time.AfterFunc(writeTime, c.abort)
	defer stuck.Stop()
	return c.Conn.Write(p)
}

// SetWriteDeadline is called only by crypto/tls, before the alert that closes a
// connection.
func (c *countedConn) SetWriteDeadline(at time.Time) error {
	if wait := time.Until(at); wait > goodbyeTime {
		at = at.Add(goodbyeTime - wait)
	}
	return c.Conn.SetWriteDeadline(at)
}

// abort closes the socket, and with it all reads and writes, without a TLS
// alert.
func (c *countedConn) abort() { _ = c.Close() }

// connection is an attempt's hold on the connection it was given. nil means
// that it has none.
type connection struct {
	conn   *countedConn
	before int64
	cancel func() bool
	done   atomic.Bool
}

// hold aborts the attempt's use of a connection when ctx ends, until release is
// called.
func hold(ctx context.Context, conn net.Conn) *connection {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	counted, ok := conn.(*countedConn)
	if !ok {
		return nil
	}
	c := &connection{conn: counted, before: counted.received.Load()}
	c.cancel = context.AfterFunc(ctx, c.end)
	return c
}

// end closes a connection that only this attempt uses. It closes a shared one
// only if a write still blocks the attempt after endTime.
func (c *connection) end() {
	if !c.conn.shared {
		c.conn.abort()
		return
	}
	time.AfterFunc(endTime, func() {
		switch {
		case c.done.Load():
		case c.conn.writing.Load():
			c.conn.abort()
		default:
			c.end()
		}
	})
}

// release ends the hold; the attempt no longer uses the connection.
func (c *connection) release() {
	if c != nil {
		c.cancel()
		c.done.Store(true)
	}
}

// received returns how many bytes have arrived since the attempt got the
// connection.
func (c *connection) received() int64 { return c.conn.received.Load() - c.before }
