// Package template makes the body of a POST from a JSON document with placeholders and
// an event.
//
// A string of the document that is exactly one placeholder, "{{FieldValues.name}}",
// becomes the value with its type, and null if the event has none. Within longer text
// it becomes the value's text, and nothing if there is none. "{{{{" is "{{".
// docs/templates.md has the rules. There is nothing else: no conditions, no loops, no
// functions.
//
// [Compile] is for saves and for the first POST of a process; [Template.Append] runs for
// every POST. It looks for all paths in one walk over the event's bytes, copies what it
// finds, and decodes and builds nothing. Only the size of the result can fail: it is
// bounded by [MaxResult], however often a path is repeated.
//
// The package refuses to know webhooks, where an event comes from, and which of its
// values a receiver may see: the caller leaves those out of the [Event].
package template

import (
	"encoding/json"
	"errors"
)

// Limits of a template and of what it makes.
const (
	MaxBytes = 8 << 10
	// MaxResult is larger than an event's data, so that a template that has each
	// value of an event once always fits.
	MaxResult = 512 << 10
)

// Event is what paths lead into. The zero value of a member means that it is absent,
// except for the two numbers, which always exist.
type Event struct {
	EventID, Timestamp             string
	Event                          string // as bodies spell it
	Entity, Key, Source            string
	ContextIdentifier, WebhookName string
	PrimaryKey                     int32
	ChangedByAssociateId           int32 //nolint:revive // as paths spell it
	Changes                        []string
	FieldValues, Values, Previous  json.RawMessage // JSON objects
}

// Error says what is wrong with a template, in a clause without a subject.
type Error struct{ Rule string }

func (e *Error) Error() string { return "the template " + e.Rule }

// ErrTooLarge reports that a result would have more than MaxResult bytes.
var ErrTooLarge = errors.New("the template makes a body of more than 512 KiB")
