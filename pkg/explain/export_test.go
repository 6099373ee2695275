package explain

import (
	"maps"
	"slices"
)

// Codes lists the codes that have a sentence.
func Codes() []Code { return slices.Sorted(maps.Keys(sentences)) }

// Sentence returns the sentence of a code, with its names in braces.
func Sentence(code Code) string { return sentences[code] }
