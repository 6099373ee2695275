package outbound

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// view is a text in a searchable form. Each byte knows which bytes of the
// original it represents, so that a match can be redacted in the original.
type view struct {
	text []byte
	from []span // of each byte of text; nil if text is the original
}

// span is a half-open byte range of a text.
type span struct{ from, to int32 }

func viewOf(text string) view { return view{text: []byte(text)} }

func newView(n int) view { return view{make([]byte, 0, n), make([]span, 0, n)} }

// original returns the span of the original that the bytes [i, j) represent.
func (v view) original(i, j int) span {
	if v.from == nil {
		return span{int32(i), int32(j)}
	}
	return span{v.from[i].from, v.from[j-1].to}
}

// add appends a byte that represents the bytes [i, j) of another view.
func (v *view) add(of view, i, j int, b byte) {
	v.text, v.from = append(v.text, b), append(v.from, of.original(i, j))
}

func (v *view) addRune(of view, i, j int, r rune) {
	v.text = utf8.AppendRune(v.text, r)
	for len(v.from) < len(v.text) {
		v.from = append(v.from, of.original(i, j))
	}
}

// introducers are the characters that start an escape.
const introducers = `%&\`

// maxEscape is the length in bytes of the longest escape, a surrogate pair.
const maxEscape = 12

// unescaped resolves the escapes of URLs, HTML, JSON and programming languages,
// including nested ones. A run of backslashes counts as one, since JSON may
// quote JSON.
func (v view) unescaped() view {
	for range 4 {
		if !slices.ContainsFunc(v.text, func(b byte) bool { return b == '%' || b == '&' || b == '\\' }) {
			break
		}
		out, changed := newView(len(v.text)), false
		for i := 0; i < len(v.text); {
			n, value, isByte := 0, rune(0), false
			switch v.text[i] {
			case '%':
				n, value, isByte = percentEscape(v.text[i:])
			case '&':
				n, value = htmlEscape(v.text[i:])
			case '\\':
				n, value, isByte = backslashEscape(v.text[i:])
			}
			switch {
			case n == 0:
				out.add(v, i, i+1, v.text[i])
				n = 1
			case isByte:
				out.add(v, i, i+n, byte(value))
				changed = true
			default:
				out.addRune(v, i, i+n, value)
				changed = true
			}
			i += n
		}
		if v = out; !changed {
			break
		}
	}
	return v
}

// percentEscape decodes %41, and %u0041 as written by JavaScript's escape. n is
// the length of the escape, or 0.
func percentEscape(b []byte) (n int, value rune, isByte bool) {
	if len(b) > 5 && b[1]|0x20 == 'u' {
		if value, ok := digits(b[2:6], 16); ok {
			return 6, value, false
		}
	}
	if len(b) > 2 {
		if value, ok := digits(b[1:3], 16); ok {
			return 3, value, true
		}
	}
	return 0, 0, false
}

// htmlEntities are the entities that escaping functions write; HTML has 2,000
// more.
var htmlEntities = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "nbsp": ' '}

func htmlEscape(b []byte) (n int, value rune) {
	end := slices.Index(b[:min(len(b), maxEscape)], ';')
	if end < 2 {
		return 0, 0
	}
	name := strings.ToLower(string(b[1:end]))
	if value, ok := htmlEntities[name]; ok {
		return end + 1, value
	}
	number, base := strings.TrimPrefix(name, "#"), rune(10)
	if len(number) == len(name) {
		return 0, 0
	}
	if rest, ok := strings.CutPrefix(number, "x"); ok {
		number, base = rest, 16
	}
	if value, ok := digits([]byte(number), base); ok {
		return end + 1, value
	}
	return 0, 0
}

// backslashEscape decodes the escapes of JSON, JavaScript, Python and C. Before
// any other character the backslash is dropped.
func backslashEscape(b []byte) (n int, value rune, isByte bool) {
	n = 1
	for n < len(b) && b[n] == '\\' {
		n++
	}
	if n == len(b) {
		return n, ' ', false
	}
	rest := b[n:]
	switch rest[0] {
	case 'u':
		if value, ok := digits(rest[1:min(5, len(rest))], 16); ok && len(rest) > 4 {
			if low := rest[5:]; utf16.IsSurrogate(value) && len(low) > 5 && low[0] == '\\' && low[1] == 'u' {
				if second, ok := digits(low[2:6], 16); ok {
					return n + 11, utf16.DecodeRune(value, second), false
				}
			}
			return n + 5, value, false
		}
	case 'x':
		if value, ok := digits(rest[1:min(3, len(rest))], 16); ok && len(rest) > 2 {
			return n + 3, value, true
		}
	case '0', '1', '2', '3':
		if value, ok := digits(rest[:min(3, len(rest))], 8); ok && len(rest) > 2 {
			return n + 3, value, true
		}
	case 'n', 'r', 't', 'b', 'f', 'v', 'a':
		return n + 1, '\n', false
	}
	if rest[0] == '%' || rest[0] == '&' || rest[0] >= utf8.RuneSelf {
		return n, ' ', false // only the backslash: the next escape starts here
	}
	return n + 1, rune(rest[0]), true
}

// digits parses a number of up to 21 bits.
func digits(b []byte, base rune) (value rune, ok bool) {
	for _, c := range b {
		digit := rune(99)
		switch {
		case c >= '0' && c <= '9':
			digit = rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			digit = rune(c|0x20-'a') + 10
		}
		if value = value*base + digit; digit >= base || value >= 1<<21 {
			return 0, false
		}
	}
	return value, len(b) > 0
}

// folded returns the form in which texts are compared: lower case, without
// control and invisible characters, and with each run of white space, or of
// "+", which URLs use for it, as one space. Invalid UTF-8 is read as Latin-1.
//
// The bare form has no white space and no hyphens, and "_" becomes "/", so both
// base64 alphabets are one.
func (v view) folded(bare bool) view {
	out := newView(len(v.text))
	for i := 0; i < len(v.text); {
		r, n := foldNext(v.text[i:], bare)
		switch {
		case r < 0, r == ' ' && (len(out.text) == 0 || out.text[len(out.text)-1] == ' '):
		case r < utf8.RuneSelf:
			out.add(v, i, i+n, byte(r))
		default:
			out.addRune(v, i, i+n, r)
		}
		i += n
	}
	return out
}

// fold appends the folded text to b and returns what it appended.
func fold(b []byte, text string, bare bool) []byte {
	start := len(b)
	for rest := []byte(text); len(rest) > 0; {
		r, n := foldNext(rest, bare)
		if r >= 0 && (r != ' ' || len(b) > start && b[len(b)-1] != ' ') {
			b = utf8.AppendRune(b, r)
		}
		rest = rest[n:]
	}
	return b[start:]
}

// foldNext folds the first character of b, which takes n bytes. A negative r
// means that the character is dropped.
func foldNext(b []byte, bare bool) (r rune, n int) {
	r, n = rune(b[0]), 1
	if r >= utf8.RuneSelf {
		if r, n = utf8.DecodeRune(b); r == utf8.RuneError && n <= 1 {
			r, n = rune(b[0]), 1
		}
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Cf):
			return -1, n
		default:
			return unicode.ToLower(r), n
		}
	}
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A', n
	case r == ' ', r == '+', r == '\t', r == '\n':
		if bare {
			return -1, n
		}
		return ' ', n
	case r < ' ', r == 0x7f, bare && r == '-':
		return -1, n
	case bare && r == '_':
		return '/', n
	}
	return r, n
}
