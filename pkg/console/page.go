package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// compressFrom is how large a response is that is compressed, if the browser accepts that.
const compressFrom = 10 << 10

// write writes a page.
func (v *visit) write(status int, page g.Node) {
	var b bytes.Buffer
	_ = page.Render(&b) // a buffer takes everything
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	send(v.w, v.r, status, b.Bytes())
}

func send(w http.ResponseWriter, r *http.Request, status int, content []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(content) > compressFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(content)
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		content = b.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	_, _ = w.Write(content)
}

// fail shows why there is no page, and what to do. Without a session it leads to the page
// to sign in.
func (v *visit) fail(ctx context.Context, err error) {
	if errors.Is(err, errSignIn) || isStatus(err, http.StatusUnauthorized) {
		next := ""
		if v.r.Method == http.MethodGet {
			next = "?next=" + url.QueryEscape(v.r.URL.RequestURI())
		}
		http.Redirect(v.w, v.r, Path+"/sign-in"+next, http.StatusSeeOther)
		return
	}
	p := &problem{status: http.StatusInternalServerError, text: "The page could not be made."}
	if !errors.As(err, &p) {
		v.Logger.ErrorContext(ctx, "cannot make page", "path", v.r.Pattern, "error", err)
	}
	title, advice := "Something went wrong", "Try again in a minute. If it stays, look at the log of ApiFunction."
	switch p.status {
	case http.StatusNotFound:
		title, advice = "Not found", "It may have been deleted, or its time of retention may be over."
	case http.StatusForbidden:
		title, advice = "Not allowed", "Sign in with a credential that has the scope webhooks."
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		title, advice = "Busy", "Try again in a minute."
	case http.StatusConflict:
		title, advice = "It has changed meanwhile", "Go back, reload the page and try again."
	case http.StatusBadRequest:
		title, advice = "That is not possible", "Go back and change what the message names."
	}
	v.write(p.status, v.frame(title, "",
		h.Div(h.Class("card narrow"), h.H1(g.Text(title)), h.P(g.Text(p.text)), h.P(h.Class("muted"), g.Text(advice)),
			h.A(h.Class("button"), h.Href(Path+"/webhooks"), g.Text("To the webhooks")))))
}

// frame is a whole page. place is the entry of the navigation that it belongs to.
func (v *visit) frame(title, place string, content ...g.Node) g.Node {
	signedIn := v.api.token != "" && place != ""
	link := func(name, path string) g.Node {
		return h.A(h.Href(Path+path), g.If(place == name, h.Aria("current", "page")), g.Text(name))
	}
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")), h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(title+" · Posthaste")),
			h.Link(h.Rel("stylesheet"), h.Href(styleSheet.path())),
			h.Script(h.Src(script.path()), h.Defer()),
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#main"), g.Text("Skip to the content")),
			h.Header(h.A(h.Class("brand"), h.Href(Path+"/webhooks"), g.Text("Posthaste")),
				g.If(signedIn, h.Nav(h.Aria("label", "Pages"), link("Webhooks", "/webhooks"), link("Events", "/events"), link("Send", "/send"))),
				g.If(signedIn, v.form("/sign-out", h.Button(h.Class("link"), g.Text("Sign out")))),
			),
			h.Main(append([]g.Node{h.ID("main")}, content...)...),
		),
	))
}

// form is a form that is sent to a page, with the session's token.
func (v *visit) form(path string, content ...g.Node) g.Node {
	return h.Form(append([]g.Node{
		h.Method("post"), h.Action(Path + path), h.Input(h.Type("hidden"), h.Name(tokenField), h.Value(v.api.token)),
	}, content...)...)
}

// field is an input with its label and, below it, what it is for.
func field(label string, input g.Node, help string) g.Node {
	return h.Label(h.Class("field"), h.Span(h.Class("label"), g.Text(label)), input, g.If(help != "", h.Span(h.Class("help"), g.Text(help))))
}

// notice is a message; nothing without a text.
func notice(class, text string) g.Node {
	return g.If(text != "", h.P(h.Class("notice "+class), h.Role("status"), g.Text(text)))
}

// path joins segments to a path below Path, each escaped.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// link leads to a page of the console.
func link(to, text string) g.Node { return h.A(h.Href(Path+to), g.Text(text)) }

// when shows a time: in UTC, or by console.js in the reader's zone. Zero is a dash.
func when(at time.Time) g.Node {
	if at.IsZero() {
		return g.Text("–")
	}
	utc := at.UTC().Format("2006-01-02 15:04:05") + " UTC"
	return h.Time(h.DateTime(at.UTC().Format(time.RFC3339)), h.Title(utc), g.Text(utc))
}

// badge is a word with a color that only repeats it.
func badge(kind, text string) g.Node { return h.Span(h.Class("badge "+kind), g.Text(text)) }

// facts is a list of names and values.
func facts(pairs ...g.Node) g.Node { return h.Dl(append([]g.Node{h.Class("facts")}, pairs...)...) }

func fact(name string, value ...g.Node) g.Node {
	return g.Group{h.Dt(g.Text(name)), h.Dd(value...)}
}

// table is a table that scrolls sideways on a phone. empty is shown without rows.
func table(head []string, rows []g.Node, empty ...g.Node) g.Node {
	if len(rows) == 0 {
		return h.Div(append([]g.Node{h.Class("empty")}, empty...)...)
	}
	var names []g.Node
	for _, name := range head {
		names = append(names, h.Th(h.Scope("col"), g.Text(name)))
	}
	return h.Div(h.Class("scroll"), h.TabIndex("0"), h.Role("region"), h.Aria("label", "Table"), h.Table(h.THead(h.Tr(names...)), h.TBody(rows...)))
}

// crumbs lead back to the pages above.
func crumbs(links ...g.Node) g.Node {
	var items []g.Node
	for _, l := range links {
		items = append(items, h.Li(l))
	}
	return h.Nav(h.Class("crumbs"), h.Aria("label", "Breadcrumb"), h.Ol(items...))
}

// safeLink links to a URL from data if it is http or https, and is text otherwise.
func safeLink(to string) g.Node {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return h.Span(h.Class("url"), g.Text(to))
	}
	return h.A(h.Class("url"), h.Href(to), h.Rel("noopener noreferrer nofollow"), h.Target("_blank"), g.Text(to))
}
