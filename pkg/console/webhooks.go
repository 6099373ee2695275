package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// hook is a webhook as the API shows it.
type hook struct {
	WebhookID         int32 `json:"WebhookId"`
	Name              string
	Events            []string
	TargetURL         string `json:"TargetUrl"`
	Secret            *string
	State             string
	Headers           map[string]string
	Description       string
	TotalCalls        int
	TotalErrors       int
	ConsecutiveErrors int
	LastError         *string
	Registered        string
	Updated           string
}

func (w hook) id() string { return strconv.Itoa(int(w.WebhookID)) }

func (w hook) path(more ...string) string {
	return path(append([]string{"webhooks", w.id()}, more...)...)
}

func (w hook) title() string {
	if w.Name == "" {
		return "Webhook " + w.id()
	}
	return w.Name
}

// figures are a webhook's statistics of the last 24 hours.
type figures struct {
	WebhookID     int32 `json:"WebhookId"`
	Hours         []hour
	Waiting       int
	WaitingMore   bool
	OldestWaiting *time.Time
	Health        string
}

func (f figures) sum() (delivered, failed int) {
	for _, each := range f.Hours {
		delivered, failed = delivered+each.Delivered, failed+each.Failed
	}
	return delivered, failed
}

// waiting returns how many deliveries wait for the target to recover.
func (f figures) waiting() string {
	if f.WaitingMore {
		return strconv.Itoa(f.Waiting) + "+"
	}
	return strconv.Itoa(f.Waiting)
}

// condition is a webhook's state in a word: what it is set to, and if it is Active, how
// its target does.
func condition(w hook, f figures) g.Node {
	_, failed := f.sum()
	switch {
	case w.State == "Stopped":
		return badge("", "stopped")
	case w.State != "Active":
		return badge("bad", "disabled")
	case f.Waiting > 0:
		return badge("warn", "waiting")
	case f.Health == "Failing":
		return badge("bad", "failing")
	case failed > 0:
		return badge("warn", "failed in the last 24 h")
	}
	return badge("good", "healthy")
}

const (
	listPage = 50
	// listed are the members that the list needs.
	listed = "WebhookId,Name,Events,TargetUrl,State,ConsecutiveErrors"
)

// listWebhooks shows a page of the webhooks: one call lists them, and one has their
// figures.
func (v *visit) listWebhooks() (g.Node, error) {
	query := v.r.URL.Query()
	search := strings.TrimSpace(query.Get("q"))
	skip, _ := strconv.Atoi(query.Get("skip"))
	skip = max(skip, 0)
	page, more, err := v.webhooks(search, skip)
	if err != nil {
		return nil, err
	}
	statistics, err := v.figures(page)
	if err != nil {
		return nil, err
	}
	var rows []g.Node
	for _, w := range page {
		f := statistics[w.WebhookID]
		rows = append(rows, h.Tr(
			h.Td(link(w.path(), w.title()), h.Div(h.Class("muted url"), g.Text(w.TargetURL))),
			h.Td(condition(w, f)),
			h.Td(h.Class("code"), g.Text(few(w.Events, 3))),
			h.Td(h.Class("number"), g.If(f.Waiting > 0, g.Text(f.waiting()))),
			h.Td(h.Class("number"), g.If(w.ConsecutiveErrors > 0, g.Text(strconv.Itoa(w.ConsecutiveErrors)))),
			h.Td(bars(f.Hours, 144, 28)),
		))
	}
	empty := []g.Node{h.P(g.Text("There are no webhooks yet.")), h.A(h.Class("button primary"), h.Href(Path+"/webhooks/new"), g.Text("Create the first one"))}
	if search != "" {
		empty = []g.Node{h.P(g.Text("No webhook has that in its name, target or events.")), link("/webhooks", "Show all")}
	}
	turn := func(text string, to int) g.Node {
		values := url.Values{"skip": {strconv.Itoa(max(to, 0))}}
		if search != "" {
			values.Set("q", search)
		}
		return link("/webhooks?"+values.Encode(), text)
	}
	return v.frame("Webhooks", "Webhooks",
		h.Div(h.Class("row spread"), h.H1(g.Text("Webhooks")), h.A(h.Class("button primary"), h.Href(Path+"/webhooks/new"), g.Text("New webhook"))),
		h.Form(h.Class("search"), h.Method("get"), h.Role("search"),
			h.Input(h.Name("q"), h.Type("search"), h.Value(search), h.Placeholder("Name, target or event"), h.Aria("label", "Search")), h.Button(g.Text("Search"))),
		h.P(),
		table([]string{"Name", "State", "Events", "Waiting", "Failures in a row", "Last 24 hours"}, rows, empty...),
		h.P(h.Class("row"), g.If(skip > 0, turn("Previous", skip-listPage)), g.If(more, turn("Next", skip+listPage))),
	), nil
}

// webhooks reads a page of the webhooks. A search looks at all of them.
func (v *visit) webhooks(search string, skip int) (page []hook, more bool, err error) {
	query := url.Values{"$select": {listed}}
	if search == "" {
		query.Set("$skip", strconv.Itoa(skip))
		query.Set("$top", strconv.Itoa(listPage+1))
		skip = 0
	}
	if err := v.api.get("Webhook", query, &page); err != nil {
		return nil, false, err
	}
	if search != "" {
		page = slices.DeleteFunc(page, func(w hook) bool { return !w.has(search) })
	}
	page = page[min(skip, len(page)):]
	if more = len(page) > listPage; more {
		page = page[:listPage]
	}
	return page, more, nil
}

// has reports whether a webhook's name, target or events contain a text.
func (w hook) has(text string) bool {
	return strings.Contains(strings.ToLower(w.Name+"\n"+w.TargetURL+"\n"+strings.Join(w.Events, "\n")), strings.ToLower(text))
}

// figures reads the statistics of at most fifty webhooks.
func (v *visit) figures(of []hook) (map[int32]figures, error) {
	if len(of) == 0 {
		return nil, nil
	}
	var ids []string
	for _, w := range of {
		ids = append(ids, w.id())
	}
	var read struct{ Webhooks []figures }
	if err := v.api.get("Stats", url.Values{"ids": {strings.Join(ids, ",")}}, &read); err != nil {
		return nil, err
	}
	found := map[int32]figures{}
	for _, f := range read.Webhooks {
		found[f.WebhookID] = f
	}
	return found, nil
}

// few joins the first names of a list and counts the rest.
func few(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
