package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Sessions begins and ends browsers' sessions.
type Sessions interface {
	// StartSession begins a session for whom the request's credential stands
	// for. Errors as Authenticate's, and webhook.ErrForbidden for the
	// administrator.
	StartSession(r *http.Request) (tenancy.Session, webhook.Principal, error)
	// EndSession ends the session that the request belongs to.
	// webhook.ErrUnauthorized if it belongs to none.
	EndSession(r *http.Request) (webhook.Principal, error)
}

// startSession answers a credential with the cookies of a session.
func (a *api) startSession(c *call) (reply, error) {
	if c.tenantSegment != "" { // before there is a session
		who, err := a.Auth.Authenticate(c.Request)
		if c.who = who; err != nil {
			return reply{}, a.unauthorized(err)
		}
		if c.tenantSegment != who.Tenant {
			return reply{}, webhook.ErrWrongTenant
		}
	}
	started, who, err := a.Sessions.StartSession(c.Request)
	if c.who = who; err != nil {
		return reply{}, a.unauthorized(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "start session", tenant: who.Tenant})
	return noContent(a.cookies(c, started)), nil
}

func (a *api) endSession(c *call) (reply, error) {
	who, err := a.Sessions.EndSession(c.Request)
	if c.who = who; err != nil {
		return reply{}, a.unauthorized(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "end session", tenant: who.Tenant})
	return noContent(a.cookies(c, tenancy.Session{})), nil
}

// cookies returns the header that sets a session's cookies, or makes a browser
// forget them if the session is zero. No other site's page makes a browser send
// them, and only over TLS where the call came over it.
func (a *api) cookies(c *call, s tenancy.Session) http.Header {
	secure := c.TLS != nil || strings.HasPrefix(a.PublicURL, "https:")
	age := int(s.Life.Seconds())
	if age <= 0 {
		age = -1 // sent as Max-Age=0; a zero would send none
	}
	h := http.Header{}
	set := func(name string, value webhook.Secret, httpOnly bool) {
		cookie := http.Cookie{ //nolint:gosec // the local run has no TLS, and pages must read the XSRF token
			Name: name, Value: value.Reveal(), Path: "/", MaxAge: age,
			Secure: secure, HttpOnly: httpOnly, SameSite: http.SameSiteStrictMode,
		}
		h.Add("Set-Cookie", cookie.String())
	}
	set(tenancy.SessionCookie, s.Token, true)
	set(tenancy.XSRFCookie, s.XSRF, false)
	return h
}

// unauthorized adds the hint to a 401, where there is one.
func (a *api) unauthorized(err error) error {
	if a.UnauthorizedHint == "" || !errors.Is(err, webhook.ErrUnauthorized) {
		return err
	}
	return hint(err, webhook.ErrUnauthorized, a.UnauthorizedHint)
}
