package outbound

import (
	"encoding/json"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// This file has the bodies of events with a Content, which says member by member
// what a body has; an absent one is left out. Bodies of plain signals derive
// their members from the data instead.

// appendContentEnvelope appends SuperOffice's body. Its members and their order
// are those of a plain signal's, and Previous comes last if the webhook asks for
// it.
func appendContentEnvelope(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	e, c := post.Event, post.Event.Content
	b = appendString(append(b, `{"EventId":`...), e.PublicID())
	b = e.At.UTC().AppendFormat(append(b, `,"Timestamp":"`...), timestampLayout)
	b = append(b, '"')
	if c.Changes != nil {
		b = appendStrings(append(b, `,"Changes":`...), c.Changes)
	}
	b = appendString(append(b, `,"Event":`...), typeOf(e))
	b = strconv.AppendInt(append(b, `,"PrimaryKey":`...), int64(e.PrimaryKey), 10)
	if c.Entity != nil {
		b = appendString(append(b, `,"Entity":`...), *c.Entity)
	}
	b = appendString(append(b, `,"ContextIdentifier":`...), contextOf(e))
	b = strconv.AppendInt(append(b, `,"ChangedByAssociateId":`...), int64(e.ChangedBy), 10)
	b = appendString(append(b, `,"WebhookName":`...), post.Webhook.Name)
	b = appendMember(b, `,"Values":`, c.Values)
	if !namesOnly {
		b = appendMember(b, `,"FieldValues":`, c.FieldValues)
		b = appendPrevious(b, `,"Previous":`, post)
	}
	b, err := appendProperties(b, post)
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// contextOf returns the ContextIdentifier of a body.
func contextOf(e webhook.Event) string {
	if e.Content.Context != "" {
		return e.Content.Context
	}
	return string(e.Tenant)
}

// appendStandardMembers appends the members of an event that plain signals do
// not have, each unless absent.
func appendStandardMembers(b []byte, post webhook.Post, namesOnly bool) []byte {
	e, c := post.Event, post.Event.Content
	if e.Key != "" {
		b = appendString(append(b, `,"key":`...), e.Key)
	}
	if c.Entity != nil {
		b = appendString(append(b, `,"entity":`...), *c.Entity)
	}
	if c.Changes != nil {
		b = appendStrings(append(b, `,"changes":`...), c.Changes)
	}
	b = appendMember(b, `,"values":`, c.Values)
	if !namesOnly {
		b = appendPrevious(b, `,"previous":`, post)
	}
	for _, m := range [...]struct{ name, value string }{
		{"context", c.Context}, {"source", c.Source}, {"sourceEvent", c.SourceEvent}, {"sequence", c.Sequence},
	} {
		if m.value != "" {
			b = append(appendString(append(b, ','), m.name), ':')
			b = appendString(b, m.value)
		}
	}
	if c.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	return b
}

// appendExtensions appends CloudEvents extension attributes: the scalar members
// of an event that plain signals do not have, each unless absent, and others as
// strings of JSON if the webhook asks for them, since an attribute cannot be an
// object. The event's Source is eventsource: "source" is the producer, Posthaste.
func appendExtensions(b []byte, post webhook.Post, namesOnly bool) []byte {
	c := post.Event.Content
	if c.Entity != nil {
		b = appendString(append(b, `,"entity":`...), *c.Entity)
	}
	for _, m := range [...]struct{ name, value string }{
		{"context", c.Context}, {"eventsource", c.Source}, {"sourceevent", c.SourceEvent}, {"sequence", c.Sequence},
	} {
		if m.value != "" {
			b = append(appendString(append(b, ','), m.name), ':')
			b = appendString(b, m.value)
		}
	}
	if c.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	options := post.Webhook.Options
	if c.Changes != nil && options.Includes(webhook.IncludeChanges) {
		b = appendString(append(b, `,"changes":`...), string(appendStrings(nil, c.Changes)))
	}
	if c.Values != nil && options.Includes(webhook.IncludeValues) {
		b = appendString(append(b, `,"values":`...), string(c.Values))
	}
	if c.Previous != nil && options.Includes(webhook.IncludePrevious) && !namesOnly {
		b = appendString(append(b, `,"previous":`...), string(c.Previous))
	}
	return b
}

// appendContentData appends the event's data: the current values, or those of a
// deleted record. With namesOnly it appends the names alone, except for
// deletions: there the values are all that is left.
func appendContentData(b []byte, e webhook.Event, namesOnly bool) []byte {
	c := e.Content
	switch {
	case e.Deletes() && c.Values != nil:
		return append(b, c.Values...)
	case namesOnly:
		return append(appendStrings(append(b, `{"Changes":`...), c.Changes), '}')
	case c.FieldValues != nil:
		return append(b, c.FieldValues...)
	default:
		return appendObject(b, c.Values)
	}
}

// appendMember appends a raw member unless it is absent.
func appendMember(b []byte, name string, value json.RawMessage) []byte {
	if value == nil {
		return b
	}
	return append(append(b, name...), value...)
}

func appendPrevious(b []byte, name string, post webhook.Post) []byte {
	if !post.Webhook.Options.Includes(webhook.IncludePrevious) {
		return b
	}
	return appendMember(b, name, post.Event.Content.Previous)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}
