package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Content is what an event from outside says besides its name, as its record says
// it. Empty members are absent.
type Content struct {
	Entity, Key                   string
	Changes                       []string
	FieldValues, Values           string // one JSON object each
	Context                       string // the sender's; empty: the tenant
	Source, SourceEvent, Sequence string
	At                            time.Time // when it happened there
}

// contentBody returns the body of an event with a Content in a webhook's format,
// byte for byte. Previous values are in none: no webhook of the simulation asks for
// them.
func contentBody(v Version, e Event) string {
	c := *e.Content
	c.FieldValues, c.Values = v.only(c.FieldValues), v.only(c.Values)
	c.Changes = slices.DeleteFunc(slices.Clone(c.Changes), func(name string) bool { return !v.has(name) })
	at := quote(c.At.UTC().Format("2006-01-02T15:04:05.9999999Z"))
	deleted := strings.HasSuffix("."+e.Name, ".deleted")
	data := c.FieldValues
	if deleted && c.Values != "" {
		data = c.Values
	}
	names := make([]string, len(c.Changes))
	for i, name := range c.Changes {
		names[i] = quote(name)
	}
	changes := "[" + strings.Join(names, ",") + "]"
	members := func(list ...Header) string {
		var b strings.Builder
		for _, m := range list {
			if m.Value != "" {
				fmt.Fprintf(&b, ",%s:%s", quote(m.Name), quote(m.Value))
			}
		}
		return b.String()
	}
	values := ""
	switch v.Format {
	case "data":
		return data
	case "standard":
		if c.Values != "" {
			values = `,"values":` + c.Values
		}
		return with(fmt.Sprintf(`{"type":%s,"timestamp":%s,"data":%s,"primaryKey":%d,"tenant":%s%s,"changes":%s%s%s`,
			quote(e.Name), at, data, e.Key, quote(e.Tenant), members(Header{"key", c.Key}, Header{"entity", c.Entity}), changes, values,
			members(Header{"context", c.Context}, Header{"source", c.Source}, Header{"sourceEvent", c.SourceEvent}, Header{"sequence", c.Sequence})),
			v.Properties, "type", "timestamp", "data", "primaryKey", "tenant")
	case "cloudevents":
		subject := c.Key
		if subject == "" {
			subject = fmt.Sprint(e.Key)
		}
		return fmt.Sprintf(`{"specversion":"1.0","id":%s,"source":%s,"type":%s,"subject":%s,"time":%s%s,"datacontenttype":"application/json","data":%s}`,
			quote(e.ID), quote("/posthaste/"+e.Tenant), quote(e.Name), quote(subject), at,
			members(Header{"entity", c.Entity}, Header{"context", c.Context}, Header{"eventsource", c.Source}, Header{"sourceevent", c.SourceEvent}, Header{"sequence", c.Sequence}), data)
	}
	if c.Values != "" {
		values = `,"Values":` + c.Values
	}
	return with(fmt.Sprintf(`{"EventId":%s,"Timestamp":%s,"Changes":%s,"Event":%s,"PrimaryKey":%d,"Entity":%s,"ContextIdentifier":%s,"ChangedByAssociateId":%d,"WebhookName":%s%s,"FieldValues":%s`,
		quote(e.ID), at, changes, quote(e.Name), e.Key, quote(c.Entity), quote(cmp.Or(c.Context, e.Tenant)), e.By, quote(v.Name), values, c.FieldValues),
		v.Properties, "EventId", "Timestamp", "Changes", "Event", "PrimaryKey", "Entity",
		"ContextIdentifier", "ChangedByAssociateId", "WebhookName", "Values", "FieldValues")
}
