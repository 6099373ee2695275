package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Sessions starts and ends browser sessions.
type Sessions interface {
	// StartSession starts a session for the principal of the request's
	// credential, and returns its cookies. named is as in Authenticate, and so are
	// the errors; it returns webhook.ErrForbidden for the administrator and
	// publishers.
	StartSession(r *http.Request, named webhook.Tenant) ([]*http.Cookie, webhook.Principal, error)
	// EndSession ends the request's session, and returns cookies that make the
	// browser forget it. It returns webhook.ErrUnauthorized if the request has no
	// session.
	EndSession(r *http.Request) ([]*http.Cookie, webhook.Principal, error)
}

// startSession exchanges a credential for the cookies of a session.
func (a *api) startSession(c *call) (reply, error) {
	if c.tenantSegment != "" { // check it before the session starts
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

// cookies returns the header that sets a session's cookies. They are Secure if the
// call came over TLS or PublicURL is https.
func (a *api) cookies(c *call, session []*http.Cookie) http.Header {
	secure := c.TLS != nil || strings.HasPrefix(a.PublicURL, "https:")
	h := http.Header{}
	for _, cookie := range session {
		cookie.Secure = secure
		h.Add("Set-Cookie", cookie.String())
	}
	return h
}

// unauthorized adds UnauthorizedHint to a 401.
func (a *api) unauthorized(err error) error {
	if a.UnauthorizedHint == "" || !errors.Is(err, webhook.ErrUnauthorized) {
		return err
	}
	return hint(err, webhook.ErrUnauthorized, a.UnauthorizedHint)
}
