package wire

import (
	"strconv"
	"strings"
)

// Equal reports whether two trees are the same JSON: members in any order,
// numbers by their value. u is as it was read, without removed members; Equal
// takes as many steps as u has values.
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
	default: // true, false and null are their kinds
	}
	return true
}

// maxComparedDigits is how long a number may be to be compared by its value.
const maxComparedDigits = 1000

// sameNumber compares whole numbers by their digits, which a float may lose,
// and all others as floats; very long ones too by their digits, since every
// operation of a patch may compare one again.
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
