package outbound

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxText bounds the text that is scrubbed; it is longer than an excerpt.
const maxText = 3 * webhook.MaxLastError

// excerpt returns a response for people to read: status, headers and the
// beginning of the body as plain text, with everything that was sent redacted.
// cut means that the body may be incomplete. forLog is the same for the delivery log.
func excerpt(resp *http.Response, body []byte, cut bool, scrub *scrubber) (text, forLog string) {
	var head strings.Builder
	names := make([]string, 0, len(resp.Header))
	for name := range resp.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch name {
		case "Set-Cookie":
			continue // the target's own secret
		case "Location":
			head.WriteString(name + ": " + location(resp) + "\n")
			continue
		}
		for _, value := range resp.Header[name] {
			head.WriteString(name + ": " + value + "\n")
		}
	}
	if len(body) > 0 {
		head.WriteByte('\n')
	}
	text = string(body)
	if cut {
		text = scrub.withoutBeginning(text)
	}
	if text = head.String() + text; len(text) > maxText {
		text = scrub.withoutBeginning(text[:maxText])
	}
	code, reason, _ := strings.Cut(resp.Status, " ")
	if reason != http.StatusText(resp.StatusCode) { // a standard reason cannot echo the request
		reason = plain(scrub.clean(reason))
	}
	status := "HTTP " + code + " " + reason + "\n"
	text = status + plain(scrub.clean(text))
	return limit(text, webhook.MaxLastError), delivery.KeepListed(text)
}

// plain replaces invalid UTF-8 and control characters other than newlines and
// tabs.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return utf8.RuneError
		}
		return r
	}, text)
}

// limit truncates text to at most n bytes, at a rune boundary.
func limit(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// location returns the host and path of a redirect's target, without its query.
func location(resp *http.Response) string {
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return ""
	}
	if u.Host == "" && resp.Request != nil && resp.Request.URL != nil {
		u = resp.Request.URL.ResolveReference(u)
	}
	return u.Host + u.EscapedPath()
}
