package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// maxCarried is what an answer may measure when Lambda returns it: 6 MB,
	// less what headers take.
	maxCarried = 6<<20 - 64<<10
	// minCompressed is the size from which compressing is worth its time.
	minCompressed = 4 << 10
)

var errListTooLarge = webhook.Invalid("the list is larger than an answer can be; ask for a part of it with $top and $skip, or accept gzip")

// carry gives a large answer as it goes out, and its coding.
//
// What Lambda cannot return is an error that says to page, in the local run
// too, so that a program meets the same service in both.
func carry(body []byte, compress bool) (out []byte, coding string, err error) {
	if compress && len(body) >= minCompressed {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		_, _ = w.Write(body) // a buffer takes everything
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

// carriedLen is the length of a text within the JSON that Lambda returns.
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
