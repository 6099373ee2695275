package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// body returns the body of an event in a webhook's format, byte for byte.
func body(v Version, e Event, timestamp string) string {
	if v.Template != "" {
		return templated(v, e, timestamp)
	}
	if e.Content != nil {
		return contentBody(v, e)
	}
	data := e.Data
	if e.About != nil {
		data = change(*e.About)
	}
	if data == "" {
		data = "{}"
	}
	data = v.only(data)
	kind, state := e.Name, false
	if what, ok := aboutWebhook(strings.ToLower(e.Name)); ok {
		kind, state = "webhook."+what, true
	}
	switch v.Format {
	case "data":
		return data
	case "standard":
		return with(fmt.Sprintf(`{"type":%s,"timestamp":%s,"data":%s,"primaryKey":%d,"tenant":%s`,
			quote(kind), quote(timestamp), data, e.Key, quote(e.Tenant)), v.Properties, "type", "timestamp", "data", "primaryKey", "tenant")
	case "cloudevents":
		return fmt.Sprintf(`{"specversion":"1.0","id":%s,"source":%s,"type":%s,"subject":"%d","time":%s,"datacontenttype":"application/json","data":%s}`,
			quote(e.ID), quote("/posthaste/"+e.Tenant), quote(kind), e.Key, quote(timestamp), data)
	}
	var b strings.Builder
	deleted := !state && strings.HasSuffix("."+e.Name, ".deleted")
	changes := names(data)
	if deleted {
		changes = "[]"
	}
	fmt.Fprintf(&b, `{"EventId":%s,"Timestamp":%s,"Changes":%s,"Event":%s,"PrimaryKey":%d`, quote(e.ID), quote(timestamp), changes, quote(kind), e.Key)
	if !state {
		entity := e.Name
		if dot := strings.LastIndexByte(e.Name, '.'); dot >= 0 {
			entity = e.Name[:dot]
		}
		fmt.Fprintf(&b, `,"Entity":%s`, quote(entity))
	}
	fmt.Fprintf(&b, `,"ContextIdentifier":%s,"ChangedByAssociateId":%d,"WebhookName":%s`, quote(e.Tenant), e.By, quote(v.Name))
	if deleted {
		fmt.Fprintf(&b, `,"Values":%s`, data)
		data = "{}"
	}
	fmt.Fprintf(&b, `,"FieldValues":%s`, data)
	return with(b.String(), v.Properties, "EventId", "Timestamp", "Changes", "Event", "PrimaryKey", "Entity",
		"ContextIdentifier", "ChangedByAssociateId", "WebhookName", "Values", "FieldValues")
}

// change returns the data of an event about a webhook.
func change(w Webhook) string {
	const layout = "2006-01-02T15:04:05Z"
	return fmt.Sprintf(`{"events":%s,"registered":%s,"registered_associate_id":%d,"state":%d,"updated":%s,"updated_associate_id":%d}`,
		quote(strings.Join(w.Patterns, ",")), quote(w.Registered.UTC().Format(layout)), w.By, w.State, quote(w.Updated.UTC().Format(layout)), w.UpdatedBy)
}

// with adds a webhook's properties, except those with names that are taken, to an
// open object and closes it.
func with(open, properties string, taken ...string) string {
	if properties != "" {
		members := json.NewDecoder(strings.NewReader(properties))
		_, _ = members.Token()
		for members.More() {
			name, _ := members.Token()
			var value json.RawMessage
			_ = members.Decode(&value)
			if text, _ := name.(string); !slices.Contains(taken, text) {
				open += "," + quote(text) + ":" + string(value)
			}
		}
	}
	return open + "}"
}

// has reports whether bodies have a member of the data.
func (w Webhook) has(name string) bool {
	return len(w.Fields) == 0 || slices.Contains(w.Fields, strings.ToLower(name))
}

// only returns an object with the members that bodies have, as they are written.
func (w Webhook) only(object string) string {
	if object == "" || len(w.Fields) == 0 {
		return object
	}
	var kept []string
	members := json.NewDecoder(strings.NewReader(object))
	_, _ = members.Token()
	for members.More() {
		name, _ := members.Token()
		var value json.RawMessage
		_ = members.Decode(&value)
		if text, _ := name.(string); w.has(text) {
			kept = append(kept, quote(text)+":"+string(value))
		}
	}
	return "{" + strings.Join(kept, ",") + "}"
}

// names returns the sorted names of an object's members, as JSON.
func names(object string) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(object), &members)
	list := make([]string, 0, len(members))
	for name := range members {
		list = append(list, name)
	}
	slices.Sort(list)
	for i, name := range list {
		list[i] = quote(name)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func quote(text string) string {
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	_ = out.Encode(text)
	return strings.TrimSuffix(b.String(), "\n")
}
