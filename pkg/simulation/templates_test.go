package simulation_test

import (
	"encoding/json"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// template returns the template of a webhook with a format; most have none. The ledger
// knows the members that these name.
func (w *world) template(format webhook.Format) json.RawMessage {
	drawn := []string{
		"", "", "", "", `{"text":"{{Event}} {{PrimaryKey}}{{Key}}: {{Changes}} by {{ChangedByAssociateId}}","n":1.50,"{":"{{{{"}`,
		`{"Timestamp":"{{Timestamp}}","list":["{{EventId}}","{{Event}}","{{Entity}}","{{PrimaryKey}}","{{Key}}","{{Source}}","{{ContextIdentifier}}","{{WebhookName}}",` +
			`"{{Changes}}","{{FieldValues}}","{{Values}}","{{FieldValues.amount}}"," {{FieldValues.amount}} {{Values}} at {{Timestamp}}"]}`,
		`["{{Changes}}"]`,
	}[w.rnd.IntN(7)]
	if drawn == "" || format == webhook.FormatCloudEvents {
		return nil
	}
	return json.RawMessage(drawn)
}

// templateMutants break templates, and filters in a replay.
var templateMutants = []mutant{
	{
		"templates: lost by a copy, as in the queue lane", selections,
		"o.Filter, o.OnlyFields, o.IgnoreFields, o.SkipOwn = nil, nil, nil, nil", "o.Filter, o.OnlyFields, o.IgnoreFields, o.SkipOwn, o.Template = nil, nil, nil, nil, nil",
	},
	{
		"templates: ignored in the queue lane", leased,
		"\tif !a.unsigned {\n", "\tpost.Webhook.Options.Template = nil\n\tif !a.unsigned {\n",
	},
	{
		"templates: ignored in the fast lane", stream,
		"\td.webhook = whole\n", "\td.webhook = whole\n\td.webhook.Options.Template = nil\n",
	},
	{
		"templates: signed over the format's body", wireSend,
		"\theader, scrub, err = s.headers(post, body, now)\n",
		"\tunshaped, _ := appendBody(nil, post, s.config.OmitFieldValues)\n\theader, scrub, err = s.headers(post, unshaped, now)\n",
	},
	{
		"templates: made of members that Fields leaves out", wireSend,
		"\tpost.Event = post.Event.Only(post.Webhook.Options.Fields)\n",
		"\tif len(post.Webhook.Options.Template) == 0 {\n\t\tpost.Event = post.Event.Only(post.Webhook.Options.Fields)\n\t}\n",
	},
	{
		"templates: without the tenant", "pkg/outbound/template.go",
		"ContextIdentifier: string(e.Tenant), ", "",
	},
	{
		"templates: a text has quotation marks", "pkg/template/text.go",
		"r.add(value[1 : len(value)-1])", "r.add(appendText(nil, value))",
	},
	{
		"templates: what is missing is empty", "pkg/template/append.go",
		"out.add([]byte(\"null\"))", "out.add([]byte(`\"\"`))",
	},
	{
		"templates: {{{{ stays", "pkg/template/compile.go",
		"c.literal = append(c.literal, \"{{\"...)", "c.literal = append(c.literal, \"{{{{\"...)",
	},
	{
		"filters: ignored in replay", "pkg/replay/find.go",
		" || !rows[i].Exists() && !s.takes.Takes(e) {", " {",
	},
}
