package console

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// happened is an event as the API shows it.
type happened struct {
	EventID    string `json:"EventId"`
	Event      string
	Entity     string
	PrimaryKey int32
	Key        *string
	Accepted   time.Time
	Source     *string
	Deliveries []recipient
}

func (e happened) subject() string { return subject(e.Entity, e.PrimaryKey, e.Key) }

// recipient is a webhook that an event was or was not for.
type recipient struct {
	WebhookID   int32 `json:"WebhookId"`
	Name        string
	Status      *string
	Code        string
	LastAttempt *attempt
}

// listEvents searches the accepted events.
func (v *visit) listEvents() (g.Node, error) {
	given := v.r.URL.Query()
	query := url.Values{"limit": {"50"}}
	for _, name := range []string{"event", "entity", "primaryKey", "key", "from", "to", "cursor"} {
		value := strings.TrimSpace(given.Get(name))
		if at, err := time.Parse("2006-01-02T15:04", value); err == nil {
			value = at.Format(time.RFC3339)
		}
		if value != "" {
			query.Set(name, value)
		}
	}
	var read struct {
		Events []happened
		Cursor *string
	}
	wrong, err := v.api.search("Events", query, &read)
	if err != nil {
		return nil, err
	}
	var rows []g.Node
	for _, e := range read.Events {
		rows = append(rows, h.Tr(h.Td(link(path("events", e.EventID), e.Event)), h.Td(g.Text(e.subject())), h.Td(g.Text(deref(e.Source))), h.Td(when(e.Accepted))))
	}
	empty := []g.Node{h.P(g.Text("No event has been accepted, or none that matches.")), link("/send", "Send an event")}
	if read.Cursor != nil {
		empty = []g.Node{h.P(g.Text("Nothing among the newest events matches. Older ones may."))}
	}
	input := func(label, name, kind string) g.Node {
		return field(label, h.Input(h.Name(name), h.Type(kind), h.Value(given.Get(name))), "")
	}
	return v.frame("Events", "Events",
		h.Div(h.Class("row spread"), h.H1(g.Text("Events")), h.A(h.Class("button"), h.Href(Path+"/send"), g.Text("Send an event"))),
		h.Form(h.Class("filters"), h.Method("get"),
			input("Event", "event", "text"), input("Entity", "entity", "text"), input("Primary key", "primaryKey", "text"), input("Key", "key", "text"),
			input("From (UTC)", "from", "datetime-local"), input("To (UTC)", "to", "datetime-local"), h.Button(g.Text("Search"))),
		notice("error", wrong),
		table([]string{"Event", "About", "Source", "Accepted"}, rows, empty...),
		older(v.r.URL, read.Cursor)), nil
}

// showEvent shows an event, who got it, and why the others did not.
func (v *visit) showEvent() (g.Node, error) {
	id := v.r.PathValue("event")
	var text json.RawMessage
	if err := v.api.get("Events/"+url.PathEscape(id), url.Values{"cursor": v.r.URL.Query()["cursor"]}, &text); err != nil {
		return nil, err
	}
	var e struct {
		happened
		Cursor *string
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, err
	}
	var rows []g.Node
	for _, r := range e.Deliveries {
		webhook := strconv.Itoa(int(r.WebhookID))
		status := badge("", "not for it")
		name := link(path("webhooks", webhook), r.Name)
		if r.Status != nil {
			status = attempted{Status: *r.Status}.badge()
			name = link(path("webhooks", webhook, "deliveries", id), r.Name)
		}
		outcome := ""
		if r.LastAttempt != nil {
			outcome = r.LastAttempt.outcome()
		}
		rows = append(rows, h.Tr(h.Td(name), h.Td(status), h.Td(g.Text(words(r.Code))), h.Td(g.Text(outcome)),
			h.Td(link(path("events", id)+"?webhook="+webhook, "Why"))))
	}
	why := g.Text("")
	if webhook := v.r.URL.Query().Get("webhook"); webhook != "" {
		var said explanation
		if err := v.api.get("Events/"+url.PathEscape(id)+"/Explain", url.Values{"webhook": {webhook}}, &said); err != nil {
			return nil, err
		}
		why = g.Group{h.P(g.Text("Webhook " + webhook + ":")), reasons(said)}
	}
	return v.frame(e.Event, "Events",
		crumbs(link("/events", "Events"), h.Span(g.Text(e.Event))),
		h.H1(g.Text(e.Event)),
		h.Div(h.Class("card"), facts(fact("Id", h.Span(h.Class("code"), g.Text(e.EventID))), fact("About", g.Text(e.subject())), fact("Accepted", when(e.Accepted)),
			fact("Data", h.Details(h.Summary(g.Text("Show")), h.Pre(g.Text(indented(withoutDeliveries(text)))))))),
		h.H2(g.Text("Webhooks")), why,
		table([]string{"Webhook", "Status", "Reason", "Last attempt", ""}, rows, h.P(g.Text("There are no webhooks."))),
		older(v.r.URL, e.Cursor)), nil
}

func withoutDeliveries(text json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return text
	}
	for _, name := range []string{"Deliveries", "Examined", "Cursor"} {
		delete(members, name)
	}
	shown, _ := json.Marshal(members) // it was JSON
	return shown
}

// words are a code for people to read.
func words(code string) string { return strings.ReplaceAll(code, "_", " ") }
