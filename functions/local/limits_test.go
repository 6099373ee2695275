package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in memory, whose deadlines follow the
// clock of the test's bubble.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accept:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func TestServer_EndsConnectionsOfSlowClients(t *testing.T) {
	t.Parallel()
	const (
		begun   = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"
		chunked = "POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
	)
	for _, c := range []struct {
		name, sent, drip string // drip is sent once a second
		status           string // of the response; "" for none
		within           time.Duration
	}{
		{"in the header", "POST /read HTTP/1.1\r\nHost: x\r\nX: ", "", "", readTime},
		{"in the header, dripping", "POST /read HTTP/1.1\r\nHost: x\r\nX: ", "x", "", readTime},
		{"in the body", begun, "", "400", readTime},
		{"in the body, dripping", begun, "x", "400", readTime},
		{"in a chunk", chunked, "", "400", readTime},
		{"in a body that is not read", strings.Replace(begun, "/read", "/ignore", 1), "", "401", readTime},
		{"in a body that is not read, dripping", strings.Replace(begun, "/read", "/ignore", 1), "x", "401", readTime},
		{"a long call", "POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "", "200", time.Minute + idleTime},
		{"a long call without a body", "GET /long HTTP/1.1\r\nHost: x\r\n\r\n", "", "200", time.Minute + idleTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/ignore":
						w.WriteHeader(http.StatusUnauthorized)
						return
					case "/long":
						_, _ = io.Copy(io.Discard, r.Body)
						select {
						case <-time.After(time.Minute):
						case <-r.Context().Done():
							t.Errorf("the call ended: %v", context.Cause(r.Context()))
						}
						return
					}
					if _, err := io.ReadAll(r.Body); err != nil {
						w.WriteHeader(http.StatusBadRequest)
					}
				}))
				listener := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
				served := make(chan error, 1)
				go func() { served <- server.Serve(listener) }()
				near, far := net.Pipe()
				listener.accept <- far
				began := time.Now()
				dripped := make(chan struct{})
				go func() {
					defer close(dripped)
					_, err := io.WriteString(near, c.sent)
					for c.drip != "" && err == nil {
						<-time.After(time.Second)
						_, err = io.WriteString(near, c.drip)
					}
				}()
				got, _ := io.ReadAll(bufio.NewReader(near))
				// A server waits half a second before it closes a connection on
				// which bytes may still be on their way.
				if took := time.Since(began); took > c.within+time.Second {
					t.Errorf("closed after %v, want %v", took, c.within)
				}
				if c.status == "" && len(got) > 0 && !strings.HasPrefix(string(got), "HTTP/1.1 4") || !strings.HasPrefix(string(got), "HTTP/1.1 "+c.status) && c.status != "" {
					t.Errorf("got %q, want status %s", got, c.status)
				}
				_ = near.Close()
				<-dripped
				_ = server.Close()
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}
