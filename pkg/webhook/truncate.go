package webhook

// Truncate cuts a string to at most n bytes without splitting a character.
func Truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}
