package outbound

import (
	"io"
	"net/http"
	"slices"
)

const (
	keepBody  = 4 << 10  // bytes of an answer's body that an excerpt is made of
	drainBody = 64 << 10 // bytes that are read so that the connection can be used again
)

// readBody reads the beginning of an answer's body, and reports whether that may
// not be all of it: there is more, the target stopped, or nothing says where the
// body ends. A part of the rest is read too, so that the connection can be used
// again.
//
// What follows a 101 is no body, and its reads do not end with the request's
// context: they are not made.
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
