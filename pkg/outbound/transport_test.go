package outbound_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The whole request, byte for byte: header names are spelled as documented, and
// nothing else is sent.
//
// Decision 0.23.
func TestSend_TheWholeRequest(t *testing.T) {
	t.Parallel()
	url, got := target(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	w := hook(url)
	w.Headers = []webhook.Header{{Name: "x-oWn", Value: "v"}, {Name: "Authorization", Secret: true}}
	w.Secret.Signed = true
	post := webhook.Post{Webhook: w, Event: event, Retry: 2, Replay: true, Secrets: webhook.SecretDocument{
		Current: webhook.NewSecret("Something Super Secret"), Headers: map[string]webhook.Secret{"authorization": webhook.NewSecret("Bearer t")},
	}}
	sender(t, nil).Send(t.Context(), post)
	want := strings.ReplaceAll(`POST /in?x=1 HTTP/1.1
Host: `+strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/in?x=1")+`
User-Agent: Posthaste/test
Content-Length: 301
Authorization: Bearer t
Content-Type: application/json; charset=utf-8
X-Posthaste-Hops: 1
X-Posthaste-Replay: true
X-SuperOffice-Event: contact.changed
X-SuperOffice-EventId: 88f91933-edce-4c1a-8ded-ade8e2f72434
X-SuperOffice-Retry: 2
X-SuperOffice-Signature: SUPEROFFICE
webhook-id: 88f91933-edce-4c1a-8ded-ade8e2f72434
webhook-signature: STANDARD
webhook-timestamp: 1758007473
x-oWn: v

`, "\n", "\r\n")
	const body = `{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33.27583Z","Changes":["amount","name"],` +
		`"Event":"contact.changed","PrimaryKey":5,"Entity":"contact","ContextIdentifier":"Cust12345","ChangedByAssociateId":7,` +
		`"WebhookName":"a\"b","FieldValues":{"name":"<ø>","amount":1.50}}`
	// Computed with OpenSSL from the body, the id and the time.
	want = strings.NewReplacer("SUPEROFFICE", "6xilQxHVBWZLEoDGH5ErnDiJ+kF8DWSItL59Os6bhD0=", "STANDARD", "v1,TSEm4Hpx9zkEtCIPADQSbfR9poKg/2O9O9Hh5+36/q0=").Replace(want)
	if diff := cmp.Diff(want+body, <-got); diff != "" {
		t.Error(diff)
	}
}

// Consecutive posts need one connection, and 16 concurrent ones need 16; a few
// more are dialed while others become free.
func TestSend_ReusesConnections(t *testing.T) {
	t.Parallel()
	// net/http drops a connection whose writing goroutine was not scheduled
	// within 50 ms of the response, as happens on a busy machine.
	const few = 5
	for _, c := range []struct {
		name          string
		answer        http.HandlerFunc
		posts, atOnce int
		least, atMost int32
	}{
		{"an empty response", func(http.ResponseWriter, *http.Request) {}, 500, 1, 1, few},
		{"an error with a page", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, strings.Repeat("x", 30<<10), 500) }, 100, 1, 1, few},
		{"a chunked response", func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "part")
				w.(http.Flusher).Flush()
			}
		}, 100, 1, 1, few},
		{"sixteen at once", func(http.ResponseWriter, *http.Request) {}, 480, 16, 1, 32},
		{"a response too long to drain", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, 5, 1, 5, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var opened atomic.Int32
			server := httptest.NewUnstartedServer(c.answer)
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					opened.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)
			s := sender(t, nil)
			for range c.posts / c.atOnce {
				done := make(chan failure.Kind)
				for range c.atOnce {
					go func() { done <- s.Send(t.Context(), webhook.Post{Webhook: hook(server.URL), Event: event}).Error }()
				}
				for range c.atOnce {
					if got := <-done; got != failure.None && got != failure.Status {
						t.Error(got)
					}
				}
			}
			if n := opened.Load(); n < c.least || n > c.atMost {
				t.Errorf("%d posts opened %d connections, want %d to %d", c.posts, n, c.least, c.atMost)
			}
		})
	}
}

// drip writes text and then single bytes until the client closes.
func drip(t testing.TB, begin string) (url string, gone <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	left := make(chan struct{})
	go func() {
		defer close(left)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		for _, err = io.WriteString(conn, begin); err == nil; _, err = io.WriteString(conn, "x") {
			<-time.After(10 * time.Millisecond)
		}
	}()
	return "http://" + l.Addr().String(), left
}

func TestSend_ADrippingTargetIsCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, begin string
		timeout     time.Duration
		want        failure.Kind
		within      time.Duration
	}{
		{"in the headers", "HTTP/1.1 200 OK\r\nX: ", 100 * time.Millisecond, failure.Timeout, 5 * time.Second},
		{"in the body, after a success", "HTTP/1.1 200 OK\r\n\r\nx", time.Minute, failure.None, 20 * time.Second},
		{"in the body, after a refusal", "HTTP/1.1 500 Oh\r\nContent-Length: 999999\r\n\r\nx", time.Minute, failure.Status, 20 * time.Second},
		{"in the body, in the fast lane", "HTTP/1.1 200 OK\r\n\r\nx", 500 * time.Millisecond, failure.None, 900 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, gone := drip(t, c.begin)
			began := time.Now()
			got := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: hook(url), Event: event, Timeout: c.timeout})
			if took := time.Since(began); got.Error != c.want || took > c.within {
				t.Errorf("%q after %v", got.Error, took)
			}
			<-gone
		})
	}
}

// Every failure.Kind of the transport, with its cause.
func TestSend_EveryErrorHasItsCause(t *testing.T) {
	t.Parallel()
	raw := func(answer string) string { url, _ := target(t, answer); return url }
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	resetting, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resetting.Close() })
	go func() {
		for {
			conn, err := resetting.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.(*net.TCPConn).SetLinger(0) // RST instead of FIN
			_ = conn.Close()
		}
	}()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	resolves := func(addresses []netip.Addr, err error) func(*outbound.Config) {
		return func(c *outbound.Config) {
			c.Lookup = func(context.Context, string) ([]netip.Addr, error) { return addresses, err }
		}
	}
	dns := newNameServer(t, nil)
	covered := map[failure.Kind]bool{}
	for _, c := range []struct {
		name, url string
		config    func(*outbound.Config)
		want      failure.Kind
	}{
		{"no such name", "https://nowhere.example/", func(c *outbound.Config) { c.Lookup = dns.lookup }, failure.DNS},
		{"a resolver that fails", "https://x.example/", resolves(nil, errors.New("timeout, refused, reset: messages do not count")), failure.DNS},
		{"a resolver that times out", "https://x.example/", resolves(nil, &net.DNSError{IsTimeout: true}), failure.DNS},
		{"a name without addresses", "https://x.example/", resolves(nil, nil), failure.DNS},
		{"a closed port", "http://" + closed.Addr().String(), nil, failure.Refused},
		{"a reset", "http://" + resetting.Addr().String(), nil, failure.Reset},
		{"closed without a response", raw(""), nil, failure.Reset},
		{"closed within the headers", raw("HTTP/1.1 200 OK\r\nX: y\r\n"), nil, failure.Reset},
		{"reset in the TLS handshake", "https://" + resetting.Addr().String(), nil, failure.TLS},
		{"no TLS", strings.Replace(raw("HTTP/1.1 200 OK\r\n\r\n"), "http:", "https:", 1), nil, failure.TLS},
		{"silence", "http://" + silent.Addr().String(), nil, failure.Timeout},
		{"silence in the TLS handshake", "https://" + silent.Addr().String(), nil, failure.Timeout},
		{"an internal address", "https://x.example/", resolves([]netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil), failure.Blocked},
		{"a redirect", raw("HTTP/1.1 302 Found\r\nLocation: https://x.example/\r\n\r\n"), nil, failure.Redirect},
		{"a refusal", raw("HTTP/1.1 404 Not Found\r\n\r\n"), nil, failure.Status},
		{"another protocol", raw("SSH-2.0-OpenSSH\r\n\r\n"), nil, failure.Protocol},
		{"an unrequested switch of protocols", raw("HTTP/1.1 101 Switching Protocols\r\n\r\n"), nil, failure.Protocol},
		{"a repeated Transfer-Encoding", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), nil, failure.Protocol},
		{"a list of lengths", raw("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"), nil, failure.Protocol},
		{"an unknown Transfer-Encoding", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: close\r\n\r\nok"), nil, failure.Protocol},
		{"endless headers", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 200<<10)), nil, failure.TooLarge},
		{"endless interim responses", raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 5000)), nil, failure.TooLarge},
		{"no more of this event", raw("HTTP/1.1 400 No\r\nwebhook-delivery: abort-message\r\n\r\n"), nil, failure.Aborted},
	} {
		covered[c.want] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute
			if c.want == failure.Timeout {
				limit = 50 * time.Millisecond
			}
			got := sender(t, c.config).Send(t.Context(), webhook.Post{Webhook: hook(c.url), Event: event, Timeout: limit})
			if got.Error != c.want {
				t.Errorf("got %q (%d), want %q", got.Error, got.StatusCode, c.want)
			}
			if c.want == failure.Protocol && !strings.Contains(got.Failure(), "the response broke HTTP framing") {
				t.Errorf("says %q", got.Failure())
			}
			if strings.Contains(fmt.Sprint(got), "127.0.0.1") {
				t.Errorf("the result reveals the target: %v", got)
			}
		})
	}
	for _, e := range []failure.Kind{
		failure.DNS, failure.Refused, failure.Reset, failure.TLS, failure.Timeout, failure.Blocked,
		failure.Redirect, failure.Status, failure.Protocol, failure.TooLarge, failure.Aborted,
	} {
		if !covered[e] {
			t.Errorf("nothing causes %q", e)
		}
	}
}

// A dial that outlived its attempt would outlive its invocation.
func TestSend_ADialEndsWithItsAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := false
		s := sender(t, func(c *outbound.Config) {
			c.Now = time.Now
			c.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
				<-ctx.Done()
				ended = true
				return nil, ctx.Err()
			}
		})
		began := time.Now()
		r := s.Send(t.Context(), webhook.Post{Webhook: hook("https://slow.example/"), Event: event, Timeout: 1500 * time.Millisecond})
		synctest.Wait()
		if r.Error != failure.Timeout || time.Since(began) != 1500*time.Millisecond || !ended {
			t.Errorf("%q after %v, the dial has ended: %v", r.Error, time.Since(began), ended)
		}
	})
}

func TestSend_TheCallersEndIsNotTheTargets(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := sender(t, nil).Send(ctx, webhook.Post{Webhook: hook("http://127.0.0.1:9/"), Event: event}); r.Error != failure.Internal {
		t.Errorf("%q", r.Error)
	}
}

func TestSend_ShortHeaderValuesAreRedactedAsWords(t *testing.T) {
	t.Parallel()
	url, _ := target(t, "HTTP/1.1 200 yes\r\nX-Own: yes\r\nContent-Length: 25\r\n\r\nyes, yesterday (yes) 1yes2")
	w := hook(url)
	w.Headers = []webhook.Header{{Name: "X-Own", Value: "yes"}, {Name: "X-Code", Value: "200"}}
	got := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: w, Event: event}).Response
	want := "HTTP 200 [redacted]\nContent-Length: 25\nX-Own: [redacted]\n\n[redacted], yesterday ([redacted]) 1yes"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// stderr is what the standard logger writes to from the start; go test -json
// replaces os.Stderr.
var stderr = os.Stderr

// net/http prints unsolicited bytes that arrive on an idle connection; a target
// could echo a secret into the log.
func TestSend_UnsolicitedBytesAreNotLogged(t *testing.T) {
	url, _ := target(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nauthorization: s3cret")
	s, before := sender(t, nil), log.Writer()
	if before != outbound.Quiet(stderr) {
		t.Errorf("the standard logger writes to %T", before)
	}
	logged, lines := new(bytes.Buffer), make(chan string, 100)
	defer log.SetOutput(before)
	log.SetOutput(io.MultiWriter(outbound.Quiet(logged), lineWriter(lines)))
	if r := s.Send(t.Context(), webhook.Post{Webhook: hook(url), Event: event}); r.Error != failure.None {
		t.Fatal(r)
	}
	for !strings.Contains(<-lines, "s3cret") {
	}
	log.Print("something else")
	if got := logged.String(); strings.Contains(got, "s3cret") || !strings.Contains(got, "something else") {
		t.Errorf("logged %q", got)
	}
}

type lineWriter chan string

func (w lineWriter) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}
