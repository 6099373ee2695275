package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// EventSchema is the version of the stored form of events. It increases when a
// member is added that an older version would omit from a body. Events stored
// without a version count as version 1.
const EventSchema = 1

// ErrNewer reports that a stored event has a higher version than [EventSchema]. A
// later version of the service can read it, so the event is retried later: never
// sent, never dropped.
var ErrNewer = errors.New("stored by a newer version of the service")

// CheckSchema returns an error that wraps ErrNewer if this version of the service
// cannot read an event of the given version. 0 is an event stored without a version.
func CheckSchema(version int) error {
	if version > EventSchema {
		return fmt.Errorf("event of schema version %d: %w", version, ErrNewer)
	}
	return nil
}

// Content is the content of an event that is not a plain signal: the members of
// SuperOffice's body as the source set them. Absent and empty are different: nil
// means absent, and a body in SuperOffice's format omits absent members.
type Content struct {
	// Entity is the entity that the event happened to.
	Entity *string `json:",omitzero"`
	// Changes are the names of the changed members, in the source's order.
	Changes []string `json:",omitzero"`
	// FieldValues, Values and Previous are compact JSON objects: current values,
	// values of a deleted record, and values from before the change.
	FieldValues json.RawMessage `json:",omitzero"`
	Values      json.RawMessage `json:",omitzero"`
	Previous    json.RawMessage `json:",omitzero"`
	// Context is the ContextIdentifier of the body. Empty: the event's tenant.
	Context string `json:",omitzero"`
	// Source names the source ("/in/crm", an EventBridge source), SourceEvent is the
	// event's id there, and Sequence its position in the source's own order.
	Source      string `json:",omitzero"`
	SourceEvent string `json:",omitzero"`
	Sequence    string `json:",omitzero"`
	// Truncated reports that values were dropped because the event was too large.
	Truncated bool `json:",omitzero"`
}

// EncodeContent returns the stored form of a Content: one JSON object, with the
// raw members byte for byte.
func EncodeContent(c *Content) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // it would rewrite the raw members too
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("encode content: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeContent decodes what EncodeContent returned; nil for no bytes.
func DecodeContent(stored []byte) (*Content, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	c := new(Content)
	if err := json.Unmarshal(stored, c); err != nil {
		return nil, fmt.Errorf("decode content: %w", err)
	}
	return c, nil
}

// Size returns the size of the members to which the limit of 256 KiB applies, in
// bytes of JSON: Changes, FieldValues, Values and Previous.
func (c *Content) Size() int {
	n := len(c.FieldValues) + len(c.Values) + len(c.Previous)
	if len(c.Changes) > 0 {
		text, err := json.Marshal(c.Changes)
		if err != nil { // strings always marshal
			panic(err)
		}
		n += len(text)
	}
	return n
}

// fit drops members until the content is within its limit: first Previous, then the
// values, then the names. It reports whether it dropped any. It is for sources whose
// events cannot be refused.
func (c *Content) fit() bool {
	if c.Size() <= maxEventDataBytes {
		return false
	}
	c.Truncated = true
	c.Previous = nil
	if c.Size() > maxEventDataBytes {
		c.FieldValues, c.Values = nil, nil
	}
	if c.Size() > maxEventDataBytes {
		c.Changes = nil
	}
	return true
}
