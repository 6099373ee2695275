package webhook

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with an input.
type Fault struct {
	// Member is the member of the input that the fault is about, spelled as on the
	// wire; of nested members the outermost. Empty if the fault is not about a
	// member.
	Member string
	// Text is a complete message for callers. It never contains a secret.
	Text string
}

// maxFaults is the largest number of faults that a Faults collects, so that the
// response to an input full of faults stays small.
const maxFaults = 100

// Faults collects what is wrong with an input. The zero Faults is empty.
type Faults []Fault

// Add adds a fault: the member breaks a rule. The text is the member's name and
// the formatted rule, such as "must be an https URL". Add does nothing once there
// are maxFaults faults.
func (f *Faults) Add(member, rule string, args ...any) {
	f.AddText(member, "%s %s", member, fmt.Sprintf(rule, args...))
}

// AddText adds a fault like Add, but the formatted text is the whole message.
func (f *Faults) AddText(member, format string, args ...any) {
	if len(*f) < maxFaults {
		*f = append(*f, Fault{member, fmt.Sprintf(format, args...)})
	}
}

// About reports whether a fault is about the member.
func (f Faults) About(member string) bool {
	return slices.ContainsFunc(f, func(f Fault) bool { return f.Member == member })
}

// Err returns the faults as a *ValidationError, or nil without faults.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &ValidationError{Faults: f}
}

// ValidationError lists everything that is wrong with an input, in the order of
// the entity's members. It never contains a secret.
type ValidationError struct{ Faults []Fault }

func (e *ValidationError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.Text
	}
	return strings.Join(texts, "; ")
}

// Invalid returns a [ValidationError] with one fault that is not about a member.
func Invalid(format string, args ...any) error {
	var f Faults
	f.AddText("", format, args...)
	return f.Err()
}

// InvalidMember returns a [ValidationError] with one fault, worded as by
// [Faults.Add].
func invalidMember(member, rule string, args ...any) error {
	var f Faults
	f.Add(member, rule, args...)
	return f.Err()
}
