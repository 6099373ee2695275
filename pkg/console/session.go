package console

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

func (v *visit) home() (g.Node, error) { return v.goTo("/webhooks") }

// signInPage shows the form for a user name and password, or a token.
func (v *visit) signInPage() (g.Node, error) {
	return v.signInForm(v.r.URL.Query().Get("next"), ""), nil
}

func (v *visit) signInForm(next, wrong string) g.Node {
	return v.frame("Sign in", "",
		h.Form(h.Class("card narrow"), h.Method("post"), h.Action(Path+"/sign-in"),
			h.H1(g.Text("Sign in")),
			notice("error", wrong),
			h.Input(h.Type("hidden"), h.Name("next"), h.Value(next)),
			field("User name", h.Input(h.Name("user"), h.AutoComplete("username"), h.AutoFocus()), "Leave it empty to sign in with a bearer token or ticket."),
			field("Password or token", h.Input(h.Name("password"), h.Type("password"), h.AutoComplete("current-password"), h.Required()), ""),
			h.Button(h.Class("primary"), g.Text("Sign in")),
		))
}

// signIn exchanges a credential for a session, whose cookies the API makes.
func (v *visit) signIn() (g.Node, error) {
	user, password, next := strings.TrimSpace(v.r.PostFormValue("user")), v.r.PostFormValue("password"), v.r.PostFormValue("next")
	credential := "Bearer " + password
	switch {
	case user != "":
		credential = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	case strings.HasPrefix(password, "7T:"):
		credential = "SOTicket " + password
	}
	started, err := v.api.call(http.MethodPost, "Session", http.NoBody, http.Header{"Authorization": {credential}})
	var p *problem
	switch {
	case errors.As(err, &p) && p.status == http.StatusUnauthorized:
		v.write(http.StatusUnauthorized, v.signInForm(next, "No credential of that name and password is known."))
		return nil, nil
	case errors.As(err, &p) && p.status < http.StatusInternalServerError:
		v.write(p.status, v.signInForm(next, p.text))
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, cookie := range started.header["Set-Cookie"] {
		v.w.Header().Add("Set-Cookie", cookie)
	}
	return v.goTo(ownPath(next))
}

// ownPath returns the path of a page of the console to go to, below Path. Anything else
// leads to the first page.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, Path+"/") || strings.Contains(next, `\`) {
		return "/webhooks"
	}
	u.Fragment = ""
	return strings.TrimPrefix(u.String(), Path)
}

func (v *visit) signOut() (g.Node, error) {
	ended, err := v.api.call(http.MethodDelete, "Session", http.NoBody, nil)
	if err != nil && !isStatus(err, http.StatusUnauthorized) {
		return nil, err
	}
	if ended != nil {
		for _, cookie := range ended.header["Set-Cookie"] {
			v.w.Header().Add("Set-Cookie", cookie)
		}
	}
	return v.goTo("/sign-in")
}
