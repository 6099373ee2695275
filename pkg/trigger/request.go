package trigger

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// gatewayRequest is the part of a call that is used, payload format 2.0.
type gatewayRequest struct {
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		RequestID  string `json:"requestId"`
		DomainName string `json:"domainName"`
		Authorizer struct {
			IAM struct {
				UserARN string `json:"userArn"`
			} `json:"iam"`
		} `json:"authorizer"`
		HTTP struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// request returns the call as an http.Server would present it.
func (g gatewayRequest) request(ctx context.Context) (*http.Request, error) {
	body := []byte(g.Body)
	if g.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(g.Body); err != nil {
			return nil, fmt.Errorf("decode body: %w", err)
		}
	}
	header := make(http.Header, len(g.Headers)+1)
	for name, value := range g.Headers {
		header.Set(name, value)
	}
	if len(g.Cookies) > 0 {
		header.Set("Cookie", strings.Join(g.Cookies, "; "))
	}
	host := g.host()
	header.Del("Host") // as servers do
	// The gateway has already decoded the path. Parsing would decode it again,
	// and fail at a literal percent sign.
	target := &url.URL{Path: g.path(), RawQuery: g.RawQueryString}
	if target.Path == "" {
		target.Path = "/"
	}
	r := &http.Request{
		Method: g.RequestContext.HTTP.Method, URL: target, Host: host, Header: header,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		RequestURI: target.RequestURI(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: net.JoinHostPort(g.RequestContext.HTTP.SourceIP, "0"),
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if header.Get("X-Forwarded-Proto") == "https" {
		r.TLS = &tls.ConnectionState{} // terminated at the gateway; nothing else is known about it
	}
	return r.WithContext(ctx), nil
}

// host returns the host that the caller addressed.
func (g gatewayRequest) host() string {
	for name, value := range g.Headers {
		if strings.EqualFold(name, "Host") && value != "" {
			return value
		}
	}
	return g.RequestContext.DomainName
}

// signedPrefix is the path prefix of the route whose calls are signed with AWS
// credentials.
const signedPrefix = "/aws"

// path returns the path of the resource. Signed calls use the same paths after
// signedPrefix. Without a signature that the gateway has verified, the prefix
// is not removed, and nothing exists under it.
func (g gatewayRequest) path() string {
	if g.RequestContext.Authorizer.IAM.UserARN == "" {
		return g.RawPath
	}
	if rest, ok := strings.CutPrefix(g.RawPath, signedPrefix); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return g.RawPath
}
