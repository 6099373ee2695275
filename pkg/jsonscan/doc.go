// Package jsonscan checks JSON objects and lists their members without decoding
// the values.
//
// [CheckObject] and [CheckText] check input; [Members] walks over it for every POST. They
// leave the bytes unchanged, so numbers keep their digits and members their order.
// [SkipSpace] and [SkipValue] are for packages that look at a few members only.
//
// The package imports the standard library only. It refuses to build values, to
// format JSON, and to know what a member means. Its errors are clauses without a
// subject ("is nested deeper than 64"); the caller adds the subject and turns
// them into faults.
package jsonscan

// MaxDepth is the deepest allowed nesting of objects and arrays.
const MaxDepth = 64
