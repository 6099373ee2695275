package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// EventSchema is the version of the form in which events are stored. It rises
// when a member is added that an older version would leave out of a body.
// Events stored before there were versions count as version 1.
const EventSchema = 1

// ErrNewer says that a stored event has a higher version than [EventSchema].
// A later version of the service can read it, so it is tried again later, never
// sent and never given up on.
var ErrNewer = errors.New("stored by a newer version of the service")

// CheckSchema returns an error that wraps ErrNewer if this version of the
// service cannot read an event of the given version; 0 is an event from before
// there were versions.
func CheckSchema(version int) error {
	if version > EventSchema {
		return fmt.Errorf("event of schema version %d: %w", version, ErrNewer)
	}
	return nil
}

// Content is what an event says that is not a plain signal: the members of
// SuperOffice's body as its source stated them. Absent and empty are different:
// nil means absent, and a body in SuperOffice's format leaves an absent member
// out.
type Content struct {
	// Entity is what the event happened to.
	Entity *string `json:",omitzero"`
	// Changes names what changed, in the source's order.
	Changes []string `json:",omitzero"`
	// FieldValues, Values and Previous are compact JSON objects: current values,
	// values of a deleted record, and values from before the change.
	FieldValues json.RawMessage `json:",omitzero"`
	Values      json.RawMessage `json:",omitzero"`
	Previous    json.RawMessage `json:",omitzero"`
	// Context is the ContextIdentifier of the body. Empty: the event's tenant.
	Context string `json:",omitzero"`
	// Source names the way in ("/in/crm", an EventBridge source), SourceEvent is
	// the event's id there, and Sequence its place in the source's own order.
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

// DecodeContent returns the Content that EncodeContent stored; nil for no bytes.
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

// Size returns how many bytes of JSON the members take that the limit of 256 KiB
// is for: Changes, FieldValues, Values and Previous.
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

// fit drops what exceeds the limit of an event's content: first Previous, then
// the values, last the names; it reports whether it dropped anything. Ways in
// that cannot refuse an event use it.
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
