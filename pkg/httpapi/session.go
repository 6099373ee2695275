package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Sessions begins and ends browsers' sessions.
type Sessions interface {
	// StartSession starts a session for the caller that the request's credential
	// identifies, and returns the session's cookies. named is as in Authenticate,
	// and so are the errors; webhook.ErrForbidden for the administrator and
	// publishers.
	StartSession(r *http.Request, named webhook.Tenant) ([]*http.Cookie, webhook.Principal, error)
	// EndSession ends the session that the request belongs to, and returns
	// cookies that make the browser forget it. webhook.ErrUnauthorized if it
	// belongs to none.
	EndSession(r *http.Request) ([]*http.Cookie, webhook.Principal, error)
}

// startSession answers a credential with the cookies of a session.
func (a *api) startSession(c *call) (reply, error) {
	if c.tenantSegment != "" { // before there is a session
		who, err := a.Auth.Authenticate(c.Request, c.tenantSegment)
		if c.who = who; err != nil {
			return reply{}, a.unauthorized(err)
		}
		if c.tenantSegment != who.Tenant {
			return reply{}, webhook.ErrWrongTenant
		}
	}
	started, who, err := a.Sessions.StartSession(c.Request, c.tenantSegment)
	if c.who = who; err != nil {
		return reply{}, a.unauthorized(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "start session", tenant: who.Tenant})
	return noContent(a.cookies(c, started)), nil
}

func (a *api) endSession(c *call) (reply, error) {
	forgotten, who, err := a.Sessions.EndSession(c.Request)
	if c.who = who; err != nil {
		return reply{}, a.unauthorized(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "end session", tenant: who.Tenant})
	return noContent(a.cookies(c, forgotten)), nil
}

// cookies returns the header that sets a session's cookies, which a browser sends
// over TLS only where the call came over it.
func (a *api) cookies(c *call, session []*http.Cookie) http.Header {
	secure := c.TLS != nil || strings.HasPrefix(a.PublicURL, "https:")
	h := http.Header{}
	for _, cookie := range session {
		cookie.Secure = secure
		h.Add("Set-Cookie", cookie.String())
	}
	return h
}

// unauthorized adds the hint to a 401, where there is one.
func (a *api) unauthorized(err error) error {
	if a.UnauthorizedHint == "" || !errors.Is(err, webhook.ErrUnauthorized) {
		return err
	}
	return hint(err, webhook.ErrUnauthorized, a.UnauthorizedHint)
}
