package webhook

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Only returns the event with the listed members of its data alone: in Changes,
// FieldValues, Values and Previous. Names ignore case. An empty list is all members.
func (e Event) Only(fields []string) Event {
	if len(fields) == 0 {
		return e
	}
	listed := func(name string) bool {
		return slices.ContainsFunc(fields, func(field string) bool { return sameField(field, name) })
	}
	e.Data = onlyMembers(e.Data, listed)
	if e.Content != nil {
		c := *e.Content
		if c.Changes != nil {
			c.Changes = slices.DeleteFunc(slices.Clone(c.Changes), func(name string) bool { return !listed(name) })
		}
		c.FieldValues, c.Values, c.Previous = onlyMembers(c.FieldValues, listed), onlyMembers(c.Values, listed), onlyMembers(c.Previous, listed)
		e.Content = &c
	}
	return e
}

// onlyMembers returns the listed members of an object as they are written.
func onlyMembers(object json.RawMessage, listed func(name string) bool) json.RawMessage {
	members, err := jsonscan.Members(object)
	if err != nil || len(object) == 0 { // checked on acceptance
		return object
	}
	only := json.RawMessage{'{'}
	for _, m := range members {
		if !listed(m.Name) {
			continue
		}
		if len(only) > 1 {
			only = append(only, ',')
		}
		only = append(append(append(only, quoted(m.Name)...), ':'), m.Value...)
	}
	return append(only, '}')
}

// quoted returns a string as JSON, with the characters of HTML as they are.
func quoted(text string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil { // strings always encode
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
