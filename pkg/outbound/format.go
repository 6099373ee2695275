package outbound

import (
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// appendBody writes the body of a post in the webhook's format.
func appendBody(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	if post.Test {
		post.Event.Name, post.Event.PrimaryKey, post.Event.Data = webhook.TestEventName, 0, nil
	}
	switch post.Webhook.Options.Format {
	case webhook.FormatSuperOffice:
	case webhook.FormatStandard:
		return appendStandard(b, post, namesOnly)
	case webhook.FormatCloudEvents:
		return appendCloudEvent(b, post, namesOnly)
	case webhook.FormatData:
		return appendData(b, post.Event, namesOnly)
	}
	return appendEnvelope(b, post, namesOnly)
}

// contentType is the media type of a format's bodies.
func contentType(f webhook.Format) string {
	if f == webhook.FormatCloudEvents {
		return "application/cloudevents+json; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// appendStandard writes the three members that Standard Webhooks advises; what
// is neither of them, and what Properties add, follows. Properties never
// replace one.
func appendStandard(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	e := post.Event
	b = appendString(append(b, `{"type":`...), typeOf(e))
	b = e.At.UTC().AppendFormat(append(b, `,"timestamp":"`...), timestampLayout)
	b, err := appendData(append(b, `","data":`...), e, namesOnly)
	if err != nil {
		return nil, err
	}
	b = strconv.AppendInt(append(b, `,"primaryKey":`...), int64(e.PrimaryKey), 10)
	b = appendString(append(b, `,"tenant":`...), string(e.Tenant))
	if b, err = appendProperties(b, post.Webhook.Properties, standardMembers); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

var standardMembers = map[string]bool{"type": true, "timestamp": true, "data": true, "primaryKey": true, "tenant": true}

// appendCloudEvent writes an event of CloudEvents 1.0 in its structured JSON.
// An attribute must be a word and hold no object, so Properties have no place
// here.
func appendCloudEvent(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	e := post.Event
	b = appendString(append(b, `{"specversion":"1.0","id":`...), string(e.ID))
	b = appendString(append(b, `,"source":`...), "/posthaste/"+string(e.Tenant))
	b = appendString(append(b, `,"type":`...), typeOf(e))
	b = appendString(append(b, `,"subject":`...), strconv.FormatInt(int64(e.PrimaryKey), 10))
	b = e.At.UTC().AppendFormat(append(b, `,"time":"`...), timestampLayout)
	b, err := appendData(append(b, `","datacontenttype":"application/json","data":`...), e, namesOnly)
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// typeOf is an event's name as a body has it.
func typeOf(e webhook.Event) string {
	if name, state := webhook.IsStateEvent(e.Name); state {
		return name
	}
	return e.Name
}

// appendData writes the event's data as it came. Where values may not go out
// it is the list of their names, as SuperOffice's Changes; of a deleted thing
// they do, as there is nothing else left of it.
func appendData(b []byte, e webhook.Event, namesOnly bool) ([]byte, error) {
	if !namesOnly || deletes(e) {
		return appendObject(b, e.Data), nil
	}
	b, err := appendNames(append(b, `{"Changes":[`...), e.Data)
	if err != nil {
		return nil, err
	}
	return append(b, "]}"...), nil
}
