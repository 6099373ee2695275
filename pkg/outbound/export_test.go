package outbound

import (
	"context"
	"io"
	"net"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// AppendBody appends the body of a post.
func AppendBody(b []byte, post webhook.Post) ([]byte, error) { return appendBody(b, post, false) }

// Quiet is the filter in front of the standard logger.
func Quiet(w io.Writer) io.Writer { return quiet{w} }

// Socket wraps a connection as a dial does; shared ones carry HTTP/2.
func Socket(conn net.Conn, shared bool) net.Conn { return &countedConn{Conn: conn, shared: shared} }

// Hold binds an attempt to a connection until release is called.
func Hold(ctx context.Context, conn net.Conn) (release func()) { return hold(ctx, conn).release }

// AppendBodyOf is AppendBody under a setting of EVENT_DATA.
func AppendBodyOf(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	return appendBody(b, post, namesOnly)
}
