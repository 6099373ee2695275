package cloudevent

import (
	"encoding/json"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// ParseJSON reads an event in the JSON event format. raw must be an object that
// jsonscan.CheckObject accepts; the event's Data shares its memory. Of members with
// the same name the last counts. It returns all faults, or none.
func ParseJSON(raw json.RawMessage) (Event, []Fault) {
	members, err := jsonscan.Members(raw)
	if err != nil {
		return Event{}, []Fault{{Attribute: "the event", Rule: err.Error()}}
	}
	r := reader{mediaType: "application/json", statedBy: "datacontenttype"} // unless the event says otherwise
	encoded := false
	for _, m := range members {
		null := string(m.Value) == "null"
		switch {
		case m.Name == "data":
			r.Data = m.Value // null is data too
		case null: // an unset attribute
		case m.Name == "data_base64":
			encoded = true
		default:
			r.member(m.Name, m.Value)
		}
	}
	if stated, ok := r.stated["datacontenttype"]; ok {
		r.mediaType = stated
	}
	e, faults := r.finish()
	if encoded {
		faults = append(faults, Fault{"data_base64", "is not supported: data must be JSON", true})
	}
	return e, faults
}

// member adds an attribute with its JSON value.
func (r *reader) member(name string, raw json.RawMessage) {
	switch first := raw[0]; {
	case first == '"':
		var text string
		_ = json.Unmarshal(raw, &text) // it is a valid string
		r.set(name, text)
	case known[name]:
		r.fault(name, "must be a string")
	case first == '{', first == '[':
		r.fault(name, "must be a string, an integer or a boolean, as every attribute; members of the event's own are in data")
	case first != 't' && first != 'f' && strings.Trim(string(raw), "-0123456789") != "":
		r.fault(name, "must be an integer")
	default:
		r.set(name, string(raw))
	}
}
