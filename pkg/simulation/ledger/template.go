package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// templated returns the body that a webhook's template makes of an event: the document
// with each placeholder replaced in its text. Templates of the simulation name the
// members below, and are compact.
func templated(v Version, e Event, timestamp string) string {
	m := members(v, e, timestamp)
	replaced := []string{"{{{{", "{{"}
	for name, value := range m {
		replaced = append(replaced, `"{{`+name+`}}"`, cmp.Or(value, "null"))
	}
	for name, value := range m {
		replaced = append(replaced, `{{`+name+`}}`, within(value))
	}
	return strings.NewReplacer(replaced...).Replace(v.Template)
}

// dated returns the format that the body has its timestamp as in; data has none.
func (w Webhook) dated() string {
	switch {
	case w.Template == "":
		return w.Format
	case strings.Contains(w.Template, `"Timestamp":"{{Timestamp}}"`):
		return "superoffice"
	}
	return "data"
}

// members returns what templates of the simulation name of an event, as JSON, empty for
// what it does not have.
func members(v Version, e Event, timestamp string) map[string]string {
	said := func(text string) string {
		if text == "" {
			return ""
		}
		return quote(text)
	}
	m := map[string]string{
		"EventId": quote(e.ID), "Timestamp": quote(timestamp), "Event": quote(e.Name), "PrimaryKey": fmt.Sprint(e.Key), "ContextIdentifier": quote(e.Tenant),
		"ChangedByAssociateId": fmt.Sprint(e.By), "WebhookName": said(v.Name), "Key": "", "Source": "", "Entity": "", "Changes": "", "Values": "",
	}
	fields := ""
	if c := e.Content; c != nil {
		fields = v.only(c.FieldValues)
		changes := []string{}
		for _, name := range c.Changes {
			if v.has(name) {
				changes = append(changes, quote(name))
			}
		}
		m["Timestamp"], m["Entity"], m["Key"], m["Source"] = quote(c.At.UTC().Format("2006-01-02T15:04:05.9999999Z")), said(c.Entity), said(c.Key), said(c.Source)
		m["Changes"], m["Values"], m["ContextIdentifier"] = "["+strings.Join(changes, ",")+"]", v.only(c.Values), quote(cmp.Or(c.Context, e.Tenant))
	} else {
		data := e.Data
		what, about := aboutWebhook(strings.ToLower(e.Name))
		if e.About != nil {
			data = change(*e.About)
		}
		data = v.only(data)
		switch {
		case about:
			m["Event"] = quote("webhook." + what)
		default:
			entity := e.Name
			if dot := strings.LastIndexByte(e.Name, '.'); dot >= 0 {
				entity = e.Name[:dot]
			}
			m["Entity"] = said(entity)
		}
		if !about && strings.HasSuffix("."+e.Name, ".deleted") {
			m["Values"] = data
		} else if fields = data; data != "" {
			m["Changes"] = names(data)
		}
	}
	var inner map[string]json.RawMessage
	_ = json.Unmarshal([]byte(fields), &inner)
	m["FieldValues"], m["FieldValues.amount"] = fields, string(inner["amount"])
	return m
}

// within returns the text of a JSON value as it is spelled within a string.
func within(value string) string {
	switch {
	case value == "null":
		return ""
	case strings.HasPrefix(value, `"`):
		return value[1 : len(value)-1]
	case strings.HasPrefix(value, "["): // of strings
		var elements []json.RawMessage
		_ = json.Unmarshal([]byte(value), &elements)
		texts := make([]string, len(elements))
		for i, element := range elements {
			texts[i] = within(string(element))
		}
		return strings.Join(texts, ", ")
	}
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(value)
}
