package webhook

import (
	"encoding/json"
	"strings"
)

// Draft is a webhook as a client wants it: the writable members of the entity. A
// save replaces them all, except those that the draft leaves out.
type Draft struct {
	Name   string
	Events []string
	// TargetURL is stored without the white space around it.
	TargetURL string
	// Secret: nil or the mask keeps the stored secret, "" removes it, any other
	// value replaces it.
	Secret *Secret
	// State: StateUnknown keeps the stored state, and means Active on create.
	State State
	// Type: "" means "webhook".
	Type string
	// Headers: the mask as a value keeps the value stored under that name.
	Headers    []DraftHeader
	Properties json.RawMessage // one JSON object, or empty

	ErrorsEmail     string
	ErrorEmails     []string
	ErrorAssociates json.RawMessage // a JSON array, or empty
	Description     string
	NotifyVia       int32
	NotifyWhen      int32
}

// DraftHeader is a header as the client sent it. The value is a Secret because it
// is not known yet whether it is one.
type DraftHeader struct {
	Name  string
	Value Secret
}

// webhook applies the draft to a stored or new webhook. It keeps every member that
// clients cannot set.
func (d Draft) webhook(w Webhook) Webhook {
	w.Name, w.TargetURL, w.Description, w.ErrorsEmail = d.Name, strings.TrimSpace(d.TargetURL), d.Description, d.ErrorsEmail
	w.Events = distinctEvents(d.Events)
	if d.State != StateUnknown {
		w.State = d.State
	}
	if w.Type = d.Type; w.Type == "" {
		w.Type = typeWebhook
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

// Tried returns the draft for a test that saves nothing: it need not name an
// event.
func (d Draft) Tried() Draft {
	if len(d.Events) == 0 {
		d.Events = []string{TestEventName}
	}
	return d
}

// Preview returns the webhook that a save would make of a stored one, or of the zero
// Webhook, without the parts that only a save decides: times, revision and secrets. Of
// the draft, only the patterns are checked.
func (d Draft) Preview(stored Webhook) (Webhook, error) {
	var f Faults
	f.events(d.Events)
	w := d.webhook(stored)
	if w.State == StateUnknown {
		w.State = StateActive
	}
	return w, f.Err()
}

// distinctEvents returns the patterns without those that differ from an earlier one
// at most in case: they are the same subscription.
func distinctEvents(patterns []string) (distinct []string) {
	seen := map[string]bool{}
	for _, p := range patterns {
		if key := foldEventName(p); !seen[key] {
			seen[key] = true
			distinct = append(distinct, p)
		}
	}
	return distinct
}
