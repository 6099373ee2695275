package filter

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// decoded returns the text of a JSON string. It is valid until the next call.
func (r *run) decoded(quoted []byte) []byte {
	if len(quoted) < 2 {
		return nil
	}
	inner := quoted[1 : len(quoted)-1]
	at := bytes.IndexByte(inner, '\\')
	if at < 0 {
		return inner
	}
	r.text = r.text[:0]
	for at >= 0 {
		r.text = append(r.text, inner[:at]...)
		inner = r.unescape(inner[at:])
		at = bytes.IndexByte(inner, '\\')
	}
	r.text = append(r.text, inner...)
	return r.text
}

// unescape adds the character that an escape stands for and returns what follows it.
func (r *run) unescape(in []byte) []byte {
	if len(in) < 2 {
		return nil
	}
	c := in[1]
	switch c {
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		const size = 6
		first := codeUnit(in)
		if len(in) < size {
			return nil
		}
		if pair := utf16.DecodeRune(first, codeUnit(in[size:])); pair != utf8.RuneError {
			r.text = utf8.AppendRune(r.text, pair)
			return in[2*size:]
		}
		r.text = utf8.AppendRune(r.text, first)
		return in[size:]
	}
	r.text = append(r.text, c)
	return in[2:]
}

// codeUnit returns the code unit of the escape \u0000 that in begins with, or 0.
func codeUnit(in []byte) (unit rune) {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0
	}
	for _, c := range in[2:6] {
		d, _ := hexDigit(c)
		unit = unit<<4 | rune(d)
	}
	return unit
}
