package ledger

import "time"

// Webhook is a webhook as its owner last told the API.
type Webhook struct {
	Tenant string
	ID     int32
	App    string

	Name       string
	Patterns   []string
	Target     string
	State      State
	Headers    []Header
	Properties string // one JSON object, or empty

	Policy  string // "durable" or "superoffice"
	Timeout time.Duration
	Format  string // "superoffice", "standard", "cloudevents" or "data"
	Choice  Choice
	// Fields are the members of data that bodies have, in lower case. Empty: all.
	Fields []string
	// Template replaces the body of the format, or is empty.
	Template string

	// Secret signs, and Previous too until PreviousUntil. Empty: not signed.
	Secret, Previous string
	PreviousUntil    time.Time

	// Activation counts the times that the webhook became Active; ActivatedAt is the
	// last of them.
	Activation  int64
	ActivatedAt time.Time

	Registered, Updated time.Time
	// By is the associate who registered it, UpdatedBy the one who changed it last.
	By, UpdatedBy int32
}

// State is a webhook's state, with the numbers of the wire.
type State int

// The states.
const (
	Active        State = 1
	Stopped       State = 2
	TooManyErrors State = 3
)

// Header is a header with its value in clear.
type Header struct{ Name, Value string }

// Version is a webhook from a moment on. A deletion is a version that does not
// exist.
type Version struct {
	At     time.Time
	Exists bool
	Webhook
}

// History is all versions of a webhook, in order.
type History []Version

// Between returns the versions that were in force at some moment from from to to.
func (h History) Between(from, to time.Time) []Version {
	var out []Version
	for i, v := range h {
		if v.At.After(to) {
			break
		}
		if i+1 < len(h) && h[i+1].At.Before(from) {
			continue
		}
		out = append(out, v)
	}
	return out
}

// Delay returns the longest time between the stamp of a change and the change.
func (h History) Delay() time.Duration {
	longest := time.Duration(0)
	for _, v := range h {
		if v.Exists {
			longest = max(longest, v.At.Sub(v.Updated))
		}
	}
	return longest
}

// Last returns the newest version; the zero Version of an empty history.
func (h History) Last() Version {
	if len(h) == 0 {
		return Version{}
	}
	return h[len(h)-1]
}
