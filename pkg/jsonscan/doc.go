// Package jsonscan checks JSON objects and lists their members without decoding
// the values.
//
// [CheckObject] is the check at the door, [Members] the walk on the path of
// every POST. Both keep the bytes as they are, so that a number keeps its digits
// and a member its place.
//
// The package imports the standard library only. It refuses to build values, to
// format JSON and to know what a member means. Its errors are clauses without a
// subject ("is nested deeper than 64"); the caller adds the subject and turns
// them into faults.
package jsonscan

// MaxDepth is how deep objects and arrays may be nested.
const MaxDepth = 64
