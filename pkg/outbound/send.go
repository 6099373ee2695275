package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// bodyTime bounds reading a body once the status is known: a target that drips
// its response does not hold the attempt's slot any longer.
const bodyTime = time.Second

// Send makes one attempt and returns its outcome. Its signature matches
// webhook.Registry's Ping. Post.Timeout bounds the whole attempt, including
// name resolution and the response body; ctx may end it earlier. While the
// webhook's secret is being rotated, an attempt may take two POSTs.
func (s *Sender) Send(ctx context.Context, post webhook.Post) webhook.Result {
	start := s.config.Now()
	result := s.rotate(ctx, post, start)
	result.At, result.Duration = start, s.config.Now().Sub(start)
	result.Interrupted = ctx.Err() != nil && (result.StatusCode == 0 || result.Undecided)
	return result
}

func (s *Sender) attempt(ctx context.Context, post webhook.Post, now time.Time) webhook.Result {
	target, err := s.target(post.Webhook.Tenant, post.Webhook.TargetURL)
	if err != nil {
		return webhook.Result{Error: failure.Blocked}
	}
	body, header, scrub, err := s.build(post, now)
	switch {
	case errors.Is(err, webhook.ErrSecretUnavailable), errors.Is(err, signature.ErrKey):
		return webhook.Result{Error: failure.Secret}
	case errors.Is(err, template.ErrTooLarge):
		return webhook.Result{Error: failure.Body}
	case err != nil:
		return webhook.Result{Error: failure.Internal}
	}
	result := s.post(ctx, post, target, header, body, scrub, now)
	result.Sent = sentBy(post, body, now)
	return result
}

// build returns the body and the headers of a post, and a scrubber for its response.
// Errors are those of headers and of templated, and of an event or Properties that are
// not JSON.
func (s *Sender) build(post webhook.Post, now time.Time) (body []byte, header http.Header, scrub *scrubber, err error) {
	post.Event = post.Event.Only(post.Webhook.Options.Fields)
	if len(post.Webhook.Options.Template) > 0 {
		body, err = s.templated(post)
	} else {
		body, err = appendBody(make([]byte, 0, 512+len(post.Event.Data)*2+len(post.Webhook.Properties)), post, s.config.OmitFieldValues)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	header, scrub, err = s.headers(post, body, now)
	return body, header, scrub, err
}

// post sends a built POST.
func (s *Sender) post(ctx context.Context, post webhook.Post, target *url.URL, header http.Header, body []byte, scrub *scrubber, now time.Time) webhook.Result {
	ctx, cancel := context.WithTimeout(ctx, limitOf(post))
	defer cancel()
	var seen *connection
	defer func() { seen.release() }()
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			seen.release() // an earlier connection, which the target had closed
			seen = hold(ctx, info.Conn)
		},
	})
	resp, err := s.transport.RoundTrip(s.request(withDialLimit(traced, ctx), target, header, body))
	if err != nil {
		return failed(ctx, err, seen)
	}
	late := time.AfterFunc(bodyTime, cancel)
	defer late.Stop()
	defer func() { _ = resp.Body.Close() }()
	return answer(resp, scrub, now)
}

// target parses a URL and refuses one that must not be called, judging by its
// spelling. It also refuses what it cannot parse, since another parser may find
// a host in it. The result holds the host as resolvers see it. The error is
// ErrBlocked.
//
// Results are cached per tenant and shared; callers must not change them.
func (s *Sender) target(of webhook.Tenant, text string) (*url.URL, error) {
	if known, ok := s.targets.Get(string(of), text); ok {
		return known, nil
	}
	target, err := s.readTarget(text)
	if err != nil {
		return nil, err
	}
	s.targets.Put(string(of), text, target, targetBytes+2*len(text)+len(target.Path)+len(target.RawPath)+len(target.RawQuery))
	return target, nil
}

func (s *Sender) readTarget(text string) (*url.URL, error) {
	target, err := webhook.ParseTarget(text)
	if err != nil || target.Host == "" || target.User != nil || target.Scheme != "https" && (target.Scheme != "http" || !s.config.AllowHTTP) {
		return nil, ErrBlocked
	}
	host, err := s.guard.CheckHost(target.Hostname())
	if err != nil {
		return nil, err
	}
	if port := target.Port(); !isASCII(target.Host) && port != "" {
		target.Host = net.JoinHostPort(host, port)
	} else if !isASCII(target.Host) {
		target.Host = host
	}
	target.Fragment = ""
	return target, nil
}

// request returns a POST that net/http sends at most once. net/http repeats a
// request only if it has an idempotency header, or if no byte of it was written
// and GetBody can restore the body. The second case, an idle connection that
// the target had closed, is harmless and common, so GetBody is set for
// HTTP/1.1. HTTP/2 would use it in less certain cases.
func (s *Sender) request(ctx context.Context, target *url.URL, header http.Header, body []byte) *http.Request {
	req := &http.Request{
		Method: http.MethodPost, URL: target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
	if !s.config.HTTP2 {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return req.WithContext(ctx)
}

// answer turns a response into a result. A failure to read the body does not
// matter: the status has already said whether the target took the event.
func answer(resp *http.Response, scrub *scrubber, now time.Time) webhook.Result {
	body, cut := readBody(resp)
	result := webhook.Result{
		StatusCode: resp.StatusCode,
		Error:      judge(resp),
	}
	result.Response, result.Excerpt = excerpt(resp, body, cut, scrub)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		result.RetryAfter = retryAfter(resp.Header["Retry-After"], now)
	}
	if result.Error == failure.Redirect {
		result.Location = plain(scrub.clean(location(resp)))
	}
	return result
}

func judge(resp *http.Response) failure.Kind {
	switch code := resp.StatusCode; {
	case code < 200: // 101, an upgrade that was not requested
		return failure.Protocol
	case code >= 200 && code <= 299:
		return failure.None
	case strings.EqualFold(strings.TrimSpace(resp.Header.Get("Webhook-Delivery")), "abort-message"):
		return failure.Aborted
	case code >= 300 && code <= 399:
		return failure.Redirect
	}
	return failure.Status
}
