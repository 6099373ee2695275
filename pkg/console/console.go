package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	g "maragu.dev/gomponents"
)

// Path is where the console is mounted.
const Path = "/console"

// Config is what the console needs. All fields must be set.
type Config struct {
	// API is the handler of the API. Pages call it.
	API http.Handler
	// Begin returns the context of a page's calls: they are authenticated once, and
	// logged and audited as made by the console.
	Begin func(ctx context.Context) context.Context
	// CrossSite refuses calls from other sites' pages, as the API does.
	CrossSite *http.CrossOriginProtection
	Logger    *slog.Logger
	Now       func() time.Time
	Random    io.Reader // draws secrets of webhooks
}

// console is the receiver of all pages.
type console struct {
	Config
	mux *http.ServeMux
}

// contentPolicy allows pages nothing from elsewhere, and nothing inline.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// New returns the handler of everything under Path. It is safe for concurrent use, and
// keeps no state between calls.
func New(cfg Config) http.Handler {
	c := &console{Config: cfg, mux: http.NewServeMux()}
	c.mux.Handle("GET "+assetPath+"{name}", http.HandlerFunc(serveAsset))
	c.mux.Handle("GET "+Path+"/sign-in", c.open((*visit).signInPage))
	c.mux.Handle("POST "+Path+"/sign-in", c.open((*visit).signIn))
	for pattern, show := range map[string]func(*visit) (g.Node, error){
		"GET /{$}":                                     (*visit).home,
		"POST /sign-out":                               (*visit).signOut,
		"GET /webhooks":                                (*visit).listWebhooks,
		"GET /webhooks/new":                            (*visit).newWebhook,
		"POST /webhooks/new":                           (*visit).createWebhook,
		"GET /webhooks/{id}":                           (*visit).showWebhook,
		"GET /webhooks/{id}/edit":                      (*visit).editWebhook,
		"POST /webhooks/{id}/edit":                     (*visit).changeWebhook,
		"GET /webhooks/{id}/secret":                    (*visit).askRotation,
		"POST /webhooks/{id}/secret":                   (*visit).rotateSecret,
		"GET /webhooks/{id}/stop":                      (*visit).askStop,
		"POST /webhooks/{id}/state":                    (*visit).changeState,
		"GET /webhooks/{id}/delete":                    (*visit).askDelete,
		"POST /webhooks/{id}/delete":                   (*visit).deleteWebhook,
		"GET /webhooks/{id}/test":                      (*visit).testPage,
		"POST /webhooks/{id}/test":                     (*visit).testWebhook,
		"GET /webhooks/{id}/options":                   (*visit).showOptions,
		"POST /webhooks/{id}/options":                  (*visit).changeOptions,
		"GET /webhooks/{id}/history":                   (*visit).showHistory,
		"GET /webhooks/{id}/replay":                    (*visit).askReplay,
		"POST /webhooks/{id}/replay":                   (*visit).beginReplay,
		"GET /webhooks/{id}/replay/{job}":              (*visit).showReplay,
		"POST /webhooks/{id}/replay/{job}/cancel":      (*visit).cancelReplay,
		"GET /webhooks/{id}/deliveries/{event}":        (*visit).showDelivery,
		"POST /webhooks/{id}/deliveries/{event}/retry": (*visit).retryDelivery,
		"GET /events":                                  (*visit).listEvents,
		"GET /events/{event}":                          (*visit).showEvent,
		"GET /send":                                    (*visit).sendPage,
		"POST /send":                                   (*visit).sendEvent,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		c.mux.Handle(method+" "+Path+path, c.page(show))
	}
	return c
}

// ServeHTTP implements http.Handler.
func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if r.URL.Path == Path {
		http.Redirect(w, r, Path+"/", http.StatusSeeOther)
		return
	}
	v := &visit{console: c, w: w, r: r, api: newClient(c, r)}
	if _, pattern := c.mux.Handler(r); pattern == "" {
		v.fail(r.Context(), &problem{status: http.StatusNotFound, text: "There is no such page."})
		return
	}
	if c.CrossSite.Check(r) != nil {
		v.fail(r.Context(), &problem{status: http.StatusForbidden, text: "The form was sent by a page of another site. Open the page here and send it again."})
		return
	}
	c.mux.ServeHTTP(w, r)
}

// visit is one request for a page.
type visit struct {
	*console
	w   http.ResponseWriter
	r   *http.Request
	api *client
}

// page returns the handler of a page for readers with a session. A POST must carry the
// session's token.
func (c *console) page(show func(*visit) (g.Node, error)) http.Handler {
	return c.open(func(v *visit) (g.Node, error) {
		if v.api.token == "" {
			return nil, errSignIn
		}
		if v.r.Method == http.MethodPost && v.r.PostFormValue(tokenField) != v.api.token {
			return nil, &problem{status: http.StatusForbidden, text: "The form is out of date. Go back, reload the page and send it again."}
		}
		return show(v)
	})
}

// open returns the handler of a page that needs no session.
func (c *console) open(show func(*visit) (g.Node, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v := &visit{console: c, w: w, r: r, api: newClient(c, r)}
		node, err := show(v)
		if err != nil {
			v.fail(r.Context(), err)
			return
		}
		if node != nil {
			v.write(http.StatusOK, node)
		}
	})
}

// maxForm is how large a form may be: an event with its data is the largest.
const maxForm = 1 << 20

// errSignIn leads to the page to sign in.
var errSignIn = errors.New("not signed in")

// goTo leads to another page of the console, as the response to a form. The response to
// a POST is never a page, so that reloading it sends nothing twice; the exceptions show
// a secret or what is wrong with a form.
func (v *visit) goTo(path string) (g.Node, error) {
	http.Redirect(v.w, v.r, Path+path, http.StatusSeeOther)
	return nil, nil
}
