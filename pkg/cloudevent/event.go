// Package cloudevent reads CloudEvents 1.0 whose data is JSON: from the JSON event
// format, which the structured and batch modes of HTTP carry ([ParseJSON]), and from
// the headers of its binary mode ([ParseHeaders]). The same event reads the same in
// every mode.
//
// Unknown attributes are extensions, which a reader must accept, so they are kept as
// they are. What breaks a rule of the specification is a [Fault], and a reader
// returns all of them.
//
// The package imports the standard library and jsonscan only. It refuses to know
// HTTP, media types of whole requests, and what an attribute means to Posthaste.
package cloudevent

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Event is a CloudEvent with JSON data or without data.
type Event struct {
	ID, Source, Type string
	// Subject is empty if the event has none.
	Subject string
	// Time is zero if the event has none.
	Time time.Time
	// Extensions are the attributes that the specification does not define, in
	// their string form: an integer or a boolean as it is written in JSON. nil: none.
	Extensions map[string]string
	// Data is one JSON value as it was written, which may be null. nil: no data.
	Data json.RawMessage
}

// Fault is a rule that an event breaks.
type Fault struct {
	// Attribute is what breaks it: an attribute, data_base64, or in headers
	// Content-Type. At most 100 characters.
	Attribute string
	// Rule is a clause without a subject: "is required". It never quotes a value.
	Rule string
	// Unsupported reports that the event is valid and its data is not JSON.
	Unsupported bool
}

// maxFaults is how many faults a reader returns.
const maxFaults = 100

// reader collects the attributes and the faults of one event.
type reader struct {
	Event
	faults []Fault
	// refused are the attributes that have a fault.
	refused map[string]bool
	// mediaType is that of Data, and statedBy is what states it.
	mediaType, statedBy string
	// stated are the attributes of the specification that the event has.
	stated map[string]string
}

func (r *reader) fault(attribute, rule string) {
	if len(r.faults) == maxFaults {
		return
	}
	if r.refused == nil {
		r.refused = map[string]bool{}
	}
	r.refused[attribute] = true
	r.faults = append(r.faults, Fault{Attribute: fmt.Sprintf("%.100s", attribute), Rule: rule})
}

// known are the attributes that the specification defines, but for data.
var known = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true, "datacontenttype": true, "dataschema": true,
}

// set adds an attribute that has a value.
func (r *reader) set(name, value string) {
	switch {
	case known[name]:
		if r.stated == nil {
			r.stated = map[string]string{}
		}
		r.stated[name] = value
	case !validName(name):
		r.fault(name, "is not an attribute name of CloudEvents: a-z and 0-9")
	default:
		if r.Extensions == nil {
			r.Extensions = map[string]string{}
		}
		r.Extensions[name] = value
	}
}

// validName reports whether an attribute may have the name: lower-case letters and
// digits.
func validName(name string) bool {
	return name != "" && name != "data" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// finish reads the attributes of the specification, in its order.
func (r *reader) finish() (Event, []Fault) {
	if version, stated := r.required("specversion"); stated && version != "1.0" {
		r.fault("specversion", "must be 1.0")
	}
	r.ID, _ = r.required("id")
	r.Source, _ = r.required("source")
	r.Type, _ = r.required("type")
	subject, stated := r.stated["subject"]
	if r.Subject = subject; stated && subject == "" {
		r.fault("subject", "must not be empty")
	}
	if text, stated := r.stated["time"]; stated {
		at, err := time.Parse(time.RFC3339, strings.ToUpper(text)) // RFC 3339 allows t and z
		if r.Time = at; err != nil || at.IsZero() {
			r.fault("time", "must be a time of RFC 3339, such as 2030-01-31T12:00:00Z")
		}
	}
	if r.Data != nil && !JSON(r.mediaType) {
		r.faults = append(r.faults, Fault{r.statedBy, "must be application/json: data of other types is not supported", true})
	}
	return r.Event, r.faults
}

// required returns an attribute that every event has.
func (r *reader) required(name string) (value string, stated bool) {
	value, stated = r.stated[name]
	switch {
	case !stated && !r.refused[name]:
		r.fault(name, "is required")
	case stated && value == "":
		r.fault(name, "must not be empty")
		stated = false
	}
	return value, stated
}

// JSON reports whether a media type, with or without parameters, declares JSON:
// its subtype is json or ends in +json.
func JSON(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	main, sub, found := strings.Cut(strings.ToLower(strings.TrimSpace(mediaType)), "/")
	return found && main != "" && (sub == "json" || len(sub) > len("+json") && strings.HasSuffix(sub, "+json"))
}
