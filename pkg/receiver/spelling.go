package receiver

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// place is a URL in a form that all its spellings share. The scheme is left out:
// behind a proxy a request no longer shows it.
type place struct{ host, port, path, query string }

// place returns where a URL leads. Names and addresses of this machine are one
// host, and the default ports of http and https are left out.
func (r *Receiver) place(u *url.URL, hostport string) place {
	at := url.URL{Host: hostport}
	p := place{host: at.Hostname(), port: strings.TrimLeft(at.Port(), "0"), path: unescaped(u.EscapedPath()), query: unescaped(u.RawQuery)}
	if p.port == "80" || p.port == "443" {
		p.port = ""
	}
	if p.path == "" {
		p.path = "/"
	}
	if r.SeenHost != nil {
		if seen, err := r.SeenHost(p.host); err == nil {
			p.host = seen
		}
	}
	p.host = strings.TrimSuffix(strings.ToLower(p.host), ".")
	if ip, err := netip.ParseAddr(p.host); err == nil && ip.IsLoopback() {
		p.host = "localhost"
	}
	return p
}

// leadsTo returns a function that reports whether a TargetUrl is the URL of the
// request, however it is spelled.
func (r *Receiver) leadsTo(req *http.Request) func(target string) bool {
	hit := r.place(req.URL, req.Host)
	return func(target string) bool {
		u, err := webhook.ParseTarget(target)
		return err == nil && r.place(u, u.Host) == hit
	}
}

// unescaped returns an escaped path or query with the escapes of unreserved
// characters decoded and the others in upper case: RFC 3986 (6.2.2) calls such
// spellings equivalent.
func unescaped(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+2 >= len(text) {
			out.WriteByte(text[i])
			continue
		}
		escape := text[i : i+3]
		if c, err := url.PathUnescape(escape); err == nil && url.PathEscape(c) == c && strings.Trim(c, reserved) != "" {
			out.WriteString(c)
		} else {
			out.WriteString(strings.ToUpper(escape))
		}
		i += 2
	}
	return out.String()
}

// reserved are characters that mean something else when they are not escaped,
// and that url.PathEscape leaves alone.
const reserved = "$&+=:@"
