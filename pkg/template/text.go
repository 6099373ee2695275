package template

import (
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// result is what Append makes.
type result struct {
	b     []byte
	limit int
	full  bool // it would be longer than limit, and is not complete
}

func (r *result) add(raw []byte) {
	if r.full = r.full || len(r.b)+len(raw) > r.limit; !r.full {
		r.b = append(r.b, raw...)
	}
}

// addText adds the text of a JSON value to an open string: of a string its characters,
// of null and nil nothing, of an array the texts of its elements with ", " between them,
// and of anything else the JSON.
func (r *result) addText(value []byte) {
	if len(value) == 0 || value[0] != '[' {
		r.addElement(value)
		return
	}
	start := jsonscan.SkipSpace(value, 1)
	for i := start; i < len(value) && value[i] != ']'; i = jsonscan.SkipSpace(value, i) {
		if value[i] == ',' {
			r.add([]byte(", "))
			i = jsonscan.SkipSpace(value, i+1)
		}
		end := jsonscan.SkipValue(value, i)
		if end == i {
			return // not JSON
		}
		r.addElement(value[i:end])
		i = end
	}
}

// addElement adds the text of a value that is not taken apart.
func (r *result) addElement(value []byte) {
	switch {
	case string(value) == "null":
	case len(value) > 1 && value[0] == '"':
		r.add(value[1 : len(value)-1])
	case len(r.b)+len(value) > r.limit:
		r.full = true
	default:
		r.b = appendText(r.b, value) // what follows finds that it became too long: a quotation mark at least
	}
}

// quoted returns a text as a JSON string. Invalid UTF-8 becomes U+FFFD.
func quoted(text string) []byte {
	b := make([]byte, 0, len(text)+len(`""`))
	return append(appendText(append(b, '"'), strings.ToValidUTF8(text, "\ufffd")), '"')
}

// appendText appends text to an open JSON string and escapes only what JSON requires.
func appendText[T string | []byte](b []byte, text T) []byte {
	const hexDigits = "0123456789abcdef"
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return b
}
