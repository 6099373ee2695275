package outbound

import (
	"io"
	"net/http"
	"slices"
)

const (
	keepBody  = 4 << 10  // bytes of a response body that go into the excerpt
	drainBody = 64 << 10 // bytes read so that the connection can be reused
)

// readBody reads the beginning of a response body and reports whether it may be
// incomplete: there is more, the target stopped, or nothing marks the end. It
// drains part of the rest so that the connection can be reused.
//
// A 101 has no body, and a read after one does not end with the request's
// context, so readBody does not try.
func readBody(resp *http.Response) (body []byte, cut bool) {
	if resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, false
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, keepBody))
	if err != nil {
		return body, true
	}
	delimited := resp.ContentLength >= 0 || resp.ProtoMajor > 1 || slices.Contains(resp.TransferEncoding, "chunked")
	cut = len(body) == keepBody || !delimited
	_, _ = io.CopyN(io.Discard, resp.Body, drainBody-int64(len(body)))
	return body, cut
}
