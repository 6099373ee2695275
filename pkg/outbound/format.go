package outbound

import (
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// appendBody appends the body of a post in the webhook's format.
func appendBody(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
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

// contentType returns the media type of a format's bodies.
func contentType(f webhook.Format) string {
	if f == webhook.FormatCloudEvents {
		return "application/cloudevents+json; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// appendStandard appends the three members that Standard Webhooks recommends,
// then our own, then the webhook's Properties, which never replace any of
// these.
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
	if e.Content != nil {
		b = appendStandardMembers(b, post, namesOnly)
	}
	if b, err = appendProperties(b, post); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// appendCloudEvent appends an event in the structured JSON mode of CloudEvents
// 1.0. Properties are left out: a CloudEvents attribute cannot be an object.
func appendCloudEvent(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	e := post.Event
	b = appendString(append(b, `{"specversion":"1.0","id":`...), e.PublicID())
	b = appendString(append(b, `,"source":`...), "/posthaste/"+string(e.Tenant))
	b = appendString(append(b, `,"type":`...), typeOf(e))
	subject := e.Key
	if subject == "" {
		subject = strconv.FormatInt(int64(e.PrimaryKey), 10)
	}
	b = appendString(append(b, `,"subject":`...), subject)
	b = e.At.UTC().AppendFormat(append(b, `,"time":"`...), timestampLayout)
	b = append(b, '"')
	if e.Content != nil {
		b = appendExtensions(b, post, namesOnly)
	}
	b, err := appendData(append(b, `,"datacontenttype":"application/json","data":`...), e, namesOnly)
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// typeOf returns the event's name as it appears in a body.
func typeOf(e webhook.Event) string {
	if name, state := webhook.IsStateEvent(e.Name); state {
		return name
	}
	return e.Name
}

// appendData appends the event's data byte for byte. With namesOnly it appends
// only the names, as in SuperOffice's Changes, except for deletions: there the
// values are all that is left.
func appendData(b []byte, e webhook.Event, namesOnly bool) ([]byte, error) {
	if e.Content != nil {
		return appendContentData(b, e, namesOnly), nil
	}
	if !namesOnly || e.Deletes() {
		return appendObject(b, e.Data), nil
	}
	b, err := appendNames(append(b, `{"Changes":[`...), e.Data)
	if err != nil {
		return nil, err
	}
	return append(b, "]}"...), nil
}
