package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// read reads the webhook that the page is about.
func (v *visit) read() (w hook, err error) {
	return w, v.api.get("Webhook/"+url.PathEscape(v.r.PathValue("id")), nil, &w)
}

// showWebhook shows one webhook: what is wrong with it, the last day, and its deliveries.
func (v *visit) showWebhook() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	statistics, err := v.figures([]hook{w})
	if err != nil {
		return nil, err
	}
	list, err := v.deliveries(w)
	if err != nil {
		return nil, err
	}
	f := statistics[w.WebhookID]
	delivered, failed := f.sum()
	return v.frame(w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), h.Span(g.Text(w.title()))),
		h.Div(h.Class("row spread"), h.H1(g.Text(w.title()+" "), condition(w, f)), v.actions(w)),
		v.said(),
		v.trouble(w, f),
		h.Div(h.Class("card"), facts(
			fact("Target", safeLink(w.TargetURL)),
			fact("Events", h.Span(h.Class("code"), g.Text(strings.Join(w.Events, ", ")))),
			g.If(w.Description != "", fact("Description", g.Text(w.Description))),
			fact("Signed", g.If(w.Secret != nil, g.Text("yes, with a secret")), g.If(w.Secret == nil, g.Text("no: it has no secret"))),
			fact("Last 24 hours", g.Textf("%d delivered, %d failed", delivered, failed)),
			fact("", bars(f.Hours, 720, 90)),
		)),
		h.H2(g.Text("Deliveries")),
		list,
	), nil
}

// actions are what can be done with a webhook.
func (v *visit) actions(w hook) g.Node {
	button := func(to, text string) g.Node { return h.A(h.Class("button"), h.Href(Path+to), g.Text(text)) }
	state := button(w.path("stop"), "Stop")
	if w.State != "Active" {
		state = v.form(w.path("state"), h.Class("inline"), h.Input(h.Type("hidden"), h.Name("state"), h.Value("Active")), h.Button(g.Text("Start")))
	}
	return h.Div(h.Class("row"),
		button(w.path("test"), "Test"), button(w.path("replay"), "Replay"), button(w.path("edit"), "Edit"), state,
		h.Details(h.Summary(g.Text("More")), h.Div(h.Class("row"),
			button(w.path("options"), "Options"), button("/webhooks/new?copy="+w.id(), "Copy as stopped"), button(w.path("secret"), "New secret"), button(w.path("history"), "History"),
			h.A(h.Class("button danger"), h.Href(Path+w.path("delete")), g.Text("Delete")))),
	)
}

// said shows what the last action did, which goTo puts into the query.
func (v *visit) said() g.Node {
	return notice("good", map[string]string{
		"created": "The webhook has been created.", "saved": "The changes are saved.", "stopped": "The webhook is stopped: it is sent nothing.",
		"started": "The webhook is active.", "retried": "Another attempt has been requested.",
	}[v.r.URL.Query().Get("done")])
}

// trouble says in words what is wrong with a webhook, and what to do.
func (v *visit) trouble(w hook, f figures) g.Node {
	var said []g.Node
	switch w.State {
	case "Active":
	case "Stopped":
		said = append(said, notice("", "The webhook is stopped. What happened meanwhile can be replayed after it is started."))
	default:
		said = append(said, notice("error", "The webhook was disabled ("+w.State+"). Correct what its last error says, start it, and replay what it missed."))
	}
	if f.Waiting > 0 {
		since := g.Text("")
		if f.OldestWaiting != nil {
			since = g.Group{g.Text(", the oldest since "), when(*f.OldestWaiting)}
		}
		said = append(said, h.P(h.Class("notice warn"), g.Textf("%s deliveries wait until the target responds again", f.waiting()), since,
			g.Text(". It is tried at growing intervals; then all of them are sent.")))
	}
	if w.LastError != nil {
		first, rest, _ := strings.Cut(*w.LastError, "\n")
		at, words, _ := strings.Cut(first, " ")
		class := "warn"
		if w.ConsecutiveErrors > 0 {
			class = "error"
		}
		stamp, err := time.Parse(time.RFC3339, at)
		if err != nil {
			words = first
		}
		said = append(said, h.Div(h.Class("notice "+class),
			h.Strong(g.Text("Last error")), g.Text(" "), g.If(err == nil, when(stamp)), g.If(w.ConsecutiveErrors > 1, g.Textf(", %d failures in a row", w.ConsecutiveErrors)),
			h.P(g.Text(words)), g.If(rest != "", h.Details(h.Summary(g.Text("What the target responded")), h.Pre(g.Text(rest))))))
	}
	return g.Group(said)
}

// askStop explains what stopping does.
func (v *visit) askStop() (g.Node, error) {
	return v.ask("Stop", "Stop it", "state", []g.Node{h.Input(h.Type("hidden"), h.Name("state"), h.Value("Stopped"))},
		"From then on nothing is sent to it. Deliveries that wait are cancelled, and events that come meanwhile are not kept for it.",
		"After you start it again, a replay sends what it missed.")
}

// askDelete asks before a webhook is deleted.
func (v *visit) askDelete() (g.Node, error) {
	return v.ask("Delete", "Delete it", "delete", nil,
		"Nothing more is sent to it, and it cannot be brought back. Its history and deliveries can be read through the API for as long as they are kept.")
}

// ask asks for a confirmation.
func (v *visit) ask(title, button, to string, fields []g.Node, words ...string) (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	var said []g.Node
	for _, each := range words {
		said = append(said, h.P(g.Text(each)))
	}
	return v.frame(title+" "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text(title))),
		h.Div(h.Class("card narrow"), h.H1(g.Text(title+" "+w.title()+"?")), g.Group(said),
			v.form(w.path(to), append(fields, h.Div(h.Class("row"), h.Button(h.Class("danger"), g.Text(button)), link(w.path(), "No, go back")))...))), nil
}

func (v *visit) changeState() (g.Node, error) {
	id, state := v.r.PathValue("id"), v.r.PostFormValue("state")
	if err := v.api.send(http.MethodPatch, "Webhook/"+url.PathEscape(id), map[string]any{"State": state}, nil); err != nil {
		return nil, err
	}
	done := "started"
	if state == "Stopped" {
		done = "stopped"
	}
	return v.goTo(path("webhooks", id) + "?done=" + done)
}

func (v *visit) deleteWebhook() (g.Node, error) {
	if err := v.api.send(http.MethodDelete, "Webhook/"+url.PathEscape(v.r.PathValue("id")), nil, nil); err != nil && !isStatus(err, http.StatusNotFound) {
		return nil, err
	}
	return v.goTo("/webhooks")
}

// revision is what a webhook was, as its history shows it.
type revision struct {
	Revision  int64
	At, Until time.Time
	Action    string
	By        struct{ Name string }
	Changed   []string
	Webhook   json.RawMessage
}

// showHistory shows what a webhook was before each change.
func (v *visit) showHistory() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	var read struct{ History []revision }
	if err := v.api.get("Webhook/"+w.id()+"/History", nil, &read); err != nil {
		return nil, err
	}
	var rows []g.Node
	for _, each := range read.History {
		rows = append(rows, h.Tr(
			h.Td(when(each.Until)), h.Td(g.Text(each.Action)), h.Td(g.Text(strings.Join(each.Changed, ", "))), h.Td(g.Text(each.By.Name)),
			h.Td(h.Details(h.Summary(g.Textf("Revision %d", each.Revision)), h.Pre(g.Text(indented(each.Webhook)))))))
	}
	return v.frame("History of "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text("History"))),
		h.H1(g.Text("History")),
		table([]string{"Changed", "How", "Members", "By", "What it was before"}, rows, h.P(g.Text("It has not been changed since it was created.")))), nil
}

// indented returns JSON for people to read. Members with null are left out.
func indented(text json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return string(text)
	}
	for name, value := range members {
		if string(value) == "null" || strings.HasSuffix(name, "Associate") || strings.HasPrefix(name, "_") {
			delete(members, name)
		}
	}
	shown, err := json.MarshalIndent(members, "", "  ")
	if err != nil {
		return string(text)
	}
	return string(shown)
}

// deliveries shows a page of a webhook's deliveries, with filters.
func (v *visit) deliveries(w hook) (g.Node, error) {
	given := v.r.URL.Query()
	query := url.Values{"limit": {"25"}}
	for _, name := range []string{"status", "event", "primaryKey", "key", "cursor"} {
		if value := strings.TrimSpace(given.Get(name)); value != "" {
			query.Set(name, value)
		}
	}
	var read struct {
		Deliveries []attempted
		Cursor     *string
	}
	wrong, err := v.api.search("Webhook/"+w.id()+"/Deliveries", query, &read)
	if err != nil {
		return nil, err
	}
	var rows []g.Node
	for _, d := range read.Deliveries {
		rows = append(rows, h.Tr(
			h.Td(link(w.path("deliveries", d.EventID), d.Event), h.Div(h.Class("muted"), g.Text(d.subject()))),
			h.Td(d.badge()), h.Td(h.Class("number"), g.Text(strconv.Itoa(d.AttemptCount))), h.Td(g.Text(d.outcome())), h.Td(when(d.Created))))
	}
	choice := []g.Node{h.Option(h.Value(""), g.Text("any"))}
	for _, status := range []string{"pending", "delivered", "failed", "cancelled", "expired"} {
		choice = append(choice, h.Option(h.Value(status), g.If(given.Get("status") == status, h.Selected()), g.Text(status)))
	}
	filtered := slices.ContainsFunc([]string{"status", "event", "primaryKey", "key"}, func(name string) bool { return query.Has(name) })
	empty := []g.Node{h.P(g.Text("Nothing has been sent to it yet.")), link("/send", "Send an event")}
	switch {
	case read.Cursor != nil:
		empty = []g.Node{h.P(g.Text("Nothing here matches. Older deliveries may."))}
	case filtered:
		empty = []g.Node{h.P(g.Text("No delivery matches.")), link(w.path(), "Show all")}
	}
	return g.Group{
		h.Form(h.Class("filters"), h.Method("get"),
			field("Status", h.Select(append([]g.Node{h.Name("status")}, choice...)...), ""),
			field("Event", h.Input(h.Name("event"), h.Value(given.Get("event"))), ""),
			field("Primary key", h.Input(h.Name("primaryKey"), g.Attr("inputmode", "numeric"), h.Value(given.Get("primaryKey"))), ""),
			field("Key", h.Input(h.Name("key"), h.Value(given.Get("key"))), ""), h.Button(g.Text("Filter"))),
		notice("error", wrong),
		table([]string{"Event", "Status", "Attempts", "Outcome", "Created"}, rows, empty...),
		older(v.r.URL, read.Cursor),
	}, nil
}

// older leads to the next page of a list.
func older(u *url.URL, cursor *string) g.Node {
	if cursor == nil {
		return g.Text("")
	}
	query := u.Query()
	query.Set("cursor", *cursor)
	query.Del("done")
	return h.P(link(strings.TrimPrefix(u.Path, Path)+"?"+query.Encode(), "Older"))
}
