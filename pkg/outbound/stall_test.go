package outbound_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// patience is how long a test waits for an event that must happen: a stall that
// is not ended lasts forever.
const patience = time.Minute

// stalling is a receiver that does one thing per connection and then stalls.
// The test closes over when the attempt has ended; gone is closed when the
// first connection is.
type stalling struct {
	url        string
	roots      *x509.CertPool
	over, gone chan struct{}
}

// newStalling runs script on every connection, after a TLS handshake with
// protocol if that is not empty. If the script returns false, nothing more is
// read until the attempt has ended.
func newStalling(t *testing.T, protocol string, script func(net.Conn) bool) *stalling {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &stalling{url: "http://" + l.Addr().String(), over: make(chan struct{}), gone: make(chan struct{})}
	var config *tls.Config
	if protocol != "" {
		lender := httptest.NewTLSServer(http.NotFoundHandler()) // supplies the certificate
		r.url, r.roots = strings.Replace(r.url, "http:", "https:", 1), x509.NewCertPool()
		r.roots.AddCert(lender.Certificate())
		config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: lender.TLS.Certificates, NextProtos: []string{protocol}}
		lender.Close()
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for first := true; ; first = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				served := conn
				if config != nil {
					served = tls.Server(conn, config)
				}
				if !script(served) {
					<-r.over
				}
				_, _ = io.Copy(io.Discard, conn) // until the client closes
				if first {
					close(r.gone)
				}
			}()
		}
	}()
	return r
}

// after reads a request over HTTP/1.1 and responds with text.
func after(answer string) func(net.Conn) bool {
	return func(conn net.Conn) bool {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return true
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(conn, answer)
		return true
	}
}

// frame is an HTTP/2 frame.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(head, flags), stream)) + payload
}

const (
	data, headers, settings, windowUpdate = 0, 1, 4, 8 // frames

	endStream, endHeaders = 1, 4 // flags

	okStatus = "\x88"                      // :status 200, indexed in HPACK's static table
	switched = "\x08\x03101"               // :status 101, as a literal
	anOpen   = "\x00\x01a\x7f\x80\x80\x80" // a literal whose value never arrives
	plenty   = "\x00\x04\x7f\xff\xff\xff"  // initial window size of 2 GiB
	wide     = "\x7f\xff\x00\x00"          // the same for the connection
	huge     = 6 << 20                     // bytes, more than the sockets hold
)

// afterH2 speaks HTTP/2 up to the headers of the first request, responds with
// frames, and keeps reading if told to.
func afterH2(readOn bool, answer ...string) func(net.Conn) bool {
	return func(conn net.Conn) bool {
		if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
			return true
		}
		_, _ = io.WriteString(conn, frame(settings, 0, 0, plenty)+frame(windowUpdate, 0, 0, wide))
		for {
			head := make([]byte, 9)
			if _, err := io.ReadFull(conn, head); err != nil {
				return true
			}
			size := binary.BigEndian.Uint32(head) >> 8
			if _, err := io.CopyN(io.Discard, conn, int64(size)); err != nil {
				return true
			}
			if head[3] == headers {
				break
			}
		}
		_, _ = io.WriteString(conn, strings.Join(answer, ""))
		if readOn {
			_, _ = io.Copy(io.Discard, conn)
		}
		return readOn
	}
}

// A receiver may stall at any point of an exchange: the attempt must end and
// release its resources. Without a bound the test would never end.
func TestSend_EveryStallEndsWithTheAttempt(t *testing.T) {
	t.Parallel()
	silent := func(net.Conn) bool { return true }
	deaf := func(net.Conn) bool { return false }
	handshaken := func(readOn bool) func(net.Conn) bool {
		return func(conn net.Conn) bool { return conn.(*tls.Conn).HandshakeContext(t.Context()) != nil || readOn }
	}
	inHandshake := func(conn net.Conn) bool {
		_, _ = io.WriteString(conn.(*tls.Conn).NetConn(), "\x16\x03\x03\x00\x7a\x02\x00\x00\x76") // the start of a ServerHello
		return true
	}
	const upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	timeout, taken, refused := failure.Timeout, failure.None, failure.Status
	for _, c := range []struct {
		name, protocol string
		script         func(net.Conn) bool
		body           int // bytes of the event's data
		want           failure.Kind
	}{
		{"before the TLS handshake", "http/1.1", silent, 0, timeout},
		{"in the TLS handshake", "http/1.1", inHandshake, 0, timeout},
		{"after the TLS handshake", "http/1.1", handshaken(true), 0, timeout},
		{"before reading", "", deaf, 0, timeout},
		{"in the request", "", deaf, huge, timeout},
		{"in the request, over TLS", "http/1.1", handshaken(false), huge, timeout},
		{"after 101", "", after(upgrade), 0, failure.Protocol},
		{"after 101, over TLS", "http/1.1", after(upgrade), 0, failure.Protocol},
		{"after 101 and bytes of another protocol", "", after(upgrade + "\x81\x05hello"), 0, failure.Protocol},
		{"after an interim response", "", after("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), 0, timeout},
		{"before the status line", "", after(""), 0, timeout},
		{"in the status line", "", after("HTTP/1.1 20"), 0, timeout},
		{"in the headers", "", after("HTTP/1.1 200 OK\r\nX-A: b\r\nX-C"), 0, timeout},
		{"in the headers, over TLS", "http/1.1", after("HTTP/1.1 200 OK\r\nX-A: b\r\nX-C"), 0, timeout},
		{"before the body", "", after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), 0, taken},
		{"before a body without end", "", after("HTTP/1.1 500 Oh\r\n\r\n"), 0, refused},
		{"in the body", "http/1.1", after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), 0, taken},
		{"in the size of a chunk", "", after("HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n3"), 0, refused},
		{"in a chunk", "", after("HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"), 0, refused},
		{"after the last chunk", "", after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"), 0, taken},
		{"in a trailer", "", after("HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: v"), 0, taken},

		{"h2: after the TLS handshake", "h2", handshaken(true), 0, timeout},
		{"h2: in the request", "h2", afterH2(false), huge, timeout},
		{"h2: before the headers", "h2", afterH2(true), 0, timeout},
		{"h2: after an interim 101", "h2", afterH2(true, frame(headers, endHeaders, 1, switched)), 0, timeout},
		{"h2: in a frame of headers", "h2", afterH2(true, frame(headers, endHeaders, 1, okStatus+"xxx")[:10]), 0, timeout},
		{"h2: between headers and their continuation", "h2", afterH2(true, frame(headers, 0, 1, okStatus)), 0, timeout},
		{"h2: before the body", "h2", afterH2(true, frame(headers, endHeaders, 1, okStatus)), 0, taken},
		{"h2: in a frame of the body", "h2", afterH2(true, frame(headers, endHeaders, 1, okStatus), frame(data, 0, 1, "abcdef")[:12]), 0, taken},
		{"h2: in the body", "h2", afterH2(true, frame(headers, endHeaders, 1, okStatus), frame(data, 0, 1, "abcdef")), 0, taken},
		{"h2: in a trailer", "h2", afterH2(true, frame(headers, endHeaders, 1, okStatus), frame(data, 0, 1, "abc"), frame(headers, endStream, 1, anOpen)), 0, taken},
		{"h2: in the request, answered before", "h2", afterH2(false, frame(headers, endHeaders, 1, okStatus)), huge, taken},
		{"h2: in the request, a body begun before", "h2", afterH2(false, frame(headers, endHeaders, 1, okStatus), frame(data, 0, 1, "abc")), huge, taken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newStalling(t, c.protocol, c.script)
			s := sender(t, func(config *outbound.Config) {
				config.RootCAs, config.HTTP2, config.Now = r.roots, c.protocol == "h2", time.Now
			})
			e := event
			if c.body > 0 {
				e.Data = json.RawMessage(`{"a":"` + string(bytes.Repeat([]byte("x"), c.body)) + `"}`)
			}
			limit := time.Second // the response must come within it
			if c.want == timeout {
				limit = 300 * time.Millisecond
			}
			ended := make(chan webhook.Result)
			go func() {
				ended <- s.Send(t.Context(), webhook.Post{Webhook: hook(r.url), Event: e, Timeout: limit})
			}()
			select {
			case got := <-ended:
				if got.Error != c.want {
					t.Errorf("%q (%d), want %q", got.Error, got.StatusCode, c.want)
				}
			case <-time.After(patience):
				t.Fatal("the attempt does not end")
			}
			close(r.over)
			// An HTTP/2 connection outlives a stalled stream; it is idle as
			// soon as the stream is reset.
			for late := time.After(patience); ; s.CloseIdle() {
				select {
				case <-r.gone:
					return
				case <-late:
					t.Fatal("the connection is not closed")
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
}

// crypto/tls allows 5 s for the closing alert: CloseIdle would wait that long
// for each connection to a target that does not read.
func TestSocket_BoundsTheClosingAlert(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(lender.Close)
	certificates, roots := lender.TLS.Certificates, x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // a write blocks until it is read
		server := tls.Server(far, &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, Certificates: certificates})
		go func() { _ = server.HandshakeContext(t.Context()) }()
		client := tls.Client(outbound.Socket(near, false), &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "example.com", Time: func() time.Time { return lender.Certificate().NotBefore }})
		if err := client.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_ = client.Close()
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("closing took %v", took)
		}
		_ = far.Close()
	})
}

// A write to an HTTP/2 connection blocks all its streams.
func TestSocket_AWriteToASharedConnectionIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		began := time.Now()
		if _, err := outbound.Socket(near, true).Write([]byte("x")); err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is still open: %v", err)
		}
	})
}

// The end of an attempt aborts a write that blocks it: at once on an unshared
// connection, and on a shared one if the attempt cannot let go of it.
func TestSocket_AWriteEndsWithItsAttempt(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	for _, c := range []struct {
		name             string
		shared, released bool
		want             time.Duration
	}{
		{"unshared", false, false, limit},
		{"shared, held up", true, false, limit + 100*time.Millisecond},
		{"shared, got away", true, true, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, _ := net.Pipe()
				socket := outbound.Socket(near, c.shared)
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				release := outbound.Hold(ctx, socket)
				if c.released {
					context.AfterFunc(ctx, release)
				}
				began := time.Now()
				if _, err := socket.Write([]byte("x")); err == nil || time.Since(began) != c.want {
					t.Errorf("%v after %v, want %v", err, time.Since(began), c.want)
				}
				release()
				synctest.Wait()
			})
		})
	}
}
