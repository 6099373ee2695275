package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// errCrossSite is a call that a browser makes for a page of another site.
var errCrossSite = errors.New("call from another site's page")

// crossSiteCheck returns the check that every route makes before anything else.
// A browser adds a Basic credential that it remembers to whatever a page
// anywhere makes it send, and only the browser knows which page that was: it
// says so in Sec-Fetch-Site, an older one in Origin. Other clients send neither
// and pass.
//
// A page at PublicURL may call under any address: whatever is in front may have
// called the service by another Host.
func crossSiteCheck(publicURL string) *http.CrossOriginProtection {
	check := http.NewCrossOriginProtection()
	if origin := originOf(publicURL); origin != "" {
		_ = check.AddTrustedOrigin(origin) // it has a scheme and a host, and no path
	}
	return check
}

// originOf returns the origin of a URL as browsers write it: in lower case, and
// without the scheme's own port. "" if it has none.
func originOf(text string) string {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || u.Hostname() == "" {
		return ""
	}
	host := u.Host
	if port := u.Port(); port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}
