package console

import (
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// draft is what a form says of a webhook.
type draft struct {
	name, target, description, events, secret, headers string
	sign, stopped                                      bool
}

func draftOf(w hook) draft {
	var headers strings.Builder
	headers.WriteString(headerText(w.Headers))
	return draft{
		name: w.Name, target: w.TargetURL, description: w.Description, events: strings.Join(w.Events, "\n"), headers: headers.String(),
		stopped: w.State != "Active",
	}
}

// sent is the draft of the form that was sent.
func (v *visit) sent() draft {
	value := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(v.r.PostFormValue(name), "\r\n", "\n"))
	}
	return draft{
		name: value("name"), target: value("target"), description: value("description"), events: value("events"), secret: value("secret"),
		headers: value("headers"), sign: value("sign") != "", stopped: value("stopped") != "",
	}
}

// members are the members of a webhook that a form sets.
func (d draft) members() (map[string]any, error) {
	headers := map[string]string{}
	for _, line := range strings.Split(d.headers, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, &problem{status: http.StatusBadRequest, text: "Headers must have a name, a colon and a value in each line"}
		}
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return map[string]any{
		"Name": d.name, "TargetUrl": d.target, "Description": d.description,
		"Events": strings.FieldsFunc(d.events, func(r rune) bool { return r == '\n' || r == ',' || r == ' ' }), "Headers": headers,
	}, nil
}

func (v *visit) newWebhook() (g.Node, error) {
	d := draft{sign: true}
	if id := v.r.URL.Query().Get("copy"); id != "" {
		var w hook
		if err := v.api.get(strings.TrimPrefix(path("Webhook", id), "/"), nil, &w); err != nil {
			return nil, err
		}
		d = draftOf(w)
		d.name, d.stopped, d.sign = "Copy of "+w.title(), true, w.Secret != nil
	}
	return v.webhookForm("New webhook", "/webhooks/new", nil, d, "")
}

func (v *visit) createWebhook() (g.Node, error) {
	d := v.sent()
	members, err := d.members()
	if err != nil {
		return v.again("New webhook", "/webhooks/new", nil, d, err)
	}
	if d.stopped {
		members["State"] = "Stopped"
	}
	secret := ""
	if d.sign {
		if secret, err = v.newSecret(); err != nil {
			return nil, err
		}
		members["Secret"] = secret
	}
	var made hook
	if err := v.api.send(http.MethodPost, "Webhook", members, &made); err != nil {
		return v.again("New webhook", "/webhooks/new", nil, d, err)
	}
	if secret == "" {
		return v.goTo(made.path() + "?done=created")
	}
	return v.showSecret(made, secret, "The webhook has been created. Its target was tried and responded."), nil
}

func (v *visit) editWebhook() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	return v.webhookForm("Edit "+w.title(), w.path("edit"), &w, draftOf(w), "")
}

func (v *visit) changeWebhook() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	d := v.sent()
	members, err := d.members()
	if err == nil {
		err = v.api.send(http.MethodPatch, "Webhook/"+w.id(), members, nil)
	}
	if err != nil {
		return v.again("Edit "+w.title(), w.path("edit"), &w, d, err)
	}
	return v.goTo(w.path() + "?done=saved")
}

// again shows a form with what is wrong with it.
func (v *visit) again(title, to string, w *hook, d draft, err error) (g.Node, error) {
	if !isStatus(err, http.StatusBadRequest) && !isStatus(err, http.StatusConflict) {
		return nil, err
	}
	page, failed := v.webhookForm(title, to, w, d, err.Error())
	if failed != nil {
		return nil, failed
	}
	v.write(http.StatusBadRequest, page)
	return nil, nil
}

// webhookForm is the form of a new webhook, or of w.
func (v *visit) webhookForm(title, to string, w *hook, d draft, wrong string) (g.Node, error) {
	names, err := v.names()
	if err != nil {
		return nil, err
	}
	back := "/webhooks"
	if w != nil {
		back = w.path()
	}
	var known []g.Node
	for _, name := range names {
		known = append(known, h.Code(g.Text(name)), g.Text(" "))
	}
	return v.frame(title, "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), h.Span(g.Text(title))),
		h.H1(g.Text(title)),
		v.form(to, h.Class("card"),
			notice("error", wrong),
			field("Name", h.Input(h.Name("name"), h.Value(d.name), h.Required()), ""),
			field("Target", h.Input(h.Name("target"), h.Type("url"), h.Value(d.target), h.Required(), h.Placeholder("https://example.com/webhooks")), "Where events are POSTed. It is tried when you save: it must respond."),
			field("Events", h.Textarea(h.Name("events"), h.Rows("4"), h.Required(), h.Placeholder("contact.*"), g.Text(d.events)), "One name or pattern a line. contact.* is every event of contacts, * is every event."),
			g.If(len(known) > 0, h.Details(h.Class("field"), h.Summary(g.Text("Known event names")), h.P(known...))),
			field("Headers", h.Textarea(h.Name("headers"), h.Rows("2"), h.Placeholder("Authorization: Bearer …"), g.Text(d.headers)), "Sent with each POST, one a line. Values of secret headers stay hidden: leave ******** to keep one."),
			field("Description", h.Input(h.Name("description"), h.Value(d.description)), ""),
			g.If(w == nil, h.FieldSet(h.Legend(g.Text("When it is created")),
				h.Label(h.Class("check"), h.Input(h.Type("checkbox"), h.Name("sign"), g.If(d.sign, h.Checked())), h.Span(g.Text("Sign each POST with a new secret, which is shown once"))),
				h.Label(h.Class("check"), h.Input(h.Type("checkbox"), h.Name("stopped"), g.If(d.stopped, h.Checked())), h.Span(g.Text("Create it stopped"))))),
			h.Div(h.Class("row"), h.Button(h.Class("primary"), g.Text("Save")), link(back, "Cancel")),
		)), nil
}

// names are the event names that a picker offers.
func (v *visit) names() ([]string, error) {
	var read struct{ Seen, Known []string }
	if err := v.api.get("EventNames", nil, &read); err != nil {
		return nil, err
	}
	if len(read.Seen) > 0 {
		return read.Seen, nil
	}
	return read.Known, nil
}
