// Package filter decides whether an event passes a filter: a pattern in EventBridge's
// syntax over the members of [Event].
//
// [Compile] is for saves and for reading a list of webhooks; [Filter.Match] runs for
// every event and webhook. It walks over the event's bytes, builds no tree and, once its
// buffers have grown, does not allocate. Of an array, one element must satisfy all terms
// about it, as in AWS's event-ruler; docs/filters.md lists where the two differ.
//
// Both are bounded for any input: a pattern has at most [MaxBytes], [MaxTerms] and
// [MaxCombinations], and Match takes at most a constant number of steps beyond reading
// the event once. An event that needs more passes: a filter never loses an event that it
// cannot decide about.
//
// The package refuses to know webhooks and where an event comes from.
package filter

import "encoding/json"

// Limits of a pattern.
const (
	MaxBytes = 8 << 10
	// MaxTerms is how many values its lists may have in all, those of anything-but
	// included.
	MaxTerms = 200
	// MaxCombinations is how many combinations its $or may have: the product of
	// those that must hold together, the sum of the alternatives of one.
	MaxCombinations = 64
	// maxSteps is how many comparisons Match makes.
	maxSteps = 1 << 20
)

// Event is what a filter looks at. The zero value of a member means that it is absent,
// except for the two numbers, which always exist.
type Event struct {
	Event                         string // folded to lower case
	Entity, Key, Source           string
	PrimaryKey                    int32
	ChangedByAssociateId          int32 //nolint:revive // as patterns spell it
	Changes                       []string
	FieldValues, Values, Previous json.RawMessage // JSON objects
}

// Error says what is wrong with a pattern.
type Error struct {
	// Path leads to the fault: "Filter.FieldValues.amount".
	Path string
	// Rule is what is broken: "numeric takes pairs of operator and number".
	Rule string
}

func (e *Error) Error() string { return e.Path + ": " + e.Rule }
