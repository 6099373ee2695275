// Package failure lists why an attempt can fail, and what to do about it: a [Kind] in one
// word, sometimes with a [Detail], and a sentence of advice for the owner of the target.
// The API, the log and docs/errors.md repeat them.
//
// It refuses to know how an attempt is made: package outbound finds the Kind of an error.
package failure
