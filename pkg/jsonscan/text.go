package jsonscan

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// CheckText returns nil if raw is valid UTF-8 and every \ud800 to \udfff in it is
// half of a pair. Other halves are not characters (RFC 8259, 8.2): some readers
// replace them, so that one name becomes two, and some refuse the whole document.
// The error is a clause without a subject.
func CheckText(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("must be valid UTF-8")
	}
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		r := escaped(raw[i:])
		switch {
		case !utf16.IsSurrogate(r):
			i++ // past what is escaped
		case utf16.DecodeRune(r, escaped(raw[i+escapeLen:])) == utf8.RuneError:
			return errors.New(`has an unpaired surrogate such as \ud800, which is not a character`)
		default:
			i += 2*escapeLen - 1
		}
	}
	return nil
}

// escapeLen is the length of \u0000.
const escapeLen = 6

// escaped returns the code unit of the escape \u0000 that raw begins with, or 0.
func escaped(raw []byte) rune {
	if len(raw) < escapeLen || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(raw[2:escapeLen]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}
