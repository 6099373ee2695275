package filter

import "cmp"

// decimal is a number exactly as it is written: 0.digits × 10^exp. digits begins with
// the first digit that is not 0 and may contain a point and end with zeros; it is empty
// for zero.
type decimal struct {
	negative bool
	exp      int
	digits   []byte
}

// maxExp bounds exponents: those that are larger count as equal.
const maxExp = 1 << 40

// decimalOf reads a JSON number. The digits share its memory.
func decimalOf(text []byte) (d decimal) {
	i := 0
	if i < len(text) && text[i] == '-' {
		d.negative = true
		i++
	}
	first, point := -1, -1
	end := i
	for ; end < len(text) && text[end] != 'e' && text[end] != 'E'; end++ {
		switch {
		case text[end] == '.':
			point = end
		case first < 0 && text[end] != '0':
			first = end
		}
	}
	if first < 0 {
		return decimal{}
	}
	if point < 0 {
		point = end
	}
	d.digits = text[first:end]
	if d.exp = point - first; first > point {
		d.exp++ // the point is not a digit
	}
	if end < len(text) {
		d.exp += exponent(text[end+1:])
	}
	return d
}

func exponent(text []byte) (n int) {
	negative := false
	for _, c := range text {
		switch {
		case c == '-':
			negative = true
		case '0' <= c && c <= '9':
			n = min(n*10+int(c-'0'), maxExp)
		}
	}
	if negative {
		return -n
	}
	return n
}

// compare returns -1, 0 or 1, as cmp.Compare does.
func (d decimal) compare(e decimal) int {
	if d.sign() != e.sign() {
		return cmp.Compare(d.sign(), e.sign())
	}
	size := cmp.Compare(d.exp, e.exp)
	if size == 0 {
		size = compareDigits(d.digits, e.digits)
	}
	return size * d.sign()
}

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compareDigits compares 0.a with 0.b.
func compareDigits(a, b []byte) int {
	for len(a) > 0 || len(b) > 0 {
		var x, y byte
		x, a = digit(a)
		y, b = digit(b)
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return 0
}

// digit returns the next digit, 0 at the end, and what follows it.
func digit(digits []byte) (byte, []byte) {
	if len(digits) > 0 && digits[0] == '.' {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return '0', nil
	}
	return digits[0], digits[1:]
}
