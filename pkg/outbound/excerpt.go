package outbound

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const redacted = "[redacted]"

// minPublic is the length in bytes from which the value of a header that is no
// secret is taken out too; a "1" or "yes" would take the answer apart.
const minPublic = 4

// scrubber takes out of an answer what was sent: targets in debug mode echo the
// request, and the excerpt is shown to people and stored in rows.
type scrubber struct{ texts []string }

// secret adds a text in the forms in which an answer may quote it.
func (s *scrubber) secret(text string) {
	if text == "" {
		return
	}
	s.add(text)
	if key, ok := strings.CutPrefix(text, "whsec_"); ok {
		s.add(key)
	}
	if quoted, err := json.Marshal(text); err == nil {
		s.add(string(quoted[1 : len(quoted)-1]))
	}
	raw := appendString(nil, text)
	s.add(string(raw[1 : len(raw)-1]))
	s.add(url.QueryEscape(text))
	s.add(url.PathEscape(text))
	s.add(html.EscapeString(text))
}

// header adds a header's value and, of a secret one, its parts: "Bearer x" may
// be echoed without its first word, "Basic x" decoded.
func (s *scrubber) header(value string, secret bool) {
	if secret || len(value) >= minPublic {
		s.secret(value)
	}
	if !secret {
		return
	}
	scheme, credential, ok := strings.Cut(value, " ")
	if !ok {
		return
	}
	s.secret(strings.TrimSpace(credential))
	if !strings.EqualFold(scheme, "basic") {
		return
	}
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credential)); err == nil {
		s.secret(string(decoded))
		if _, password, ok := strings.Cut(string(decoded), ":"); ok {
			s.secret(password)
		}
	}
}

func (s *scrubber) add(text string) {
	if text != "" && !slices.Contains(s.texts, text) {
		s.texts = append(s.texts, text)
	}
}

// longest is the size in bytes of the longest text.
func (s *scrubber) longest() int {
	n := 0
	for _, text := range s.texts {
		n = max(n, len(text))
	}
	return n
}

// clean replaces every text, the longest first since one may hold another.
func (s *scrubber) clean(text string) string {
	slices.SortStableFunc(s.texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range s.texts {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}

// excerpt is the answer for people: status, headers and the beginning of the
// body, as plain text. cut says that body is not all of it; then as much as a
// secret can measure is dropped from its end, where one may have been cut
// through and not be recognised.
func excerpt(resp *http.Response, body []byte, cut bool, scrub *scrubber) string {
	var head strings.Builder
	head.WriteString("HTTP " + resp.Status + "\n")
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
	if cut {
		body = cutSecret(body, scrub)
	}
	return limit(plain(scrub.clean(head.String()+string(body))), webhook.MaxLastError)
}

// cutSecret shortens a body that was not read to its end so that no beginning
// of a secret is left there.
func cutSecret(body []byte, scrub *scrubber) []byte {
	for n := min(len(body), scrub.longest()-1); n > 0; n-- {
		tail := string(body[len(body)-n:])
		for _, secret := range scrub.texts {
			if len(secret) > n && strings.HasPrefix(secret, tail) {
				return body[:len(body)-n]
			}
		}
	}
	return body
}

// plain replaces invalid UTF-8 and control characters other than line ends and
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

// limit cuts a text to n bytes, between two characters.
func limit(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// location is where a redirect points, host and path only.
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
