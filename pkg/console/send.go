package console

import (
	"encoding/json"
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// sendPage shows the form of an event to try or to send.
func (v *visit) sendPage() (g.Node, error) { return v.sendForm("", g.Text("")) }

func (v *visit) sendForm(wrong string, result g.Node) (g.Node, error) {
	names, err := v.names()
	if err != nil {
		return nil, err
	}
	var known []g.Node
	for _, name := range names {
		known = append(known, h.Option(h.Value(name)))
	}
	value := func(name string) g.Node { return h.Value(v.r.PostFormValue(name)) }
	return v.frame("Send an event", "Send",
		h.H1(g.Text("Send an event")),
		notice("error", wrong), result,
		v.form("/send", h.Class("card"),
			field("Event", h.Input(h.Name("event"), value("event"), h.List("names"), h.Required(), h.Placeholder("contact.changed")), ""),
			h.DataList(append([]g.Node{h.ID("names")}, known...)...),
			field("Key", h.Input(h.Name("key"), value("key")), "Which record it is about: an integer or any other text."),
			field("Data", h.Textarea(h.Name("data"), h.Rows("5"), h.Placeholder(`{"name": "Blåbær AS"}`), g.Text(v.r.PostFormValue("data"))), "A JSON object. Empty: none."),
			h.Div(h.Class("row"),
				h.Button(h.Name("do"), h.Value("try"), g.Text("Who would get it?")),
				h.Button(h.Class("primary"), h.Name("do"), h.Value("send"), g.Text("Send it"))),
			h.P(h.Class("help"), g.Text("The first asks only; the second sends a real event to every webhook that it matches.")),
		)), nil
}

// sendEvent sends an event, or says who would get it.
func (v *visit) sendEvent() (g.Node, error) {
	event := map[string]any{"Event": strings.TrimSpace(v.r.PostFormValue("event"))}
	if key := strings.TrimSpace(v.r.PostFormValue("key")); key != "" {
		var n int32
		if json.Unmarshal([]byte(key), &n) == nil {
			event["PrimaryKey"] = n
		} else {
			event["Key"] = key
		}
	}
	if data := strings.TrimSpace(v.r.PostFormValue("data")); data != "" {
		if !json.Valid([]byte(data)) {
			return v.refused("Data must be a JSON object")
		}
		event["FieldValues"] = json.RawMessage(data)
	}
	if v.r.PostFormValue("do") != "send" {
		var said explanation
		err := v.api.send(http.MethodPost, "Explain", map[string]any{"Event": event}, &said)
		if isStatus(err, http.StatusBadRequest) {
			return v.refused(err.Error())
		}
		if err != nil {
			return nil, err
		}
		return v.sendForm("", reasons(said))
	}
	var accepted struct {
		EventIDs []string `json:"EventIds"`
	}
	err := v.api.send(http.MethodPost, "Events", event, &accepted)
	if isStatus(err, http.StatusBadRequest) {
		return v.refused(err.Error())
	}
	if err != nil {
		return nil, err
	}
	return v.goTo(path("events", accepted.EventIDs[0]))
}

// refused shows the form again, with what is wrong with it.
func (v *visit) refused(wrong string) (g.Node, error) {
	page, err := v.sendForm(wrong, g.Text(""))
	if err != nil {
		return nil, err
	}
	v.write(http.StatusBadRequest, page)
	return nil, nil
}
