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

func TestSend_Formats(t *testing.T) {
	t.Parallel()
	const (
		standard = `{"type":"contact.changed","timestamp":"2025-09-16T07:24:33.27583Z","data":{"name":"<ø>","amount":1.50},"primaryKey":5,"tenant":"Cust12345"`
		cloud    = `{"specversion":"1.0","id":"88f91933-edce-4c1a-8ded-ade8e2f72434","source":"/posthaste/Cust12345","type":"contact.changed","subject":"5","time":"2025-09-16T07:24:33.27583Z","datacontenttype":"application/json","data":`
		data     = `{"name":"<ø>","amount":1.50}`
		plain    = "application/json; charset=utf-8"
	)
	names := func(c *outbound.Config) { c.OmitFieldValues = true }
	for name, c := range map[string]struct {
		format webhook.Format
		change func(*webhook.Post)
		config func(*outbound.Config)
		body   string
		media  string
	}{
		"standard":                  {webhook.FormatStandard, nil, nil, standard + `}`, plain},
		"standard, with properties": {webhook.FormatStandard, func(p *webhook.Post) { p.Webhook.Properties = json.RawMessage(`{"data":1,"Source":2,"Z":1e999}`) }, nil, standard + `,"Source":2,"Z":1e999}`, plain},
		"standard, a state event":   {webhook.FormatStandard, func(p *webhook.Post) { p.Event.Name, p.Event.Data = "webhook123.errors", nil }, nil, `{"type":"webhook.errors","timestamp":"2025-09-16T07:24:33.27583Z","data":{},"primaryKey":5,"tenant":"Cust12345"}`, plain},
		"standard, a test":          {webhook.FormatStandard, func(p *webhook.Post) { p.Test = true }, nil, standard + `}`, plain},
		"cloudevents":               {webhook.FormatCloudEvents, func(p *webhook.Post) { p.Webhook.Properties = json.RawMessage(`{"Z":1}`) }, nil, cloud + data + `}`, "application/cloudevents+json; charset=utf-8"},
		"cloudevents, names only":   {webhook.FormatCloudEvents, nil, names, cloud + `{"Changes":["amount","name"]}}`, "application/cloudevents+json; charset=utf-8"},
		"data":                      {webhook.FormatData, nil, nil, data, plain},
		"data, none":                {webhook.FormatData, func(p *webhook.Post) { p.Event.Data = nil }, nil, `{}`, plain},
		"data, names only":          {webhook.FormatData, nil, names, `{"Changes":["amount","name"]}`, plain},
		"data, names only, deleted": {webhook.FormatData, func(p *webhook.Post) { p.Event.Name = "contact.deleted" }, names, data, plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, got := target(t, "HTTP/1.1 204 No Content\r\n\r\n")
			post := webhook.Post{Webhook: hook(url), Event: event, Secrets: webhook.SecretDocument{Current: webhook.NewSecret("s")}}
			post.Webhook.Options.Format = c.format
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
			for _, line := range []string{"Content-Type: " + c.media, "X-SuperOffice-Signature: " + signature.SuperOffice("s", []byte(c.body))} {
				if !strings.Contains(head, line+"\r\n") {
					t.Errorf("no %q in:\n%s", line, head)
				}
			}
		})
	}
}
