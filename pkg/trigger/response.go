package trigger

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"
)

// gatewayResponse is a response, payload format 2.0.
type gatewayResponse struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// recorder is an http.ResponseWriter that buffers a response.
type recorder struct {
	header http.Header // written by the handler
	sent   http.Header // copy made when the status is written; nil before
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. The first call counts;
// informational statuses are ignored, since the gateway cannot send them.
func (w *recorder) WriteHeader(status int) {
	if w.sent != nil || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// response returns what was written. As in any server, nothing at all is a 200.
func (w *recorder) response(method string) gatewayResponse {
	w.WriteHeader(http.StatusOK)
	body := w.body.Bytes()
	if method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		body = nil
	}
	if len(body) > 0 && w.sent.Get("Content-Type") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(body))
	}
	out := gatewayResponse{StatusCode: w.status, Headers: make(map[string]string, len(w.sent)), Cookies: w.sent.Values("Set-Cookie")}
	for name, values := range w.sent {
		switch name {
		case "Set-Cookie": // the one header whose values must not be joined
		case "Content-Length", "Transfer-Encoding", "Connection": // set by the gateway
		default:
			out.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if utf8.Valid(body) {
		out.Body = string(body)
	} else {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return out
}
