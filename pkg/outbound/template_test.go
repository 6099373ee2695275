package outbound_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// everything is a template with every member of events.
const everything = `{"EventId":"{{EventId}}","Timestamp":"{{Timestamp}}","Event":"{{Event}}","Entity":"{{Entity}}","PrimaryKey":"{{PrimaryKey}}","Key":"{{Key}}",` +
	`"Changes":"{{Changes}}","ContextIdentifier":"{{ContextIdentifier}}","ChangedByAssociateId":"{{ChangedByAssociateId}}","WebhookName":"{{WebhookName}}",` +
	`"Source":"{{Source}}","FieldValues":"{{FieldValues}}","Values":"{{Values}}","Previous":"{{Previous}}","Text":"{{FieldValues.name}} {{Values.id}}{{Previous.b}}"}`

func TestSend_Templates(t *testing.T) {
	t.Parallel()
	entity := "y_table"
	content := &webhook.Content{
		Entity: &entity, Changes: []string{"b"}, FieldValues: json.RawMessage(`{"b":1.50}`), Values: json.RawMessage(`{"id":1}`), Previous: json.RawMessage(`{"b":1}`),
		Context: "Cust26759", Source: "/in/crm", SourceEvent: "7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1",
	}
	const (
		own = `{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2025-09-16T07:24:33.27583Z",`
		who = `,"ContextIdentifier":"Cust12345","ChangedByAssociateId":7,"WebhookName":"a\"b","Source":null,`
	)
	names := func(c *outbound.Config) { c.OmitFieldValues = true }
	for name, test := range map[string]struct {
		change func(*webhook.Post)
		config func(*outbound.Config)
		body   string
	}{
		"a plain signal": {
			nil, nil,
			own + `"Event":"contact.changed","Entity":"contact","PrimaryKey":5,"Key":null,"Changes":["amount","name"]` + who +
				`"FieldValues":{"name":"<ø>","amount":1.50},"Values":null,"Previous":null,"Text":"<ø> "}`,
		},
		"no data": {
			func(p *webhook.Post) { p.Event.Data = nil }, nil,
			own + `"Event":"contact.changed","Entity":"contact","PrimaryKey":5,"Key":null,"Changes":null` + who + `"FieldValues":null,"Values":null,"Previous":null,"Text":" "}`,
		},
		"a deletion": {
			func(p *webhook.Post) { p.Event.Name, p.Event.Data = "contact.deleted", json.RawMessage(`{"id":7}`) }, names,
			own + `"Event":"contact.deleted","Entity":"contact","PrimaryKey":5,"Key":null,"Changes":null` + who + `"FieldValues":null,"Values":{"id":7},"Previous":null,"Text":" 7"}`,
		},
		"a state event": {
			func(p *webhook.Post) { p.Event.Name, p.Event.Data = "webhook5.errors", json.RawMessage(`{"state":3}`) }, nil,
			own + `"Event":"webhook.errors","Entity":null,"PrimaryKey":5,"Key":null,"Changes":["state"]` + who + `"FieldValues":{"state":3},"Values":null,"Previous":null,"Text":" "}`,
		},
		"an event with a Content": {
			func(p *webhook.Post) { p.Event.Key, p.Event.Data, p.Event.Content = "A-7", nil, content }, nil,
			`{"EventId":"7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1","Timestamp":"2025-09-16T07:24:33.27583Z","Event":"contact.changed","Entity":"y_table","PrimaryKey":5,"Key":"A-7",` +
				`"Changes":["b"],"ContextIdentifier":"Cust26759","ChangedByAssociateId":7,"WebhookName":"a\"b","Source":"/in/crm","FieldValues":{"b":1.50},"Values":{"id":1},"Previous":{"b":1},"Text":" 11"}`,
		},
		"names only": {
			func(p *webhook.Post) { p.Event.Data, p.Event.Content = nil, content }, names,
			`{"EventId":"7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1","Timestamp":"2025-09-16T07:24:33.27583Z","Event":"contact.changed","Entity":"y_table","PrimaryKey":5,"Key":null,` +
				`"Changes":["b"],"ContextIdentifier":"Cust26759","ChangedByAssociateId":7,"WebhookName":"a\"b","Source":"/in/crm","FieldValues":null,"Values":{"id":1},"Previous":null,"Text":" 1"}`,
		},
		"Fields come first": {
			func(p *webhook.Post) { p.Webhook.Options.Fields = []string{"Amount"} }, nil,
			own + `"Event":"contact.changed","Entity":"contact","PrimaryKey":5,"Key":null,"Changes":["amount"]` + who + `"FieldValues":{"amount":1.50},"Values":null,"Previous":null,"Text":" "}`,
		},
		"without Properties, whatever the format": {
			func(p *webhook.Post) {
				p.Webhook.Properties, p.Webhook.Options.Format = json.RawMessage(`{"region":"eu"}`), webhook.FormatData
				p.Webhook.Options.Template = json.RawMessage(`["{{{{", 1.50, "{{Event}}"]`)
			}, nil,
			`["{{",1.50,"contact.changed"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, got := target(t, "HTTP/1.1 204 No Content\r\n\r\n")
			post := webhook.Post{Webhook: hook(url), Event: event, Secrets: webhook.SecretDocument{Current: webhook.NewSecret("s")}}
			post.Webhook.Secret.Signed = true
			post.Webhook.Options.Template = json.RawMessage(everything)
			if test.change != nil {
				test.change(&post)
			}
			s := sender(t, test.config)
			for range 2 { // compiled, and cached
				result := s.Send(t.Context(), post)
				if result.Error != failure.None || result.Sent.Body != webhook.BodyMark([]byte(test.body)) {
					t.Fatalf("got %v, sent %v", result, result.Sent)
				}
				head, body, _ := strings.Cut(<-got, "\r\n\r\n")
				if body != test.body {
					t.Errorf("body:\ngot  %s\nwant %s", body, test.body)
				}
				standard, err := signature.Standard(post.Event.PublicID(), at, []byte(test.body), "s", "")
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range []string{
					"Content-Type: application/json; charset=utf-8", "X-SuperOffice-Event: " + post.Event.Name, "X-SuperOffice-EventId: " + post.Event.PublicID(),
					"X-SuperOffice-Signature: " + signature.SuperOffice("s", []byte(test.body)), "webhook-signature: " + standard,
				} {
					if !strings.Contains(head, line+"\r\n") {
						t.Errorf("no %q in:\n%s", line, head)
					}
				}
				rebuilt, err := s.Rebuild(post, result.Sent, at)
				if err != nil || string(rebuilt.Body) != test.body {
					t.Errorf("rebuilt: %s, %v", rebuilt.Body, err)
				}
			}
		})
	}
}

// Nothing is sent if the body would be too large, or if this version of the service
// cannot compile the template: the format's body is not what the target expects.
func TestSend_TemplatesThatMakeNoBody(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]failure.Kind{
		`["{{FieldValues}}","{{FieldValues}}","{{FieldValues}}"]`: failure.Body,
		`{"{{if}}":1}`: failure.Internal,
	} {
		url, got := target(t, "HTTP/1.1 204 No Content\r\n\r\n")
		post := webhook.Post{Webhook: hook(url), Event: event}
		post.Event.Data = json.RawMessage(`{"x":"` + strings.Repeat("x", template.MaxResult/3) + `"}`)
		post.Webhook.Options.Template = json.RawMessage(document)
		s := sender(t, nil)
		if result := s.Send(t.Context(), post); result.Error != want || result.Sent != (webhook.Sent{}) || result.StatusCode != 0 {
			t.Errorf("%s: got %v, sent %v", document, result, result.Sent)
		}
		select {
		case request := <-got:
			t.Errorf("%s: sent %.100s", document, request)
		default:
		}
		if _, err := s.Rebuild(post, webhook.Sent{}, at); err == nil || errors.Is(err, template.ErrTooLarge) != (want == failure.Body) {
			t.Errorf("%s: rebuilt, with %v", document, err)
		}
	}
}
