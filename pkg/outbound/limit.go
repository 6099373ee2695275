package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// net/http ends an exchange with its context, but for three waits: for the body
// of a 101, for a TLS alert that a full socket does not take (5 s), and, over
// HTTP/2, for whoever is writing to the connection. The last two end here, at
// the socket.
const (
	// goodbyeTime is how long a TLS alert may take that ends a connection.
	goodbyeTime = 10 * time.Millisecond
	// writeTime is how long one write of an HTTP/2 connection may take, 16 KiB
	// at most. A target that reads no faster is lost to all its attempts.
	writeTime = 5 * time.Second
	// endTime is how long after its limit an attempt over HTTP/2 may need to
	// let go of a connection that is being written to.
	endTime = 100 * time.Millisecond
)

// countedConn is the socket of a connection. It counts what was read, which
// tells an answer that never came from one that was too large or made no sense:
// net/http has no types for these.
type countedConn struct {
	net.Conn
	received atomic.Int64
	// shared says that several attempts use the connection, over HTTP/2. It is
	// set before the first of them.
	shared  bool
	writing atomic.Bool // of a shared one: a write is under way
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// Write takes as long as an attempt's limit lets it if the connection is the
// attempt's alone, else at most writeTime.
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

// SetWriteDeadline is called by crypto/tls alone, before the alert that ends a
// connection.
func (c *countedConn) SetWriteDeadline(at time.Time) error {
	if wait := time.Until(at); wait > goodbyeTime {
		at = at.Add(goodbyeTime - wait)
	}
	return c.Conn.SetWriteDeadline(at)
}

// abort ends whatever waits for the socket, without a goodbye.
func (c *countedConn) abort() { _ = c.Close() }

// connection is what an attempt has of the connection that it was given. The
// nil connection stands for none.
type connection struct {
	conn   *countedConn
	before int64
	cancel func() bool
	done   atomic.Bool
}

// hold ends what the attempt does with a connection when ctx ends, until
// release is called.
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

// end closes a connection that is the attempt's alone. A shared one is closed
// only if a write to it still holds the attempt up after endTime.
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

// release is called when the attempt no longer uses the connection.
func (c *connection) release() {
	if c != nil {
		c.cancel()
		c.done.Store(true)
	}
}

// received is how many bytes came since the attempt got the connection.
func (c *connection) received() int64 { return c.conn.received.Load() - c.before }
