package wire

import (
	"errors"
	"fmt"
)

var errEscape = errors.New("has an invalid percent-escape: % must be followed by two hexadecimal digits")

// UnsupportedError says why a body cannot be read as its headers describe it. Its
// text is for callers.
type UnsupportedError struct{ Text string }

func (e *UnsupportedError) Error() string { return e.Text }

// Unsupported returns an [UnsupportedError] with a formatted message.
func Unsupported(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

// Shorten cuts a string that is quoted in a response to 100 characters.
func Shorten(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
