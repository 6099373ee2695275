package wire

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
)

// surrogateReference reports whether an XML document has a reference such as
// &#xD800; to half of a surrogate pair. That is not a character, and encoding/xml
// replaces it with U+FFFD without an error.
func surrogateReference(text []byte) bool {
	for {
		i := bytes.IndexAny(text, "<&")
		if i < 0 {
			return false
		}
		text = text[i:]
		switch {
		case bytes.HasPrefix(text, []byte("<![CDATA[")):
			text = after(text, "]]>")
		case bytes.HasPrefix(text, []byte("<!--")):
			text = after(text[len("<!--"):], "-->")
		case bytes.HasPrefix(text, []byte("&#")):
			if utf16.IsSurrogate(referenced(text[len("&#"):])) {
				return true
			}
			fallthrough
		default:
			text = text[1:]
		}
	}
}

// after returns what follows the first end, nothing if there is no end.
func after(text []byte, end string) []byte {
	_, rest, _ := bytes.Cut(text, []byte(end))
	return rest
}

// referenced returns the character of a reference that continues with digits, 0 if
// they are malformed.
func referenced(text []byte) rune {
	const longest = 32
	digits, _, ended := strings.Cut(string(text[:min(len(text), longest)]), ";")
	if !ended {
		return 0
	}
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	if err != nil {
		return 0
	}
	return rune(n)
}
