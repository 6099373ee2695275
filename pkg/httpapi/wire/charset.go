package wire

import (
	"bytes"
	"encoding/binary"
	"io"
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
// its label in lower case, "" if it has none; a mark overrides a missing label and
// one of the same family. The reader of the format checks that UTF-8 is valid. known
// reports whether a label or a mark has settled the encoding.
func toUTF8(body []byte, charset string) (text []byte, known bool, err error) {
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
	}
	if set := byteCharsets[charset]; set != nil {
		return set.toUTF8(body), true, nil
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

// byteCharset is a charset of one byte a character: ISO 8859-1, but for some bytes
// from 0x80 on.
type byteCharset struct{ others map[byte]rune }

// byteCharsets are the charsets of one byte a character, by the names in labels.
var byteCharsets = map[string]*byteCharset{
	"iso-8859-1": latin1, "iso8859-1": latin1, "iso_8859-1": latin1, "latin1": latin1, "latin-1": latin1, "l1": latin1,
	"windows-1252": windows1252, "cp1252": windows1252, "x-cp1252": windows1252,
}

var (
	latin1      = &byteCharset{}
	windows1252 = &byteCharset{map[byte]rune{
		0x80: '€', 0x82: '‚', 0x83: 'ƒ', 0x84: '„', 0x85: '…', 0x86: '†', 0x87: '‡', 0x88: 'ˆ', 0x89: '‰', 0x8a: 'Š', 0x8b: '‹', 0x8c: 'Œ', 0x8e: 'Ž',
		0x91: '‘', 0x92: '’', 0x93: '“', 0x94: '”', 0x95: '•', 0x96: '–', 0x97: '—', 0x98: '˜', 0x99: '™', 0x9a: 'š', 0x9b: '›', 0x9c: 'œ', 0x9e: 'ž', 0x9f: 'Ÿ',
	}}
)

func (s *byteCharset) char(b byte) rune {
	if r, differs := s.others[b]; differs {
		return r
	}
	return rune(b)
}

func (s *byteCharset) toUTF8(body []byte) []byte {
	text := make([]byte, 0, len(body)+len(body)/8)
	for _, b := range body {
		text = utf8.AppendRune(text, s.char(b))
	}
	return text
}

// byteReader converts a byteCharset to UTF-8, for a decoder that learns the encoding
// while it reads.
type byteReader struct {
	from io.ByteReader
	set  *byteCharset
}

func (r byteReader) Read(p []byte) (n int, err error) {
	for n+utf8.UTFMax <= len(p) {
		b, err := r.from.ReadByte()
		if err != nil {
			return n, err
		}
		n += utf8.EncodeRune(p[n:], r.set.char(b))
	}
	return n, nil
}
