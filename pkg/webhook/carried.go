package webhook

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Carried holds the names and values of an event's record that a caller may see. nil
// means absent.
type Carried struct {
	Changes                       []string
	FieldValues, Values, Previous json.RawMessage
}

// Carried returns all names and values of the event. namesOnly is the setting
// EVENT_DATA=names, which hides values except those of a deleted record, which are all
// that is left of it.
func (e Event) Carried(namesOnly bool) Carried {
	var all Carried
	switch c := e.Content; {
	case c != nil:
		all = Carried{Changes: c.Changes, FieldValues: c.FieldValues, Values: c.Values, Previous: c.Previous}
	case e.Deletes():
		all.Values = e.Data
	default:
		all.Changes, all.FieldValues = sortedNames(e.Data), e.Data
	}
	if namesOnly {
		all.FieldValues, all.Previous = nil, nil
	}
	return all
}

// Carries returns the names and values that the body of a delivery of the event to the
// webhook has, in the members that Event.Carried has them in. A template may have all
// that Fields lists, Previous included.
func (w Webhook) Carries(e Event, namesOnly bool) Carried {
	e = e.Only(w.Options.Fields)
	all := e.Carried(namesOnly)
	if len(w.Options.Template) > 0 {
		return all
	}
	if !w.Options.Includes(IncludePrevious) {
		all.Previous = nil
	}
	data := e.carriedData(all, namesOnly)
	switch w.Options.Format.orDefault() {
	case FormatStandard:
		if e.Content == nil {
			return data
		}
		data.Changes, data.Values, data.Previous = all.Changes, all.Values, all.Previous
	case FormatCloudEvents:
		if e.Content == nil {
			return data
		}
		if w.Options.Includes(IncludeChanges) {
			data.Changes = all.Changes
		}
		if w.Options.Includes(IncludeValues) {
			data.Values = all.Values
		}
		data.Previous = all.Previous
	case FormatData:
	default:
		return all
	}
	return data
}

// carriedData returns what the data of a body has: the current values, those of a
// deleted record, or the names alone.
func (e Event) carriedData(all Carried, namesOnly bool) Carried {
	switch {
	case e.Deletes() && all.Values != nil:
		return Carried{Values: all.Values}
	case namesOnly:
		return Carried{Changes: all.Changes}
	case all.FieldValues != nil:
		return Carried{FieldValues: all.FieldValues}
	}
	return Carried{Values: all.Values}
}

// Join returns what either of the two has, of one event.
func (c Carried) Join(other Carried) Carried {
	if c.Changes == nil {
		c.Changes = other.Changes
	}
	for _, m := range []struct{ to, from *json.RawMessage }{
		{&c.FieldValues, &other.FieldValues}, {&c.Values, &other.Values}, {&c.Previous, &other.Previous},
	} {
		if *m.to == nil {
			*m.to = *m.from
		}
	}
	return c
}

// sortedNames returns the names of the data of a plain signal, nil if it has none.
func sortedNames(data json.RawMessage) []string {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	members, err := jsonscan.Members(data)
	if err != nil { // checked on acceptance
		return nil
	}
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	slices.Sort(names)
	return names
}
