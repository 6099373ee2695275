package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// replayed is a replay as the API shows it.
type replayed struct {
	JobID    string `json:"JobId"`
	Status   string
	Reason   *string
	DryRun   bool
	Only     []string
	Examined int
	Created  int
	Counts   []struct {
		Reason, Status, Code string
		Count                int
	}
	RemainingSeconds *int
	From, To         time.Time
	Started          time.Time
}

// askReplay shows the form of a replay, and those before.
func (v *visit) askReplay() (g.Node, error) { return v.replayForm("") }

func (v *visit) replayForm(wrong string) (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	var read struct{ Replays []replayed }
	if err := v.api.get("Webhook/"+w.id()+"/Replay", nil, &read); err != nil {
		return nil, err
	}
	var rows []g.Node
	for _, r := range read.Replays {
		kind := "replay"
		if r.DryRun {
			kind = "count only"
		}
		rows = append(rows, h.Tr(h.Td(link(w.path("replay", r.JobID), r.Started.UTC().Format("2006-01-02 15:04"))), h.Td(g.Text(kind)), h.Td(g.Text(r.Status)),
			h.Td(when(r.From)), h.Td(when(r.To)), h.Td(h.Class("number"), g.Text(strconv.Itoa(r.Created)))))
	}
	from := v.r.PostFormValue("from")
	if from == "" {
		from = v.Now().UTC().Add(-24 * time.Hour).Format("2006-01-02T15:04")
	}
	check := func(value, text string, checked bool) g.Node {
		return h.Label(h.Class("check"), h.Input(h.Type("checkbox"), h.Name("only"), h.Value(value), g.If(checked, h.Checked())), h.Span(g.Text(text)))
	}
	return v.frame("Replay to "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text("Replay"))),
		h.H1(g.Text("Replay to "+w.title())),
		v.form(w.path("replay"), h.Class("card"),
			notice("error", wrong),
			h.P(h.Class("muted"), g.Text("Sends past events again, under the same event ids. First they are only counted; then you decide.")),
			h.Div(h.Class("filters"),
				field("From (UTC)", h.Input(h.Name("from"), h.Type("datetime-local"), h.Value(from), h.Required()), ""),
				field("To (UTC)", h.Input(h.Name("to"), h.Type("datetime-local"), h.Value(v.r.PostFormValue("to"))), ""),
				field("Event", h.Input(h.Name("events"), h.Value(v.r.PostFormValue("events")), h.Placeholder("all that it is subscribed to")), "")),
			h.FieldSet(h.Legend(g.Text("Which events")),
				check("Missing", "that never were sent to it, although it is subscribed", true), check("Failed", "whose delivery failed", true), check("Delivered", "that were delivered", false)),
			h.Button(h.Class("primary"), h.Name("do"), h.Value("count"), g.Text("Count them")),
		),
		h.H2(g.Text("Earlier ones")),
		table([]string{"Started (UTC)", "Kind", "Status", "From", "To", "Sent"}, rows, h.P(g.Text("There has been no replay of this webhook in the last 30 days."))),
	), nil
}

// beginReplay begins a dry run, or with do=send the replay.
func (v *visit) beginReplay() (g.Node, error) {
	id := v.r.PathValue("id")
	if err := v.r.ParseForm(); err != nil {
		return nil, &problem{status: http.StatusBadRequest, text: "The form cannot be read."}
	}
	asked := map[string]any{"DryRun": v.r.PostFormValue("do") != "send", "Only": v.r.PostForm["only"]}
	for _, name := range []string{"from", "to"} {
		value := v.r.PostFormValue(name)
		if at, err := time.Parse("2006-01-02T15:04", value); err == nil {
			value = at.Format(time.RFC3339)
		}
		if value != "" {
			asked[strings.ToUpper(name[:1])+name[1:]] = value
		}
	}
	if events := strings.FieldsFunc(v.r.PostFormValue("events"), func(r rune) bool { return r == ' ' || r == ',' }); len(events) > 0 {
		asked["Events"] = events
	}
	var begun replayed
	err := v.api.send(http.MethodPost, "Webhook/"+url.PathEscape(id)+"/Replay", asked, &begun)
	if isStatus(err, http.StatusBadRequest) || isStatus(err, http.StatusConflict) {
		page, failed := v.replayForm(err.Error())
		if failed != nil {
			return nil, failed
		}
		v.write(http.StatusBadRequest, page)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v.goTo(path("webhooks", id, "replay", begun.JobID))
}

// showReplay shows the progress of a replay, and after a dry run offers to send what was
// counted. While it runs the page is loaded again every three seconds.
func (v *visit) showReplay() (g.Node, error) {
	w, err := v.read()
	if err != nil {
		return nil, err
	}
	var r replayed
	if err := v.api.get("Webhook/"+w.id()+"/Replay/"+url.PathEscape(v.r.PathValue("job")), nil, &r); err != nil {
		return nil, err
	}
	running := r.Status == "Running"
	if running {
		v.w.Header().Set("Refresh", "3")
	}
	title := "Replay"
	if r.DryRun {
		title = "Count of a replay"
	}
	total := 0
	var counts []g.Node
	for _, c := range r.Counts {
		total += c.Count
		counts = append(counts, fact(strings.ToLower(c.Reason+c.Status+words(c.Code)), g.Text(strconv.Itoa(c.Count))))
	}
	left := g.Node(g.Text(""))
	if running && r.RemainingSeconds != nil {
		left = h.P(g.Textf("About %s are left.", (time.Duration(*r.RemainingSeconds) * time.Second).String()))
	}
	var only []g.Node
	for _, each := range r.Only {
		only = append(only, h.Input(h.Type("hidden"), h.Name("only"), h.Value(each)))
	}
	return v.frame(title, "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), link(w.path("replay"), "Replay"), h.Span(g.Text(title))),
		h.Div(h.Class("row spread"), h.H1(g.Text(title+" "), badge(map[string]string{"Done": "good", "Running": "warn", "Failed": "bad"}[r.Status], strings.ToLower(r.Status))),
			g.If(running, v.form(w.path("replay", r.JobID, "cancel"), h.Button(h.Class("danger"), g.Text("Cancel"))))),
		g.If(r.Reason != nil, notice("warn", deref(r.Reason))),
		h.Div(h.Class("card"),
			g.If(running, h.Progress(h.Aria("label", "Progress"))), left,
			facts(fact("From", when(r.From)), fact("To", when(r.To)), fact("Which", g.Text(strings.ToLower(strings.Join(r.Only, ", ")))),
				fact("Events examined", g.Text(strconv.Itoa(r.Examined))), fact(map[bool]string{true: "To be sent", false: "Sent"}[r.DryRun], g.Text(strconv.Itoa(max(r.Created, total)))), g.Group(counts))),
		g.If(r.DryRun && !running, v.form(w.path("replay"), append(only,
			h.Input(h.Type("hidden"), h.Name("from"), h.Value(r.From.UTC().Format(time.RFC3339Nano))), h.Input(h.Type("hidden"), h.Name("to"), h.Value(r.To.UTC().Format(time.RFC3339Nano))),
			h.Div(h.Class("row"), h.Button(h.Class("primary"), h.Name("do"), h.Value("send"), g.Text(fmt.Sprintf("Send %d events", max(r.Created, total)))), link(w.path("replay"), "Choose others")))...)),
	), nil
}

func (v *visit) cancelReplay() (g.Node, error) {
	id, job := v.r.PathValue("id"), v.r.PathValue("job")
	if err := v.api.send(http.MethodDelete, "Webhook/"+url.PathEscape(id)+"/Replay/"+url.PathEscape(job), nil, nil); err != nil {
		return nil, err
	}
	return v.goTo(path("webhooks", id, "replay", job))
}
