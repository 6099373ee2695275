package auth

import (
	"net/http"
	"time"
)

// The cookies of a browser's session.
const (
	SessionCookie = "posthaste_session"
	XSRFCookie    = "XSRF-TOKEN" // pages send its value as the header X-XSRF-TOKEN too
)

// SessionLife is how long a session lasts at most.
const SessionLife = 8 * time.Hour

// cookies returns the cookies of a session that ends after life. A browser does
// not send them from another site's pages.
func cookies(session, xsrf string, life time.Duration) []*http.Cookie {
	return []*http.Cookie{
		cookie(SessionCookie, session, life, true),
		cookie(XSRFCookie, xsrf, life, false),
	}
}

// forgotten returns cookies that make a browser forget those of a session.
func forgotten() []*http.Cookie { return cookies("", "", 0) }

func cookie(name, value string, life time.Duration, httpOnly bool) *http.Cookie {
	age := int(life.Seconds())
	if age <= 0 {
		age = -1 // written as Max-Age=0; zero would omit Max-Age
	}
	return &http.Cookie{ //nolint:gosec // the writer decides on Secure, and pages must read the XSRF token
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: httpOnly, SameSite: http.SameSiteStrictMode,
	}
}
