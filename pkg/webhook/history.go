package webhook

import (
	"encoding/json"
	"slices"
	"time"
)

// Action is what a change did to a webhook.
type Action string

// The actions. They are part of the API.
const (
	ActionChanged  Action = "changed"  // by a principal
	ActionDisabled Action = "disabled" // by the service, after failures or a 410
	ActionDeleted  Action = "deleted"
	ActionMoved    Action = "moved" // by the service: its secret is the same, and is stored elsewhere
)

// Change says who changes or deletes a stored webhook, when and how. The store
// keeps it with the webhook that it replaces.
type Change struct {
	Action Action
	At     time.Time // UTC
	// By and App are those of the principal. Both are zero if the service made the
	// change.
	By  Associate
	App string
	// Members names the members, options included, that the change sets to another
	// value, as the wire spells them. A deletion names none.
	Members []string
	// ExpiresAt is when the store may remove the replaced webhook. Zero: never.
	ExpiresAt time.Time
}

// Replaced is a webhook as it was until a change replaced it. Times have a
// resolution of one millisecond.
type Replaced struct {
	Change
	// Webhook has no secret value: its Secret holds a name and a version.
	Webhook Webhook
	// Partial says that the webhook was too large to be kept whole: of the members
	// that changes set, it has only State, the options and those that this change
	// set to another value. See Whole.
	Partial bool
}

// HistoryLength is how many replaced revisions of one webhook a store keeps: the
// newest.
const HistoryLength = 100

// maxReplaced is the size in bytes, as JSON, above which a replaced webhook is kept
// in part.
const maxReplaced = 16 << 10

// Replaces returns what a store keeps of the webhook that the change replaces.
func (c Change) Replaces(w Webhook) Replaced {
	w.Secret = w.Secret.Bare()
	w.Headers = slices.Clone(w.Headers)
	for i, h := range w.Headers {
		if h.Secret {
			w.Headers[i].Value = ""
		}
	}
	r := Replaced{Change: c, Webhook: w}
	if sizeOf(w) > maxReplaced {
		r.Partial = true
		r.restore(&Webhook{})
	}
	return r
}

// Whole returns the replaced webhook with all members: those that a partial one
// does not have are those of its successor, which the change left as they were.
func (r Replaced) Whole(successor Webhook) Webhook {
	if r.Partial {
		r.restore(&successor)
	}
	return r.Webhook
}

// restore sets the members that the change left as they were.
func (r *Replaced) restore(from *Webhook) {
	for _, m := range changeables {
		if !m.kept && !slices.Contains(r.Members, m.name) {
			m.copy(&r.Webhook, from)
		}
	}
}

// sizeOf returns the size of a webhook as JSON.
func sizeOf(w Webhook) int {
	raw := len(w.Properties) + len(w.ErrorAssociates) + len(w.Options.Filter) + len(w.Options.Template)
	w.Properties, w.ErrorAssociates, w.Options.Filter, w.Options.Template = nil, nil, nil, nil // encoding/json refuses invalid ones
	text, err := json.Marshal(w)
	if err != nil { // strings, numbers and times always marshal
		panic(err)
	}
	return len(text) + raw
}

// Disabling returns the change by which the service disables a webhook at now. life
// is how long the replaced webhook is kept.
func Disabling(now time.Time, life time.Duration) Change {
	return Change{Action: ActionDisabled, At: now, Members: []string{memberState}, ExpiresAt: now.Add(life)}
}

// Moving returns the change by which the service stores a webhook's secret elsewhere
// at now. life is as for Disabling.
func Moving(now time.Time, life time.Duration) Change {
	return Change{Action: ActionMoved, At: now, ExpiresAt: now.Add(life)}
}
