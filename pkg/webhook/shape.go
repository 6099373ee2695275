package webhook

import "strings"

// ofLetters reports whether text has 1 to limit characters, each of them an ASCII
// letter, a digit or one of others. A regular expression would add a millisecond to
// each start of a function.
func ofLetters(text, others string, limit int) bool {
	if text == "" || len(text) > limit {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if !letter(c) && !digit(c) && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// ofDigits reports whether text consists of one or more ASCII digits.
func ofDigits(text string) bool {
	for i := range len(text) {
		if !digit(text[i]) {
			return false
		}
	}
	return text != ""
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
