// Package wire reads and writes the formats of the API: JSON, XML and forms, in
// the character sets that clients send. Every body becomes a [Tree]; every
// response is written from JSON.
//
// What each format loses:
//
//   - JSON loses only the earlier of two members with the same name. Members keep
//     their order and numbers keep their digits.
//   - XML has no numbers and no booleans: every value is a string, except in a
//     dictionary of any values, where xsi:type names the type. It does not
//     distinguish a list from an object, or an empty string from an empty
//     element. Attributes, namespaces, comments and the name of the root element
//     are ignored. Characters that XML cannot represent become U+FFFD.
//   - A form has strings only. It has no null, and does not distinguish an empty
//     list from a missing value. The keys of a list only separate its items; they
//     do not order them. A name may have seven brackets.
//
// XML and forms may repeat a name. Its values are collected in the list that the
// member is, or marked as repeated ([Tree.Repeated]), never dropped.
//
// The package refuses to know what a member means: where a format does not
// distinguish a list from a value, the caller says which members are lists. It
// applies no rules to values, has no routes, and never chooses a status.
package wire
