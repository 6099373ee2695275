package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// tested is the result of a test, as the API shows it.
type tested struct {
	Success bool
	Message string
	Request *request
}

// testPage offers to send a test, or a sample of an event.
func (v *visit) testPage() (g.Node, error) { return v.testForm(nil) }

func (v *visit) testForm(result *tested) (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	names, err := v.names()
	if err != nil {
		return nil, err
	}
	for _, name := range w.Events {
		if !strings.Contains(name, "*") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	chosen := v.r.PostFormValue("event")
	choice := []g.Node{h.Name("event"), h.Option(h.Value(""), g.Text("none: a test event without data"))}
	for _, name := range names {
		choice = append(choice, h.Option(h.Value(name), g.If(name == chosen, h.Selected()), g.Text(name)))
	}
	said := g.Text("")
	if result != nil {
		class, words := "good", "The target accepted it."
		if !result.Success {
			class, words = "error", "The target did not accept it."
		}
		said = g.Group{notice(class, words), h.Pre(g.Text(result.Message))}
		if result.Request != nil {
			result.Request.Exact = true
			said = g.Group{said, h.H2(g.Text("What was sent")), showRequest(result.Request)}
		}
	}
	return v.frame("Test of "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text("Test"))),
		h.H1(g.Text("Test "+w.title())),
		v.form(w.path("test"), h.Class("card"),
			field("A sample of an event", h.Select(choice...), "It is sent as an event of that name would be, with sample values, PrimaryKey 0 and the header X-Hook-Test. No delivery is recorded."),
			h.Button(h.Class("primary"), g.Text("Send it"))),
		said), nil
}

// testWebhook sends a test, and shows what came back.
func (v *visit) testWebhook() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	path := "Webhook/Test"
	if event := v.r.PostFormValue("event"); event != "" {
		path += "?" + url.Values{"event": {event}}.Encode()
	}
	var result tested
	if err := v.api.send(http.MethodPost, path, map[string]any{"WebhookId": w.WebhookID}, &result); err != nil {
		return nil, err
	}
	return v.testForm(&result)
}
