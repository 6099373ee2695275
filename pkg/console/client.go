package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// client makes the calls of one page, in the name of its reader.
type client struct {
	api   http.Handler
	outer *http.Request
	ctx   context.Context //nolint:containedctx // the calls of one page share it
	token string          // X-XSRF-TOKEN of the session; "": there is none
}

// The cookies of a session, and the form's member with the second one's value.
const (
	sessionCookie = "posthaste_session"
	tokenCookie   = "XSRF-TOKEN" //nolint:gosec // a name
	tokenField    = "token"
)

func newClient(c *console, r *http.Request) *client {
	cl := &client{api: c.API, outer: r, ctx: c.Begin(r.Context())}
	if cookie, err := r.Cookie(tokenCookie); err == nil {
		cl.token = cookie.Value
	}
	return cl
}

// get reads a resource of /api/v1.
func (c *client) get(path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.send(http.MethodGet, path, nil, into)
}

// search is get for a query that the reader has written. wrong is what the API finds
// wrong with it.
func (c *client) search(path string, query url.Values, into any) (wrong string, err error) {
	if err = c.get(path, query, into); isStatus(err, http.StatusBadRequest) {
		return err.Error(), nil
	}
	return "", err
}

// send makes a call. body is sent as JSON unless it is nil, and the response is decoded
// into into unless that is nil.
func (c *client) send(method, path string, body, into any) error {
	var content io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode a call: %w", err)
		}
		content = bytes.NewReader(text)
	}
	answered, err := c.call(method, path, content, nil)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(answered.body.Bytes(), into); err != nil {
		return fmt.Errorf("decode %s %s: %w", method, path, err)
	}
	return nil
}

// call makes a call with further headers, and returns the response if it is a success.
func (c *client) call(method, path string, body io.Reader, header http.Header) (*recorded, error) {
	r, err := http.NewRequestWithContext(c.ctx, method, "/api/v1/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("make a call: %w", err)
	}
	r.Host, r.RemoteAddr, r.TLS = c.outer.Host, c.outer.RemoteAddr, c.outer.TLS
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	if header == nil {
		r.Header.Set("X-XSRF-TOKEN", c.token)
		if cookie, err := c.outer.Cookie(sessionCookie); err == nil {
			r.AddCookie(cookie)
		}
	}
	for name, values := range header {
		r.Header[name] = values
	}
	w := &recorded{header: http.Header{}, status: http.StatusOK}
	c.api.ServeHTTP(w, r)
	if w.status/100 == 2 {
		return w, nil
	}
	var said struct{ ErrorMessage string }
	_ = json.Unmarshal(w.body.Bytes(), &said)
	return nil, &problem{status: w.status, text: said.ErrorMessage}
}

// recorded is a response of the API.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorded) Header() http.Header { return w.header }

func (w *recorded) WriteHeader(status int) { w.status = status }

func (w *recorded) Write(b []byte) (int, error) { return w.body.Write(b) }

// problem is why a page cannot be shown: what the API said, or the console itself.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// isStatus reports whether the API responded with a status.
func isStatus(err error, status int) bool {
	var p *problem
	return errors.As(err, &p) && p.status == status
}
