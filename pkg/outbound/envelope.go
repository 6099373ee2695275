package outbound

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// timestampLayout omits trailing zeros of the fraction.
const timestampLayout = "2006-01-02T15:04:05.9999999Z"

// appendEnvelope appends the body of a post: SuperOffice's keys in
// SuperOffice's order, the event's data byte for byte, and the webhook's
// Properties last. It does not use encoding/json, which would reformat data and
// numbers.
func appendEnvelope(b []byte, post webhook.Post, namesOnly bool) ([]byte, error) {
	e := post.Event
	if e.Content != nil {
		return appendContentEnvelope(b, post, namesOnly)
	}
	_, state := webhook.IsStateEvent(e.Name)
	deleted := e.Deletes()

	b = appendString(append(b, `{"EventId":`...), string(e.ID))
	b = e.At.UTC().AppendFormat(append(b, `,"Timestamp":"`...), timestampLayout)
	b = append(b, `","Changes":[`...)
	if !deleted {
		var err error
		if b, err = appendNames(b, e.Data); err != nil {
			return nil, err
		}
	}
	b = appendString(append(b, `],"Event":`...), typeOf(e))
	b = strconv.AppendInt(append(b, `,"PrimaryKey":`...), int64(e.PrimaryKey), 10)
	if !state {
		b = appendString(append(b, `,"Entity":`...), e.Entity())
	}
	b = appendString(append(b, `,"ContextIdentifier":`...), string(e.Tenant))
	b = strconv.AppendInt(append(b, `,"ChangedByAssociateId":`...), int64(e.ChangedBy), 10)
	b = appendString(append(b, `,"WebhookName":`...), post.Webhook.Name)
	if deleted {
		b = appendObject(append(b, `,"Values":`...), e.Data)
		e.Data = nil
	}
	if !namesOnly {
		b = appendObject(append(b, `,"FieldValues":`...), e.Data)
	}
	b, err := appendProperties(b, post)
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// appendProperties appends the members of the webhook's Properties to an open,
// non-empty object, except those that the body has itself.
func appendProperties(b []byte, post webhook.Post) ([]byte, error) {
	members, err := jsonscan.Members(post.Webhook.Properties)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if !post.Event.HasMember(post.Webhook.Options.Format, m.Name) {
			b = append(appendString(append(b, ','), m.Name), ':')
			b = append(b, m.Value...)
		}
	}
	return b, nil
}

func appendObject(b []byte, data json.RawMessage) []byte {
	if len(data) == 0 {
		return append(b, "{}"...)
	}
	return append(b, data...)
}

// appendNames appends the keys of the data, sorted.
func appendNames(b []byte, data json.RawMessage) ([]byte, error) {
	members, err := jsonscan.Members(data)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b jsonscan.Member) int { return strings.Compare(a.Name, b.Name) })
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, m.Name)
	}
	return b, nil
}

// appendString appends a JSON string and escapes only what JSON requires.
// Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ':
			b = append(b, `\u00`...)
			b = append(b, hexDigits[r>>4], hexDigits[r&0xf])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
