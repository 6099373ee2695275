package auth

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
)

// kindToken is a bearer token of an external issuer. It is never stored.
const kindToken tenancy.CredentialKind = "token"

// The headers that carry credentials, in addition to Authorization.
const (
	headerAppToken  = "SO-AppToken"
	headerXSRFToken = "X-XSRF-TOKEN" //nolint:gosec // a name
)

// presented is the credential that a request carries.
type presented struct {
	kind tenancy.CredentialKind
	text string
	// user is the user name of a Basic credential, known or not.
	user string
	// app is the SO-AppToken; withApp reports whether the request has one.
	app     string
	withApp bool
	// malformed reports whether the credential cannot be parsed.
	malformed bool
}

// presented returns the credential that a request carries; ok is false if it
// carries none. An SO-AppToken alone is not a credential: it names an app but no
// caller.
func (a *Authenticator) presented(r *http.Request, cookies bool) (p presented, ok bool) {
	if tokens := r.Header.Values(headerAppToken); len(tokens) > 0 {
		p.withApp = true
		if len(tokens) == 1 { // two are refused like a wrong one
			p.app = strings.TrimSpace(tokens[0])
		}
	}
	if a.Role != nil {
		// The header Authorization holds the signature.
		if role := a.Role(r.Context()); role != "" {
			p.kind, p.text = tenancy.KindIAM, role
			return p, true
		}
	}
	switch values := r.Header.Values("Authorization"); len(values) {
	case 0:
		if !cookies {
			return p, false
		}
		return p, p.cookie(r)
	case 1:
		p.authorization(values[0], a.Tokens != nil)
	default:
		p.malformed = true
	}
	return p, true
}

// authorization parses the header Authorization. The name of the scheme is
// case-insensitive; the rest is taken as it is.
func (p *presented) authorization(value string, tokens bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimSpace(rest)
	p.malformed = rest == ""
	switch strings.ToLower(scheme) {
	case "basic":
		decoded, err := base64.StdEncoding.DecodeString(rest)
		user, _, colon := strings.Cut(string(decoded), ":")
		p.kind, p.text, p.user = tenancy.KindBasic, string(decoded), user
		p.malformed = err != nil || !colon
	case "soticket":
		p.kind, p.text = tenancy.KindTicket, rest
	case "bearer":
		p.kind, p.text = tenancy.KindBearer, rest
		// Our own tokens have one dot, JSON web tokens two.
		if tokens && strings.Count(rest, ".") == 2 {
			p.kind = kindToken
		}
	default:
		p.malformed = true
	}
}

// cookie reads a browser's session; ok reports whether the request has one. A
// browser may send cookies with requests that other sites' pages make, so a
// cookie counts only together with the token that only this site's pages know.
func (p *presented) cookie(r *http.Request) (ok bool) {
	sessions := r.CookiesNamed(SessionCookie)
	if len(sessions) == 0 {
		return false
	}
	token := r.Header.Get(headerXSRFToken)
	p.kind, p.text = tenancy.KindSession, sessions[0].Value
	p.malformed = len(sessions) > 1 || p.text == "" || token == "" || !same(xsrfToken(p.text), token)
	return true
}

// source returns what wrong credentials are counted by: the caller's IPv4
// address, or the /64 network of its IPv6 address.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if addr = addr.Unmap(); addr.Is6() {
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}
