package outbound_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var at = time.Date(2025, 9, 16, 7, 24, 33, 275830000, time.UTC)

var event = webhook.Event{
	Tenant: "Cust12345", ID: "88f91933-edce-4c1a-8ded-ade8e2f72434", Name: "contact.changed", PrimaryKey: 5,
	Data: json.RawMessage(`{"name":"<ø>","amount":1.50}`), ChangedBy: 7, At: at, Hops: 1,
}

func sender(t testing.TB, change func(*outbound.Config)) *outbound.Sender {
	t.Helper()
	c := outbound.Config{UserAgent: "Posthaste/test", AllowHTTP: true, AllowPrivate: true, Now: func() time.Time { return at }}
	if change != nil {
		change(&c)
	}
	s, err := outbound.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.CloseIdle)
	return s
}

func hook(url string) webhook.Webhook {
	return webhook.Webhook{Tenant: "Cust12345", ID: 1, Name: "a\"b", TargetURL: url}
}

// target serves one raw response per connection and returns the requests that
// it reads.
func target(t testing.TB, answer string) (url string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	raw := make(chan string, 8)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				var seen strings.Builder
				req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &seen)))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				raw <- seen.String()
				_, _ = io.WriteString(conn, answer)
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/in?x=1", raw
}

// Decision 0.21 for Changes, FieldValues and Values; decision 0.22 for state
// events; decision 0.24 for Properties and for posts without a secret.
func TestSend_BytesOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*webhook.Post)
		config func(*outbound.Config)
		body   string
		lines  []string
		absent []string
	}{
		{
			"an event with data", func(*webhook.Post) {}, nil,
			`{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33.27583Z","Changes":["amount","name"],"Event":"contact.changed","PrimaryKey":5,"Entity":"contact","ContextIdentifier":"Cust12345","ChangedByAssociateId":7,"WebhookName":"a\"b","FieldValues":{"name":"<ø>","amount":1.50}}`,
			[]string{"X-SuperOffice-Event: contact.changed", "X-SuperOffice-EventId: 88f91933-edce-4c1a-8ded-ade8e2f72434", "webhook-id: 88f91933-edce-4c1a-8ded-ade8e2f72434", "webhook-timestamp: 1758007473", "User-Agent: Posthaste/test", "Content-Type: application/json; charset=utf-8", "X-Posthaste-Hops: 1"},
			[]string{"X-SuperOffice-Retry", "X-Posthaste-Replay", "X-Hook-Test", "Accept-Encoding", "X-SuperOffice-Signature", "webhook-signature", "Transfer-Encoding"},
		},
		{
			"names only, with properties that may not replace a key", func(p *webhook.Post) {
				p.Webhook.Properties = json.RawMessage(`{"Event":"x","Values":1,"event":1e999,"Z":{"a":[1]}}`)
			}, func(c *outbound.Config) { c.OmitFieldValues = true },
			`{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33.27583Z","Changes":["amount","name"],"Event":"contact.changed","PrimaryKey":5,"Entity":"contact","ContextIdentifier":"Cust12345","ChangedByAssociateId":7,"WebhookName":"a\"b","event":1e999,"Z":{"a":[1]}}`,
			nil, nil,
		},
		{
			"a deletion, retried and replayed", func(p *webhook.Post) {
				p.Event.Name, p.Retry, p.Replay, p.Event.At = "list.category.deleted", 2, true, at.Truncate(time.Second)
				p.Webhook.Name = "a\xff\x01"
			}, nil,
			`{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33Z","Changes":[],"Event":"list.category.deleted","PrimaryKey":5,"Entity":"list.category","ContextIdentifier":"Cust12345","ChangedByAssociateId":7,"WebhookName":"a` + "\uFFFD" + `\u0001","Values":{"name":"<ø>","amount":1.50},"FieldValues":{}}`,
			[]string{"X-SuperOffice-Retry: 2", "X-Posthaste-Replay: true"},
			nil,
		},
		{
			"a state event", func(p *webhook.Post) { p.Event.Name, p.Event.Data = "webhook123.errors", nil }, nil,
			`{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33.27583Z","Changes":[],"Event":"webhook.errors","PrimaryKey":5,"ContextIdentifier":"Cust12345","ChangedByAssociateId":7,"WebhookName":"a\"b","FieldValues":{}}`,
			[]string{"X-SuperOffice-Event: webhook123.errors"},
			nil,
		},
		{
			"the ping", func(p *webhook.Post) {
				p.Test, p.Event.Name, p.Event.PrimaryKey, p.Event.Data = true, "test", 0, nil
			}, nil,
			`{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33.27583Z","Changes":[],"Event":"test","PrimaryKey":0,"Entity":"test","ContextIdentifier":"Cust12345","ChangedByAssociateId":7,"WebhookName":"a\"b","FieldValues":{}}`,
			[]string{"X-SuperOffice-Event: test", "X-Hook-Test: true"},
			nil,
		},
		{
			"custom headers, one of them secret, none replaces ours", func(p *webhook.Post) {
				p.Webhook.Headers = []webhook.Header{{Name: "x-Own", Value: "v"}, {Name: "authorization", Secret: true}, {Name: "WEBHOOK-ID", Value: "evil"}, {Name: "x-superoffice-event", Value: "evil"}, {Name: "idempotency-KEY", Value: "evil"}, {Name: "X_SuperOffice_Signature", Value: "evil"}, {Name: "webhook_signature", Value: "evil"}, {Name: "Transfer_Encoding", Value: "evil"}, {Name: "x_api-key", Secret: true}}
				p.Secrets.Headers = map[string]webhook.Secret{"Authorization": webhook.NewSecret("Bearer t"), "X-Api_Key": webhook.NewSecret("k")}
			}, nil, "",
			[]string{"x-Own: v", "authorization: Bearer t", "x_api-key: k"},
			[]string{"evil"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, got := target(t, "HTTP/1.1 204 No Content\r\n\r\n")
			post := webhook.Post{Webhook: hook(url), Event: event}
			c.change(&post)
			if r := sender(t, c.config).Send(t.Context(), post); r.Error != failure.None || r.StatusCode != 204 || !r.At.Equal(at) {
				t.Fatalf("result %v", r)
			}
			head, body, _ := strings.Cut(<-got, "\r\n\r\n")
			if c.body != "" {
				if diff := cmp.Diff(c.body, body); diff != "" {
					t.Error(diff)
				}
			}
			if !strings.HasPrefix(head, "POST /in?x=1 HTTP/1.1\r\n") {
				t.Errorf("head %q", head)
			}
			for _, line := range c.lines {
				if !strings.Contains(head+"\r\n", "\r\n"+line+"\r\n") {
					t.Errorf("no line %q in\n%s", line, head)
				}
			}
			for _, text := range c.absent {
				if strings.Contains(head, text) {
					t.Errorf("%q in\n%s", text, head)
				}
			}
		})
	}
}

func TestSend_SignsTheBytesThatItSends(t *testing.T) {
	t.Parallel()
	const current, previous = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "old ø"
	for _, c := range []struct {
		name        string
		until       time.Time
		first       webhook.Signer
		superOffice string
		oldVerifies bool
	}{
		{"during a rotation the new one signs", at.Add(time.Hour), webhook.SignerNone, current, true},
		{"or the old one, which a target accepted last", at.Add(time.Hour), webhook.SignerPrevious, previous, true},
		{"after the overlap the old one is gone", at, webhook.SignerPrevious, current, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, got := target(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			doc := webhook.SecretDocument{Current: webhook.NewSecret(current), Previous: webhook.NewSecret(previous), PreviousUntil: c.until}
			sender(t, nil).Send(t.Context(), webhook.Post{Webhook: hook(url), Event: event, Secrets: doc, First: c.first})
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(<-got)))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(req.Body)
			if !signature.VerifySuperOffice(c.superOffice, body, req.Header.Get("X-SuperOffice-Signature")) {
				t.Error("X-SuperOffice-Signature does not verify")
			}
			verify := func(secret string) error {
				return signature.VerifyStandard(secret, req.Header.Get("Webhook-Id"), req.Header.Get("Webhook-Timestamp"), req.Header.Get("Webhook-Signature"), body, at, time.Minute)
			}
			if err := verify(current); err != nil {
				t.Errorf("new secret: %v", err)
			}
			if err := verify(previous); (err == nil) != c.oldVerifies {
				t.Errorf("old secret: %v", err)
			}
		})
	}
}

func TestSend_MissingSecretSendsNothing(t *testing.T) {
	t.Parallel()
	url, got := target(t, "HTTP/1.1 200 OK\r\n\r\n")
	missing := hook(url)
	missing.Headers = []webhook.Header{{Name: "X-Api-Key", Secret: true}}
	unsigned := hook(url)
	unsigned.Secret.Signed = true
	for name, w := range map[string]webhook.Webhook{"header": missing, "signing secret": unsigned} {
		if r := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: w, Event: event}); r.Error != failure.Secret {
			t.Errorf("%s: %v", name, r.Error)
		}
	}
	if len(got) != 0 {
		t.Error("something was sent")
	}
}

// Decision 0.24: any 2xx is a success.
func TestSend_Outcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, answer string
		want         webhook.Result
	}{
		{"any 2xx", "HTTP/1.1 299 X\r\n\r\n", webhook.Result{StatusCode: 299}},
		{"a redirect is not followed", "HTTP/1.1 302 Found\r\nLocation: http://u:p@10.0.0.1/a?q=1#f\r\n\r\n", webhook.Result{StatusCode: 302, Error: failure.Redirect, Location: "10.0.0.1/a"}},
		{"a refusal", "HTTP/1.1 500 Oh\r\nRetry-After: 3\r\n\r\n", webhook.Result{StatusCode: 500, Error: failure.Status}},
		{"Retry-After in seconds", "HTTP/1.1 503 Oh\r\nRetry-After: 3\r\n\r\n", webhook.Result{StatusCode: 503, Error: failure.Status, RetryAfter: 3 * time.Second}},
		{"Retry-After as a date", "HTTP/1.1 429 Oh\r\nRetry-After: Tue, 16 Sep 2025 07:25:33 GMT\r\n\r\n", webhook.Result{StatusCode: 429, Error: failure.Status, RetryAfter: time.Minute - 275830*time.Microsecond}},
		{"Retry-After in the past", "HTTP/1.1 429 Oh\r\nRetry-After: -9\r\n\r\n", webhook.Result{StatusCode: 429, Error: failure.Status}},
		{"a huge Retry-After", "HTTP/1.1 429 Oh\r\nRetry-After: 9223372036854775807\r\n\r\n", webhook.Result{StatusCode: 429, Error: failure.Status, RetryAfter: delivery.MaxRetryAfter}},
		{"no more of this event", "HTTP/1.1 400 No\r\nwebhook-delivery: abort-message\r\n\r\n", webhook.Result{StatusCode: 400, Error: failure.Aborted}},
		{"no more, but a success", "HTTP/1.1 200 OK\r\nwebhook-delivery: abort-message\r\n\r\n", webhook.Result{StatusCode: 200}},
		{"no HTTP", "SSH-2.0\r\n\r\n", webhook.Result{Error: failure.Protocol}},
		{"no response", "", webhook.Result{Error: failure.Reset}},
		{"headers without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 200<<10) + "\r\n\r\n", webhook.Result{Error: failure.TooLarge}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, _ := target(t, c.answer)
			got := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: hook(url), Event: event})
			got.At, got.Response, got.Excerpt, got.Sent = time.Time{}, "", "", webhook.Sent{}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSend_Unreachable(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + closed.Addr().String()
	_ = closed.Close()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hanging.Close() })
	noDNS := func(c *outbound.Config) {
		c.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("secret path") }
	}
	for _, c := range []struct {
		name, url string
		config    func(*outbound.Config)
		want      failure.Kind
	}{
		{"a closed port", refusing, nil, failure.Refused},
		{"a certificate of an unknown issuer", server.URL, nil, failure.TLS},
		{"https to an http server", strings.Replace(server.URL, "https", "http", 1), nil, failure.Status},
		{"no such name", "https://x.example/", noDNS, failure.DNS},
		{"a target that hangs", "http://" + hanging.Addr().String(), nil, failure.Timeout},
		{"a loopback address when deployed", server.URL, func(c *outbound.Config) { c.AllowPrivate = false }, failure.Blocked},
		{"http when deployed", refusing, func(c *outbound.Config) { c.AllowHTTP = false }, failure.Blocked},
		{"metadata", "http://169.254.169.254/latest", nil, failure.Blocked},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute // except for the case that must reach it
			if c.want == failure.Timeout {
				limit = 50 * time.Millisecond
			}
			got := sender(t, c.config).Send(t.Context(), webhook.Post{Webhook: hook(c.url), Event: event, Timeout: limit})
			if got.Error != c.want {
				t.Errorf("error %q, want %q", got.Error, c.want)
			}
		})
	}
}

func TestSend_OverTLS(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		protocol := make(chan string, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protocol <- r.Proto }))
		server.EnableHTTP2 = true
		server.StartTLS()
		t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		s := sender(t, func(c *outbound.Config) { c.RootCAs, c.HTTP2, c.Now = roots, http2, time.Now })
		if r := s.Send(t.Context(), webhook.Post{Webhook: hook(server.URL), Event: event}); r.Error != failure.None {
			t.Fatalf("error %q", r.Error)
		}
		if got, want := <-protocol, map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[http2]; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A server that closes each connection after it has read a second request,
// without responding: the event may have been taken, so the sender must not
// repeat it.
func TestSend_NeverTwiceOnceBytesWereWritten(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if posts.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	s, post := sender(t, nil), webhook.Post{Webhook: hook(server.URL), Event: event}
	first, second := s.Send(t.Context(), post), s.Send(t.Context(), post)
	if first.Error != failure.None || second.Error != failure.Reset || posts.Load() != 2 {
		t.Errorf("%q, %q after %d posts", first.Error, second.Error, posts.Load())
	}
}

func TestSend_ReusesConnectionsUntilAFreeze(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 20<<10))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s, post := sender(t, nil), webhook.Post{Webhook: hook(server.URL), Event: event}
	ended := time.Now()
	for i, c := range []struct {
		asleep time.Duration
		want   int32
	}{{0, 1}, {20 * time.Second, 1}, {21 * time.Second, 2}} {
		// The monotonic clock stops while the environment is frozen.
		s.Resume(ended, webhooktest.Thawed(ended.Add(c.asleep), c.asleep))
		if r := s.Send(t.Context(), post); r.Error != failure.None || opened.Load() != c.want {
			t.Errorf("send %d: %q, %d connections, want %d", i, r.Error, opened.Load(), c.want)
		}
	}
}

// A long header that the log does not show leaves room for the body.
func TestSend_ExcerptForTheLogHasListedHeadersAndTheBody(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 3000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", strings.Repeat("p", 5000))
		w.Header().Set("X-Request-Id", "r-1")
		w.Header().Set("X-Echo", r.Header.Get("X-SuperOffice-Signature"))
		w.Header()["Date"] = nil
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "one: two\n\n"+r.Header.Get("Webhook-Signature")+body)
	}))
	t.Cleanup(server.Close)
	r := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: hook(server.URL), Event: event, Secrets: webhook.SecretDocument{Current: webhook.NewSecret("secret-secret")}})
	headers, text := delivery.ReadExcerpt(r.Excerpt)
	want := []webhook.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "X-Request-Id", Value: "r-1"}}
	if diff := cmp.Diff(want, headers); diff != "" || text != "one: two\n\nv1,[redacted]"+body {
		t.Errorf("body %.60q, headers (-want +got):\n%s", text, diff)
	}
}

func TestSend_ExcerptHoldsNothingThatWasSent(t *testing.T) {
	t.Parallel()
	const secret, old, token = "s3cret \"<ø>", "former-secret", "tok-en-0123456789-0123456789-0123456789-0123456789-0123456789"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("X-SuperOffice-Signature"))
		w.Header().Set("Set-Cookie", "session=1")
		w.WriteHeader(500)
		quoted, _ := json.Marshal(secret)
		_, _ = io.WriteString(w, "bad\x00\x1b[1m\xff\n"+token+secret+string(quoted)+old+r.Header.Get("X-Own")+r.Header.Get("Webhook-Signature"))
		_, _ = io.WriteString(w, strings.Repeat("é", 100)+strings.Repeat(token, 200))
	}))
	t.Cleanup(server.Close)
	w := hook(server.URL)
	w.Headers = []webhook.Header{{Name: "X-Own", Value: "plain-value"}, {Name: "Authorization", Secret: true}}
	r := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: w, Event: event, Secrets: webhook.SecretDocument{
		Current: webhook.NewSecret(secret), Previous: webhook.NewSecret(old),
		Headers: map[string]webhook.Secret{"authorization": webhook.NewSecret("Bearer " + token)},
	}})
	if !strings.HasPrefix(r.Response, "HTTP 500 Internal Server Error\n") || len(r.Response) > webhook.MaxLastError {
		t.Errorf("%d bytes: %.80q", len(r.Response), r.Response)
	}
	for _, text := range []string{secret, "s3cret", old, token, "plain-value", "\x00", "\x1b", "\xff", "session", "tok-"} {
		if strings.Contains(r.Response+r.Excerpt, text) {
			t.Errorf("%q is in %q or %q", text, r.Response, r.Excerpt)
		}
	}
	if !strings.Contains(r.Response, "X-Echo: [redacted]\n") || !strings.Contains(r.Response, "v1,[redacted]") {
		t.Errorf("signatures: %q", r.Response)
	}
}
