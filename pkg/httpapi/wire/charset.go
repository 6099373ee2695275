package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The byte order marks, which identify a body's encoding.
var (
	markUTF8    = []byte("\xef\xbb\xbf")
	markUTF16BE = []byte("\xfe\xff")
	markUTF16LE = []byte("\xff\xfe")
)

// toUTF8 converts a body to UTF-8 without a byte order mark. charset is the one of
// its label, "" if it has none; a mark overrides a missing label and one of the
// same family. The reader of the format checks that UTF-8 is valid. known reports
// whether a label or a mark has settled the encoding.
func toUTF8(body []byte, charset string) (text []byte, known bool, err error) {
	charset = strings.ToLower(charset)
	switch charset {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		switch {
		case bytes.HasPrefix(body, markUTF8):
			return body[len(markUTF8):], true, nil
		case charset == "" && (bytes.HasPrefix(body, markUTF16BE) || bytes.HasPrefix(body, markUTF16LE)):
			text, err = fromUTF16(body, binary.LittleEndian)
			return text, true, err
		}
		return body, charset != "", nil
	case "utf-16", "utf-16le", "unicode":
		text, err = fromUTF16(body, binary.LittleEndian)
		return text, true, err
	case "utf-16be":
		text, err = fromUTF16(body, binary.BigEndian)
		return text, true, err
	case "iso-8859-1", "latin1":
		return fromLatin1(body), true, nil
	}
	return nil, false, Unsupported("The charset %s is not supported; send UTF-8", Shorten(charset))
}

// fromUTF16 converts UTF-16 in the byte order of its mark, or in the given one.
func fromUTF16(body []byte, order binary.ByteOrder) ([]byte, error) {
	switch {
	case bytes.HasPrefix(body, markUTF16BE):
		body, order = body[2:], binary.BigEndian
	case bytes.HasPrefix(body, markUTF16LE):
		body, order = body[2:], binary.LittleEndian
	}
	if len(body)%2 != 0 {
		return nil, webhook.Invalid("the body is not valid UTF-16")
	}
	text := make([]byte, 0, len(body))
	for ; len(body) > 0; body = body[2:] {
		r := rune(order.Uint16(body))
		if utf16.IsSurrogate(r) {
			if len(body) < 4 {
				return nil, webhook.Invalid("the body is not valid UTF-16")
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(body[2:]))); r == utf8.RuneError {
				return nil, webhook.Invalid("the body is not valid UTF-16")
			}
			body = body[2:]
		}
		text = utf8.AppendRune(text, r)
	}
	return text, nil
}

func fromLatin1(body []byte) []byte {
	text := make([]byte, 0, len(body)+len(body)/8)
	for _, b := range body {
		text = utf8.AppendRune(text, rune(b))
	}
	return text
}

// latin1 converts ISO 8859-1 to UTF-8, for a decoder that learns the encoding
// while it reads.
type latin1 struct{ from io.ByteReader }

func (l latin1) Read(p []byte) (n int, err error) {
	for n+2 <= len(p) {
		b, err := l.from.ReadByte()
		if err != nil {
			return n, err
		}
		n += utf8.EncodeRune(p[n:], rune(b))
	}
	return n, nil
}
