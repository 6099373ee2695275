package wire

import "fmt"

// UnsupportedError says why a body cannot be read as what its headers say it
// is, in a text for callers.
type UnsupportedError struct{ Text string }

func (e *UnsupportedError) Error() string { return e.Text }

// Unsupported returns an [UnsupportedError] with a formatted text.
func Unsupported(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

// Shorten cuts a text that is quoted in an answer.
func Shorten(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
