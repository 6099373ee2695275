package webhook

import (
	"net/url"
	"strings"
)

// ParseTarget returns the URL that a TargetUrl is called at. White space at both
// ends is dropped. In the path and the query, every byte that RFC 3986 does not
// allow there is percent-encoded, since many servers refuse a request line that
// has one: spaces, non-ASCII characters, "<>[\]^`{|} and a % that does not begin
// an escape. Existing escapes and all other characters stay as they are, so a
// signed or an encoded part of the URL keeps its bytes. The error is that of
// url.Parse, and quotes the target.
//
// The scheme, the host and a fragment are not encoded: url.Parse accepts or
// refuses them as they are.
func ParseTarget(target string) (*url.URL, error) {
	target = strings.TrimSpace(target)
	before, after, ok := strings.Cut(target, "://")
	if !ok {
		return url.Parse(target)
	}
	begin := strings.IndexAny(after, "/?#")
	if begin < 0 {
		return url.Parse(target)
	}
	authority, rest := after[:begin], after[begin:]
	rest, fragment, fragmented := strings.Cut(rest, "#")
	if rest = encodeTarget(rest); fragmented {
		rest += "#" + fragment
	}
	return url.Parse(before + "://" + authority + rest)
}

// encodeTarget returns the path and query of a URL, percent-encoded. Control
// characters stay, so that url.Parse refuses them.
func encodeTarget(text string) string {
	n := 0
	for i := range len(text) {
		if !allowedInTarget(text, i) {
			n++
		}
	}
	if n == 0 {
		return text
	}
	const digits = "0123456789ABCDEF"
	encoded := make([]byte, 0, len(text)+2*n)
	for i := range len(text) {
		if c := text[i]; allowedInTarget(text, i) {
			encoded = append(encoded, c)
		} else {
			encoded = append(encoded, '%', digits[c>>4], digits[c&0xf])
		}
	}
	return string(encoded)
}

// allowedInTarget reports whether byte i of a path and query is sent as it is.
func allowedInTarget(text string, i int) bool {
	switch c := text[i]; {
	case c == '%':
		return i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2])
	case c < ' ' || c == 0x7f:
		return true
	default:
		return c < 0x80 && strings.IndexByte(" \"<>[\\]^`{|}", c) < 0
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
