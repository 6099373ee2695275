package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// attempted is a delivery as the API shows it.
type attempted struct {
	EventID      string `json:"EventId"`
	Event        string
	Entity       string
	PrimaryKey   int32
	Key          *string
	Status       string
	Reason       *string
	Round        int
	Attempts     []attempt
	AttemptCount int
	NextAttempt  *time.Time
	Created      time.Time
}

type attempt struct {
	Round, Number   int
	At              time.Time
	DurationMs      int
	Lane            string
	StatusCode      int
	Error           *string
	Detail          *string
	Advice          *string
	ResponseHeaders map[string]string
	Response        *string
}

func subject(entity string, primaryKey int32, key *string) string {
	if key != nil {
		return entity + " " + *key
	}
	return entity + " " + strconv.Itoa(int(primaryKey))
}

func (d attempted) subject() string { return subject(d.Entity, d.PrimaryKey, d.Key) }

func (d attempted) badge() g.Node {
	kind := map[string]string{"Delivered": "good", "Failed": "bad", "Expired": "bad", "Pending": "warn"}[d.Status]
	return badge(kind, strings.ToLower(d.Status))
}

// outcome is how the last attempt ended, in a few words.
func (d attempted) outcome() string {
	if len(d.Attempts) == 0 {
		if d.Reason != nil {
			return *d.Reason
		}
		return "no attempt yet"
	}
	return d.Attempts[len(d.Attempts)-1].outcome()
}

func (a attempt) outcome() string {
	switch {
	case a.Error == nil:
		return "HTTP " + strconv.Itoa(a.StatusCode)
	case a.StatusCode > 0:
		return "HTTP " + strconv.Itoa(a.StatusCode) + ", " + *a.Error
	case a.Detail != nil:
		return *a.Error + ": " + *a.Detail
	}
	return *a.Error
}

// request is what an attempt sent.
type request struct {
	URL          string `json:"Url"`
	Headers      map[string]string
	Body         string
	Exact        bool
	Note         *string
	ChangedSince *[]string
}

// explanation says what became of an event.
type explanation struct {
	WebhookID     *int32 `json:"WebhookId"`
	Matches       bool
	Reasons       []struct{ Code, Text string }
	WaitingBehind *string
}

// showDelivery shows one delivery: why it is as it is, its attempts, and what was sent.
func (v *visit) showDelivery() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	event := v.r.PathValue("event")
	place := "Webhook/" + w.id() + "/Deliveries/" + url.PathEscape(event)
	var d attempted
	if err := v.api.get(place, nil, &d); err != nil {
		return nil, err
	}
	var said explanation
	if err := v.api.get("Events/"+url.PathEscape(event)+"/Explain", url.Values{"webhook": {w.id()}}, &said); err != nil && !isStatus(err, http.StatusNotFound) {
		return nil, err
	}
	var sent *request
	if err := v.api.get(place+"/Request", nil, &sent); err != nil && !isStatus(err, http.StatusNotFound) {
		return nil, err
	}
	running := slices.ContainsFunc(said.Reasons, func(r struct{ Code, Text string }) bool { return r.Code == "leased" })
	return v.frame(d.Event+" to "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text("Delivery"))),
		h.Div(h.Class("row spread"), h.H1(g.Text(d.Event+" "), d.badge()),
			v.form(w.path("deliveries", event, "retry"), h.Button(h.Class("primary"), g.If(running, h.Disabled()), g.Text("Retry now")))),
		v.said(),
		reasons(said),
		h.Div(h.Class("card"), facts(
			fact("Event", link(path("events", event), event)), fact("About", g.Text(d.subject())), fact("Created", when(d.Created)),
			g.If(d.Reason != nil, fact("Ended because", g.Text(deref(d.Reason)))),
			g.Iff(d.NextAttempt != nil, func() g.Node { return fact("Next attempt", when(*d.NextAttempt)) }),
		)),
		h.H2(g.Textf("Attempts (%d)", d.AttemptCount)), timeline(d.Attempts),
		h.H2(g.Text("Request")), showRequest(sent),
	), nil
}

// reasons shows an explanation.
func reasons(said explanation) g.Node {
	if len(said.Reasons) == 0 {
		return g.Text("")
	}
	var items []g.Node
	for _, r := range said.Reasons {
		items = append(items, h.Li(g.Text(r.Text)))
	}
	return h.Div(h.Class("notice"), h.Strong(g.Text("Why")), h.Ul(items...))
}

func timeline(attempts []attempt) g.Node {
	if len(attempts) == 0 {
		return h.Div(h.Class("empty"), h.P(g.Text("No attempt has been made yet.")))
	}
	var items []g.Node
	for _, a := range slices.Backward(attempts) {
		class := "good"
		if a.Error != nil {
			class = "bad"
		}
		name := "Attempt " + strconv.Itoa(a.Number)
		if a.Number == 0 {
			name = "Cut short by its lane"
		}
		items = append(items, h.Li(h.Class(class),
			h.Strong(g.Text(name+": "+a.outcome())), h.Div(h.Class("muted"), when(a.At), g.Textf(" · %d ms · %s lane", a.DurationMs, a.Lane)),
			g.If(a.Advice != nil, h.P(g.Text(deref(a.Advice)))),
			g.If(a.Response != nil || len(a.ResponseHeaders) > 0, h.Details(h.Summary(g.Text("Response")),
				h.Pre(g.Text(headerText(a.ResponseHeaders)+"\n"+deref(a.Response)))))))
	}
	return h.Ul(append([]g.Node{h.Class("timeline")}, items...)...)
}

func showRequest(sent *request) g.Node {
	if sent == nil {
		return h.Div(h.Class("empty"), h.P(g.Text("It cannot be shown: nothing has been sent, or the event is not kept any more.")))
	}
	return g.Group{
		g.If(!sent.Exact, notice("warn", "This is how it would be sent now: what was sent is not known exactly. "+deref(sent.Note))),
		h.Div(h.Class("code"), g.Text("POST "+sent.URL)), h.Pre(g.Text(headerText(sent.Headers))), h.Pre(g.Text(sent.Body)),
	}
}

func headerText(headers map[string]string) string {
	var names []string
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ": " + headers[name] + "\n")
	}
	return b.String()
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (v *visit) retryDelivery() (g.Node, error) {
	id, event := v.r.PathValue("id"), v.r.PathValue("event")
	if err := v.api.send(http.MethodPost, "Webhook/"+url.PathEscape(id)+"/Deliveries/"+url.PathEscape(event)+"/Retry", nil, nil); err != nil {
		return nil, err
	}
	return v.goTo(path("webhooks", id, "deliveries", event) + "?done=retried")
}
