package filter

import (
	"bytes"
	"unicode/utf8"
)

// op is what a test does.
type op uint8

const (
	exact op = iota
	exactFold
	prefix
	prefixFold
	suffix
	suffixFold
	wildcard
	numeric
	cidr
	literal // true, false, null
	exists
)

// term is one value of a list. It holds for a value if one of its tests does; with not,
// if all of them fail.
type term struct {
	not   bool
	tests []test
}

func only(t test) term { return term{tests: []test{t}} }

// test is one comparison. There may be many, so what few have is behind a pointer.
type test struct {
	op   op
	text string
	// upper is text in upper case, for the operators that ignore case; text is in
	// lower case then. Both have the same number of characters.
	upper   string
	parts   [][]byte  // wildcard: the strings between the asterisks
	within  *interval // numeric
	network *network  // cidr
}

// interval is a range of numbers, or one number: equal.
type interval struct {
	low, high bound
	equal     bool
}

// bound is an end of an interval.
type bound struct {
	at          decimal
	closed, set bool
}

// kind is the kind of a JSON value that is neither an object nor an array.
type kind uint8

const (
	aString kind = iota
	aNumber
	aLiteral
)

// scalar is such a value: a decoded string, or a number, true, false or null as
// written.
type scalar struct {
	kind kind
	text []byte
	// number is that of text, if it is a number.
	number decimal
}

func (t *term) holds(v *scalar) bool {
	for i := range t.tests {
		if t.tests[i].holds(v) {
			return !t.not
		}
	}
	return t.not
}

func (t *test) holds(v *scalar) bool {
	switch t.op {
	case exists:
		return true
	case literal:
		return v.kind == aLiteral && string(v.text) == t.text
	case numeric:
		return v.kind == aNumber && t.within.contains(v.number)
	default:
		return v.kind == aString && t.holdsText(v.text)
	}
}

// holdsText is holds for a string.
func (t *test) holdsText(text []byte) bool {
	switch t.op {
	case exact:
		return string(text) == t.text
	case prefix:
		return len(text) >= len(t.text) && string(text[:len(t.text)]) == t.text
	case suffix:
		return len(text) >= len(t.text) && string(text[len(text)-len(t.text):]) == t.text
	case exactFold:
		n, ok := t.foldPrefix(text)
		return ok && n == len(text)
	case prefixFold:
		_, ok := t.foldPrefix(text)
		return ok
	case suffixFold:
		return t.foldSuffix(text)
	case wildcard:
		return matchParts(t.parts, text)
	case cidr:
		return t.network.contains(text)
	default:
		return false
	}
}

// contains reports whether a number is in the interval.
func (w *interval) contains(n decimal) bool {
	if w.equal {
		return n.compare(w.low.at) == 0
	}
	if w.low.set {
		if c := n.compare(w.low.at); c < 0 || c == 0 && !w.low.closed {
			return false
		}
	}
	if w.high.set {
		if c := n.compare(w.high.at); c > 0 || c == 0 && !w.high.closed {
			return false
		}
	}
	return true
}

// matchParts reports whether a string consists of the parts, with anything between
// them. Each part is looked for once, from where the one before it ends, so the work is
// linear.
func matchParts(parts [][]byte, text []byte) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return bytes.Equal(first, text)
	}
	if len(text) < len(first)+len(last) || !bytes.HasPrefix(text, first) || !bytes.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := bytes.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// parseWildcard returns the strings between the asterisks of a pattern in which \*
// and \\ are an asterisk and a backslash. rule says what is wrong with it.
func parseWildcard(pattern string) (parts [][]byte, rule string) {
	part := []byte{}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' && i+1 < len(pattern) && pattern[i+1] == '*':
			return nil, "wildcard must not have ** in it"
		case c == '*':
			parts, part = append(parts, part), []byte{}
		case c != '\\':
			part = append(part, c)
		case i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			part = append(part, pattern[i])
		default:
			return nil, `wildcard must have \\ for a backslash and \* for an asterisk`
		}
	}
	return append(parts, part), ""
}

// foldPrefix reports whether a string begins with that of the test, ignoring case, and
// how many bytes of it that takes.
func (t *test) foldPrefix(text []byte) (n int, ok bool) {
	lower, upper := t.text, t.upper
	for lower != "" {
		l, lowerSize := utf8.DecodeRuneInString(lower)
		u, upperSize := utf8.DecodeRuneInString(upper)
		r, size := utf8.DecodeRune(text[n:])
		if size == 0 || r != l && r != u {
			return 0, false
		}
		lower, upper, n = lower[lowerSize:], upper[upperSize:], n+size
	}
	return n, true
}

// foldSuffix reports whether a string ends with that of the test, ignoring case.
func (t *test) foldSuffix(text []byte) bool {
	lower, upper := t.text, t.upper
	for lower != "" {
		l, lowerSize := utf8.DecodeLastRuneInString(lower)
		u, upperSize := utf8.DecodeLastRuneInString(upper)
		r, size := utf8.DecodeLastRune(text)
		if size == 0 || r != l && r != u {
			return false
		}
		lower, upper, text = lower[:len(lower)-lowerSize], upper[:len(upper)-upperSize], text[:len(text)-size]
	}
	return true
}
