package template

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Append appends what the template makes of an event, which is JSON if the event's
// objects are. Its only error is ErrTooLarge. It allocates at most a few times MaxResult.
func (t *Template) Append(b []byte, e *Event) ([]byte, error) {
	values := t.values(e)
	size := 0
	for _, p := range t.pieces {
		size += max(len(p.literal), len(values[p.at]), len("null"))
	}
	out := result{b: slices.Grow(b, min(size, MaxResult)), limit: len(b) + MaxResult}
	for _, p := range t.pieces {
		switch value := values[p.at]; {
		case p.at == 0:
			out.add(p.literal)
		case p.within:
			out.addText(value)
		case value == nil:
			out.add([]byte("null"))
		default:
			out.add(value)
		}
		if out.full {
			return nil, ErrTooLarge
		}
	}
	return out.b, nil
}

// values returns the values of an event by nodes, nil for what is missing.
func (t *Template) values(e *Event) [][]byte {
	values := make([][]byte, len(t.nodes))
	for _, c := range t.nodes[0].children {
		values[c] = e.value(t.nodes[c].member)
		t.look(values, c)
	}
	return values
}

// value returns a member of the event as JSON, nil if it is missing.
func (e *Event) value(m member) []byte {
	switch m {
	case memberPrimaryKey:
		return strconv.AppendInt(nil, int64(e.PrimaryKey), 10)
	case memberChangedBy:
		return strconv.AppendInt(nil, int64(e.ChangedByAssociateId), 10)
	case memberChanges:
		return listed(e.Changes)
	case memberFieldValues:
		return present(e.FieldValues)
	case memberValues:
		return present(e.Values)
	case memberPrevious:
		return present(e.Previous)
	default:
	}
	text := [...]string{
		memberEventID: e.EventID, memberTimestamp: e.Timestamp, memberEvent: e.Event, memberEntity: e.Entity, memberKey: e.Key,
		memberContext: e.ContextIdentifier, memberWebhookName: e.WebhookName, memberSource: e.Source,
	}[m]
	if text == "" {
		return nil
	}
	return quoted(text)
}

// present returns a JSON value without the spaces around it, nil if there is none.
func present(raw json.RawMessage) []byte {
	if trimmed := bytes.Trim(raw, " \t\r\n"); len(trimmed) > 0 {
		return trimmed
	}
	return nil
}

// listed returns texts as a JSON array, nil for nil.
func listed(texts []string) []byte {
	if texts == nil {
		return nil
	}
	b := []byte{'['}
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quoted(text)...)
	}
	return append(b, ']')
}

// look looks for the members of a node's value that paths lead to. Of members with one
// name the last counts, as in most readers. A value is walked over once for each name
// of a path that leads into it.
func (t *Template) look(values [][]byte, at int32) {
	raw := values[at]
	if len(t.nodes[at].children) == 0 || len(raw) == 0 || raw[0] != '{' {
		return
	}
	for i := jsonscan.SkipSpace(raw, 1); i < len(raw) && raw[i] != '}'; i = jsonscan.SkipSpace(raw, i) {
		if raw[i] == ',' {
			i = jsonscan.SkipSpace(raw, i+1)
		}
		name := raw[i:jsonscan.SkipValue(raw, i)]
		start := jsonscan.SkipSpace(raw, jsonscan.SkipSpace(raw, i+len(name))+1) // past the colon
		if len(name) < 2 || start >= len(raw) {
			break // not JSON
		}
		i = jsonscan.SkipValue(raw, start)
		if k, found := t.find(at, nameOf(name)); found {
			values[t.nodes[at].children[k]] = raw[start:i:i]
		}
	}
	for _, c := range t.nodes[at].children {
		t.look(values, c)
	}
}

// nameOf returns the text of the name of a member.
func nameOf(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // of an accepted event
	return []byte(name)
}
