package webhook

import (
	"encoding/json"
	"strings"
)

// Draft is what a client wants a webhook to be: the writable members of the
// entity. A save replaces them all, but for those that are not stated.
type Draft struct {
	Name   string
	Events []string
	// TargetURL is stored without the white space around it.
	TargetURL string
	// Secret: nil or the mask keeps what is stored, "" removes it, another
	// value replaces it.
	Secret *Secret
	// State: StateUnknown keeps what is stored, and is Active on create.
	State State
	// Type: "" is "webhook".
	Type string
	// Headers: a value that is the mask keeps what is stored under the name.
	Headers    []DraftHeader
	Properties json.RawMessage // one JSON object, or empty

	ErrorsEmail     string
	ErrorEmails     []string
	ErrorAssociates json.RawMessage // a JSON array, or empty
	Description     string
	NotifyVia       int32
	NotifyWhen      int32
}

// DraftHeader is a header as a client states it. The value is held as a Secret
// since nobody knows yet whether it is one.
type DraftHeader struct {
	Name  string
	Value Secret
}

// webhook gives what the draft makes of a stored webhook, or of a new one.
// Everything that is not the client's to set stays.
func (d Draft) webhook(w Webhook) Webhook {
	w.Name, w.TargetURL, w.Description, w.ErrorsEmail = d.Name, strings.TrimSpace(d.TargetURL), d.Description, d.ErrorsEmail
	w.Events = append([]string(nil), d.Events...)
	if d.State != StateUnknown {
		w.State = d.State
	}
	if w.Type = d.Type; w.Type == "" {
		w.Type = TypeWebhook
	}
	w.Headers = nil
	if d.Headers != nil {
		w.Headers = make([]Header, 0, len(d.Headers))
	}
	for _, h := range d.Headers {
		if SecretHeader(h.Name) {
			w.Headers = append(w.Headers, Header{Name: h.Name, Secret: true})
		} else {
			w.Headers = append(w.Headers, Header{Name: h.Name, Value: h.Value.text})
		}
	}
	w.Properties = append(json.RawMessage(nil), d.Properties...)
	w.ErrorEmails = append([]string(nil), d.ErrorEmails...)
	w.ErrorAssociates = append(json.RawMessage(nil), d.ErrorAssociates...)
	w.NotifyVia, w.NotifyWhen = d.NotifyVia, d.NotifyWhen
	return w
}

// Tried gives the draft as one that is only tried out, and never saved: it need
// not name an event.
func (d Draft) Tried() Draft {
	if len(d.Events) == 0 {
		d.Events = []string{TestEventName}
	}
	return d
}
