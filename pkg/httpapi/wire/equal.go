package wire

import (
	"strconv"
	"strings"
)

// Equal reports whether two trees are the same JSON: members in any order, numbers
// by value. u must be as it was read, without removed members; Equal takes as many
// steps as u has values.
func (t *Tree) Equal(u *Tree) bool {
	if t.kind != u.kind || t.Len() != u.Len() {
		return false
	}
	switch t.kind {
	case KindString:
		return t.text == u.text
	case KindNumber:
		return sameNumber(t.text, u.text)
	case KindObject:
		for i, name := range u.names {
			if at := t.exact(name); at < 0 || !t.children[at].Equal(&u.children[i]) {
				return false
			}
		}
	case KindArray:
		for i := range t.children {
			if !t.children[i].Equal(&u.children[i]) {
				return false
			}
		}
	default: // true, false and null have no more than a kind
	}
	return true
}

// maxComparedDigits is the longest number that is compared by value.
const maxComparedDigits = 1000

// sameNumber compares integers digit by digit, since a float may lose some, and
// other numbers as floats. Very long numbers are compared digit by digit too,
// since every operation of a patch may repeat the comparison.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > maxComparedDigits || len(b) > maxComparedDigits || !strings.ContainsAny(a, ".eE") && !strings.ContainsAny(b, ".eE") {
		return false
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
