package outbound_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSend_BodiesOfEventsWithContent(t *testing.T) {
	t.Parallel()
	entity, none := "y_table", ""
	all := webhook.Content{
		Entity: &entity, Changes: []string{"b", "a"}, FieldValues: json.RawMessage(`{"b":1.50,"a":"<ø>"}`), Values: json.RawMessage(`{"id":1}`),
		Previous: json.RawMessage(`{"b":1}`), Context: "Cust26759", Source: "/in/crm", SourceEvent: "7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1",
		Sequence: "9", Truncated: true,
	}
	const (
		id      = `88f91933-edce-4c1a-8ded-ade8e2f72434`
		relayed = `7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1`
		at      = `"2025-09-16T07:24:33.27583Z"`
		invoked = `,"Event":"contact.changed","PrimaryKey":5`
		who     = `,"ChangedByAssociateId":`
	)
	absent := webhook.Content{}
	empty := webhook.Content{Entity: &none, Changes: []string{}, FieldValues: json.RawMessage(`{}`), Values: json.RawMessage(`{}`)}
	deleted := webhook.Content{Values: json.RawMessage(`{"id":1}`), FieldValues: json.RawMessage(`{}`)}
	include := func(members ...webhook.Include) func(*webhook.Post) {
		return func(p *webhook.Post) { p.Webhook.Options.Include = members }
	}
	names := func(c *outbound.Config) { c.OmitFieldValues = true }
	for name, c := range map[string]struct {
		format  webhook.Format
		content webhook.Content
		change  func(*webhook.Post)
		config  func(*outbound.Config)
		body    string
	}{
		"superoffice": {
			"", all, nil, nil,
			`{"EventId":"` + relayed + `","Timestamp":` + at + `,"Changes":["b","a"]` + invoked + `,"Entity":"y_table","ContextIdentifier":"Cust26759"` + who + `1,` +
				`"WebhookName":"W","Values":{"id":1},"FieldValues":{"b":1.50,"a":"<ø>"}}`,
		},
		"superoffice, with Previous": {
			"", all, include(webhook.IncludePrevious), nil,
			`{"EventId":"` + relayed + `","Timestamp":` + at + `,"Changes":["b","a"]` + invoked + `,"Entity":"y_table","ContextIdentifier":"Cust26759"` + who + `1,` +
				`"WebhookName":"W","Values":{"id":1},"FieldValues":{"b":1.50,"a":"<ø>"},"Previous":{"b":1}}`,
		},
		"superoffice, names only": {
			"", all, include(webhook.IncludePrevious), names,
			`{"EventId":"` + relayed + `","Timestamp":` + at + `,"Changes":["b","a"]` + invoked + `,"Entity":"y_table","ContextIdentifier":"Cust26759"` + who + `1,` +
				`"WebhookName":"W","Values":{"id":1}}`,
		},
		"superoffice leaves absent members out": {
			"", absent, nil, nil,
			`{"EventId":"` + id + `","Timestamp":` + at + invoked + `,"ContextIdentifier":"Cust12345"` + who + `1,"WebhookName":"W"}`,
		},
		"superoffice sends empty members": {
			"", empty, nil, nil,
			`{"EventId":"` + id + `","Timestamp":` + at + `,"Changes":[]` + invoked + `,"Entity":"","ContextIdentifier":"Cust12345"` + who + `1,"WebhookName":"W","Values":{},"FieldValues":{}}`,
		},
		"superoffice, properties called like members": {
			"", absent, func(p *webhook.Post) {
				p.Webhook.Properties = json.RawMessage(`{"Previous":1,"previous":1,"eventid":1,"Key":3,"Z":2}`)
			}, nil,
			`{"EventId":"` + id + `","Timestamp":` + at + invoked + `,"ContextIdentifier":"Cust12345"` + who + `1,"WebhookName":"W","Key":3,"Z":2}`,
		},
		"standard": {
			webhook.FormatStandard, all, func(p *webhook.Post) {
				p.Event.Key = "A-7"
				p.Webhook.Properties = json.RawMessage(`{"source":1,"Source":1,"Previous":1,"Z":2}`)
			}, nil,
			`{"type":"contact.changed","timestamp":` + at + `,"data":{"b":1.50,"a":"<ø>"},"primaryKey":5,"tenant":"Cust12345","key":"A-7","entity":"y_table",` +
				`"changes":["b","a"],"values":{"id":1},"context":"Cust26759","source":"/in/crm","sourceEvent":"` + relayed + `","sequence":"9","truncated":true,"Z":2}`,
		},
		"standard, with Previous": {
			webhook.FormatStandard,
			webhook.Content{Previous: json.RawMessage(`{"b":1}`)},
			include(webhook.IncludePrevious), nil,
			`{"type":"contact.changed","timestamp":` + at + `,"data":{},"primaryKey":5,"tenant":"Cust12345","previous":{"b":1}}`,
		},
		"cloudevents": {
			webhook.FormatCloudEvents, all, func(p *webhook.Post) { p.Event.Key = "A-7" }, nil,
			`{"specversion":"1.0","id":"` + relayed + `","source":"/posthaste/Cust12345","type":"contact.changed","subject":"A-7","time":` + at + `,` +
				`"entity":"y_table","context":"Cust26759","eventsource":"/in/crm","sourceevent":"` + relayed + `","sequence":"9","truncated":true,` +
				`"datacontenttype":"application/json","data":{"b":1.50,"a":"<ø>"}}`,
		},
		"cloudevents, with everything": {
			webhook.FormatCloudEvents,
			webhook.Content{Changes: []string{"a"}, Values: json.RawMessage(`{"id":1}`), Previous: json.RawMessage(`{"b":1}`)},
			include(webhook.IncludeChanges, webhook.IncludeValues, webhook.IncludePrevious), nil,
			`{"specversion":"1.0","id":"` + id + `","source":"/posthaste/Cust12345","type":"contact.changed","subject":"5","time":` + at + `,` +
				`"changes":"[\"a\"]","values":"{\"id\":1}","previous":"{\"b\":1}","datacontenttype":"application/json","data":{"id":1}}`,
		},
		"data":                      {webhook.FormatData, all, nil, nil, `{"b":1.50,"a":"<ø>"}`},
		"data, nothing":             {webhook.FormatData, absent, nil, nil, `{}`},
		"data of a deletion":        {webhook.FormatData, deleted, func(p *webhook.Post) { p.Event.Name = "contact.deleted" }, names, `{"id":1}`},
		"data, names only":          {webhook.FormatData, all, nil, names, `{"Changes":["b","a"]}`},
		"data, names only, nothing": {webhook.FormatData, absent, nil, names, `{"Changes":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, got := target(t, "HTTP/1.1 204 No Content\r\n\r\n")
			post := webhook.Post{Webhook: hook(url), Event: event, Secrets: webhook.SecretDocument{Current: webhook.NewSecret("s")}}
			post.Webhook.Name, post.Webhook.Options.Format = "W", c.format
			post.Event.Data, post.Event.Content, post.Event.ChangedBy = nil, &c.content, 1
			if c.change != nil {
				c.change(&post)
			}
			if result := sender(t, c.config).Send(t.Context(), post); result.Error != failure.None {
				t.Fatalf("got %v", result)
			}
			head, body, _ := strings.Cut(<-got, "\r\n\r\n")
			if body != c.body || !json.Valid([]byte(body)) {
				t.Errorf("body:\ngot  %s\nwant %s", body, c.body)
			}
			want := id
			if c.content.SourceEvent != "" {
				want = relayed
			}
			for _, line := range []string{"X-SuperOffice-EventId: " + want, "webhook-id: " + want, "X-SuperOffice-Signature: " + signature.SuperOffice("s", []byte(c.body))} {
				if !strings.Contains(head, line+"\r\n") {
					t.Errorf("no %q in:\n%s", line, head)
				}
			}
		})
	}
}
