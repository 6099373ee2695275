package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// maxCarried is the largest response body that Lambda can return: 6 MB minus
	// room for headers.
	maxCarried = 6<<20 - 64<<10
	// minCompressed is the smallest size that is worth compressing.
	minCompressed = 4 << 10
)

var errListTooLarge = webhook.Invalid("the list is too large for one response; page it with $top and $skip, or accept gzip")

// carry returns a large response body as it is sent, and its content coding.
//
// A body that Lambda cannot return is an error that says to page. The local run
// does the same, so that a program sees the same service in both.
func carry(body []byte, compress bool) (out []byte, coding string, err error) {
	if compress && len(body) >= minCompressed {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		_, _ = w.Write(body) // a buffer never fails
		_ = w.Close()
		if base64.StdEncoding.EncodedLen(compressed.Len()) > maxCarried {
			return nil, "", errListTooLarge
		}
		return compressed.Bytes(), "gzip", nil
	}
	if carriedLen(body) > maxCarried {
		return nil, "", errListTooLarge
	}
	return body, "", nil
}

// carriedLen returns the length of a body inside the JSON that Lambda returns.
func carriedLen(body []byte) int {
	n := len(body)
	for _, b := range body {
		switch {
		case b == '"' || b == '\\' || b == '\n' || b == '\r' || b == '\t':
			n++
		case b == '<' || b == '>' || b == '&' || b < ' ':
			n += 5
		}
	}
	return n + 3*(bytes.Count(body, []byte("\u2028"))+bytes.Count(body, []byte("\u2029")))
}
