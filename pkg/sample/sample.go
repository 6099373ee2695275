// Package sample makes the content of events for testing a webhook: what an event of
// a name looks like, without anything having happened.
//
// It knows SuperOffice's events by a catalog (README.md says where it is from). Of
// other events it keeps the names of an earlier one and no value. It refuses to read
// a store: the caller finds the earlier event.
package sample

import (
	_ "embed" // the catalog
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

//go:embed catalog.json
var catalogJSON []byte

// catalog has the content of SuperOffice's events, by name.
var catalog = sync.OnceValue(func() map[string]webhook.Content {
	var events map[string]webhook.Content
	if err := json.Unmarshal(catalogJSON, &events); err != nil {
		panic(err) // a test reads it
	}
	return events
})

// Known returns the content of one of SuperOffice's events, and false if the catalog
// has no event of this name. Names are case-insensitive.
func Known(name string) (*webhook.Content, bool) {
	content, known := catalog()[strings.ToLower(name)]
	if !known {
		return nil, false
	}
	entity := webhook.Event{Name: name}.Entity()
	content.Entity = &entity
	return &content, true
}

// Names returns the names of SuperOffice's events, in order.
func Names() []string { return slices.Sorted(maps.Keys(catalog())) }

// Like returns an event with the names that a caller sees of another one, and empty
// values of the same types. Values that the caller does not see are null.
func Like(e webhook.Event, seen webhook.Carried) webhook.Event {
	like := webhook.Event{Name: e.Name}
	if e.Content == nil {
		switch {
		case seen.FieldValues != nil:
			like.Data = emptied(seen.FieldValues)
		case seen.Values != nil:
			like.Data = emptied(seen.Values)
		default:
			like.Data = nulls(seen.Changes)
		}
		return like
	}
	like.Content = &webhook.Content{
		Entity: e.Content.Entity, Changes: seen.Changes,
		FieldValues: emptied(seen.FieldValues), Values: emptied(seen.Values), Previous: emptied(seen.Previous),
	}
	return like
}

// emptied returns a JSON value with the same names and with empty values: "", 0,
// false, [] and null. nil stays nil.
func emptied(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return nil
	}
	switch value[0] {
	case '{':
		members, err := jsonscan.Members(value)
		if err != nil { // stored events are valid
			return json.RawMessage("{}")
		}
		return object(members, func(m jsonscan.Member) json.RawMessage { return emptied(m.Value) })
	case '[':
		return json.RawMessage("[]")
	case '"':
		return json.RawMessage(`""`)
	case 't', 'f':
		return json.RawMessage("false")
	case 'n':
		return json.RawMessage("null")
	}
	return json.RawMessage("0")
}

// nulls returns an object with these names, nil without names.
func nulls(names []string) json.RawMessage {
	if len(names) == 0 {
		return nil
	}
	members := make([]jsonscan.Member, len(names))
	for i, name := range names {
		members[i].Name = name
	}
	return object(members, func(jsonscan.Member) json.RawMessage { return json.RawMessage("null") })
}

func object(members []jsonscan.Member, value func(jsonscan.Member) json.RawMessage) json.RawMessage {
	out := json.RawMessage{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil { // strings always marshal
			panic(err)
		}
		out = append(append(append(out, name...), ':'), value(m)...)
	}
	return append(out, '}')
}
