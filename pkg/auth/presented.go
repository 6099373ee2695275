package auth

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
)

// kindToken is a bearer token that an issuer elsewhere made. It is never stored.
const kindToken tenancy.CredentialKind = "token"

// The headers that carry credentials, besides Authorization.
const (
	headerAppToken  = "SO-AppToken"
	headerXSRFToken = "X-XSRF-TOKEN" //nolint:gosec // a name
)

// presented is the credential that a request carries.
type presented struct {
	kind tenancy.CredentialKind
	text string
	// user is whom a Basic credential names, known or not.
	user string
	// app is the SO-AppToken beside it, withApp says that there is one.
	app     string
	withApp bool
	// malformed says that there is something, and that it cannot be read.
	malformed bool
}

// presented reads the credential that a request carries; not ok where it
// carries none. An SO-AppToken alone names an app and nobody who calls: it is
// none.
func (a *Authenticator) presented(r *http.Request, cookies bool) (p presented, ok bool) {
	if tokens := r.Header.Values(headerAppToken); len(tokens) > 0 {
		p.withApp = true
		if len(tokens) == 1 { // two contradict each other, like a wrong one
			p.app = strings.TrimSpace(tokens[0])
		}
	}
	if a.Role != nil {
		// The signature stands in the header Authorization.
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

// authorization reads the header Authorization. The name of a scheme has any
// letter case; what follows is taken as it is.
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
		// Tokens of ours have one dot, JSON web tokens two.
		if tokens && strings.Count(rest, ".") == 2 {
			p.kind = kindToken
		}
	default:
		p.malformed = true
	}
}

// cookie reads a browser's session. A cookie goes out with whatever a page
// anywhere makes a browser send, so it counts only beside the token that only
// pages of this site can know.
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

// source is whom wrong credentials are counted against: an IPv4 address, or the
// network of 64 bits that whoever has an IPv6 address has.
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
