package filter

import "unicode"

// folded returns a test that ignores case: a character of the value may be the lower
// or the upper case of the pattern's. One character stays one: ß is not SS.
func folded(o op, text string) test {
	var lower, upper []rune
	for _, r := range text {
		lower, upper = append(lower, unicode.ToLower(r)), append(upper, unicode.ToUpper(r))
	}
	return test{op: o, text: string(lower), upper: string(upper)}
}
