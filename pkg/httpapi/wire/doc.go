// Package wire reads and writes the formats of the API: JSON, XML and forms, in
// the character sets that clients send. Every body becomes a [Tree]; every
// response is written from JSON.
//
// What each format loses:
//
//   - JSON loses nothing but the first of two members with the same name: members
//     keep their order, and numbers their digits.
//   - XML has no numbers and no booleans: every value is a string, except in a
//     dictionary of any values, where xsi:type names the type. It does not tell
//     a list from an object, nor an empty string from an empty element.
//     Attributes, namespaces, comments and the name of the root element are
//     ignored. Characters that XML cannot write become U+FFFD.
//   - A form has strings only. It cannot say null, and does not tell an empty
//     list from a missing value. The keys of a list keep its items apart; they do
//     not order them. Nesting ends at eight brackets.
//
// The package refuses to know what a member means: where a format does not tell
// a list from a value, the caller says which members are lists. It applies no
// rules to values, holds no routes and never decides a status.
package wire
