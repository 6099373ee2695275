package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// errCrossSite is a browser's call from a page of another site.
var errCrossSite = errors.New("call from another site's page")

// CrossSiteCheck returns the check that every route makes before anything else. A
// browser adds a remembered Basic credential to any request that any page makes
// it send, and only the browser knows which page that is. It reports the page in
// Sec-Fetch-Site, an older browser in Origin. Other clients send neither header
// and pass.
//
// A page at PublicURL may call under any address, because a proxy in front may
// use another Host for the service.
func CrossSiteCheck(publicURL string) *http.CrossOriginProtection {
	check := http.NewCrossOriginProtection()
	if origin := originOf(publicURL); origin != "" {
		_ = check.AddTrustedOrigin(origin) // cannot fail: scheme and host, no path
	}
	return check
}

// originOf returns the origin of a URL as browsers write it: in lower case and
// without the scheme's default port. It returns "" if the URL has no origin.
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
