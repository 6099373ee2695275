package ledger

import (
	"encoding/json"
	"slices"
	"strings"
)

// Choice is which of the events that fit its patterns a webhook asks for.
type Choice struct {
	// Filter is an event pattern, or empty.
	Filter string
	// Only and Ignore name members, in lower case.
	Only, Ignore []string
	// Skip are associates whose events it does not ask for.
	Skip []int32
}

// Asks reports whether the webhook asks for the event. It knows the operators that
// filters of the simulation have, none of which looks into arrays of objects.
func (c Choice) Asks(e Event) bool {
	said := saying(e)
	changes, _ := said["Changes"].([]any)
	counts := func(change any) bool {
		name, _ := change.(string)
		name = strings.ToLower(name)
		return (len(c.Only) == 0 || slices.Contains(c.Only, name)) && !slices.Contains(c.Ignore, name)
	}
	if e.By != 0 && slices.Contains(c.Skip, e.By) || len(changes) > 0 && !slices.ContainsFunc(changes, counts) {
		return false
	}
	var pattern map[string]any
	return c.Filter == "" || json.Unmarshal([]byte(c.Filter), &pattern) == nil && meets(pattern, said)
}

// saying returns the members of an event that filters look at.
func saying(e Event) map[string]any {
	said := map[string]any{"Event": strings.ToLower(e.Name), "PrimaryKey": float64(e.Key), "ChangedByAssociateId": float64(e.By)}
	object := func(name, text string) {
		var members map[string]any
		if text != "" && json.Unmarshal([]byte(text), &members) == nil {
			said[name] = members
		}
	}
	if c := e.Content; c != nil {
		object("FieldValues", c.FieldValues)
		object("Values", c.Values)
		var changes []any
		for _, name := range c.Changes {
			changes = append(changes, name)
		}
		said["Changes"] = changes
		return said
	}
	data := e.Data
	if e.About != nil {
		data = change(*e.About)
	}
	if e.About == nil && strings.HasSuffix("."+e.Name, ".deleted") {
		object("Values", data)
		return said
	}
	object("FieldValues", data)
	var changes []any
	_ = json.Unmarshal([]byte(names(data)), &changes)
	said["Changes"] = changes
	return said
}

// meets reports whether an object meets a pattern.
func meets(pattern, object map[string]any) bool {
	for name, want := range pattern {
		switch want := want.(type) {
		case map[string]any:
			inner, _ := object[name].(map[string]any)
			if !meets(want, inner) {
				return false
			}
		case []any:
			one := func(term any) bool { return holds(term, values(object[name])) }
			if name == "$or" {
				one = func(alternative any) bool {
					inner, _ := alternative.(map[string]any)
					return meets(inner, object)
				}
			}
			if !slices.ContainsFunc(want, one) {
				return false
			}
		}
	}
	return true
}

// values returns the values at a place: none for what is absent or an object.
func values(v any) []any {
	switch v := v.(type) {
	case nil, map[string]any:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// holds reports whether a term holds for one of the values.
func holds(term any, of []any) bool {
	operator, ok := term.(map[string]any)
	if !ok {
		return slices.Contains(of, term)
	}
	for name, operand := range operator {
		switch name {
		case "exists":
			return operand == (len(of) > 0)
		case "prefix":
			return slices.ContainsFunc(of, func(v any) bool {
				text, ok := v.(string)
				return ok && strings.HasPrefix(text, operand.(string))
			})
		case "anything-but":
			return slices.ContainsFunc(of, func(v any) bool { return v != operand })
		case "numeric":
			bound := operand.([]any)
			return slices.ContainsFunc(of, func(v any) bool {
				n, ok := v.(float64)
				return ok && (bound[0] == "<" && n < bound[1].(float64) || bound[0] == ">=" && n >= bound[1].(float64))
			})
		}
	}
	return false
}
