package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// showOptions shows a webhook's options, which are one JSON object.
func (v *visit) showOptions() (g.Node, error) { return v.optionsForm("", "") }

func (v *visit) optionsForm(text, wrong string) (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	if text == "" {
		var options json.RawMessage
		if err := v.api.get("Webhook/"+w.id()+"/Options", nil, &options); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := json.Indent(&b, options, "", "  "); err != nil {
			return nil, err
		}
		text = b.String()
	}
	return v.frame("Options of "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text("Options"))),
		h.H1(g.Text("Options of "+w.title())),
		v.form(w.path("options"), h.Class("card"),
			notice("error", wrong),
			field("Options", h.Textarea(h.Name("options"), h.Rows("18"), h.Required(), g.Attr("spellcheck", "false"), g.Text(text)),
				"A JSON object: policy and timeout, format of bodies, filter, fields and template. What you leave out has its default."),
			h.Div(h.Class("row"), h.Button(h.Class("primary"), g.Text("Save")), link(w.path(), "Cancel")))), nil
}

func (v *visit) changeOptions() (g.Node, error) {
	id, text := v.r.PathValue("id"), v.r.PostFormValue("options")
	wrong := "Options must be a JSON object"
	if json.Valid([]byte(text)) {
		err := v.api.send(http.MethodPut, "Webhook/"+url.PathEscape(id)+"/Options", json.RawMessage(text), nil)
		if err == nil {
			return v.goTo(path("webhooks", id) + "?done=saved")
		}
		if !isStatus(err, http.StatusBadRequest) {
			return nil, err
		}
		wrong = err.Error()
	}
	page, err := v.optionsForm(text, wrong)
	if err != nil {
		return nil, err
	}
	v.write(http.StatusBadRequest, page)
	return nil, nil
}
