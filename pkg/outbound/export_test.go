package outbound

import (
	"context"
	"io"
	"net"
)

// Quiet is the filter before the standard logger.
func Quiet(w io.Writer) io.Writer { return quiet{w} }

// Socket is what a dial makes of a connection; shared ones carry HTTP/2.
func Socket(conn net.Conn, shared bool) net.Conn { return &countedConn{Conn: conn, shared: shared} }

// Hold is what an attempt does when it is given a connection; release when it
// no longer uses it.
func Hold(ctx context.Context, conn net.Conn) (release func()) { return hold(ctx, conn).release }
