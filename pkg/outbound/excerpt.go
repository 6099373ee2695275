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
	"unicode"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const redacted = "[redacted]"

// minPublic is the length in bytes from which the value of a header that is no
// secret is taken out wherever it stands. A shorter one, as "1" or "yes", would
// take the answer apart: it is taken out where it stands alone.
const minPublic = 4

// scrubber takes out of an answer what was sent: targets in debug mode echo the
// request, and the excerpt is shown to people and stored in rows.
type scrubber struct {
	texts []string
	words []string // short values, taken out where they stand alone
	whole bool     // texts holds every form of its texts
}

// secret adds a text.
func (s *scrubber) secret(text string) {
	s.add(text)
	if key, ok := strings.CutPrefix(text, "whsec_"); ok {
		s.add(key)
	}
}

// header adds a header's value and, of a secret one, its parts: "Bearer x" may
// be echoed without its first word, "Basic x" decoded.
func (s *scrubber) header(value string, secret bool) {
	switch {
	case secret || len(value) >= minPublic:
		s.secret(value)
	case value != "":
		s.words = append(s.words, value)
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

// allForms adds, of every text, the forms in which an answer may quote it.
func (s *scrubber) allForms() {
	if s.whole {
		return
	}
	s.whole = true
	for _, text := range slices.Clone(s.texts) {
		if quoted, err := json.Marshal(text); err == nil {
			s.add(string(quoted[1 : len(quoted)-1]))
		}
		raw := appendString(nil, text)
		s.add(string(raw[1 : len(raw)-1]))
		s.add(url.QueryEscape(text))
		s.add(url.PathEscape(text))
		s.add(html.EscapeString(text))
	}
}

// clean replaces every text in every form, the longest first, since one may
// hold another.
func (s *scrubber) clean(text string) string {
	// Every form but the plain one has one of these.
	if strings.ContainsAny(text, "\\%+&\uFFFD") {
		s.allForms()
	}
	slices.SortStableFunc(s.texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range s.texts {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	for _, word := range s.words {
		text = cleanWord(text, word)
	}
	return text
}

// cleanWord replaces a short text where no letter or digit adjoins it.
func cleanWord(text, word string) string {
	var b strings.Builder
	rest := text
	for {
		i := strings.Index(rest, word)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		before, _ := utf8.DecodeLastRuneInString(text[:len(text)-len(rest)+i])
		after, _ := utf8.DecodeRuneInString(rest[i+len(word):])
		b.WriteString(rest[:i])
		if isWord(before) || isWord(after) {
			b.WriteString(word)
		} else {
			b.WriteString(redacted)
		}
		rest = rest[i+len(word):]
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// excerpt is the answer for people: status, headers and the beginning of the
// body, as plain text. cut says that body is not all of it; then as much as a
// secret can measure is dropped from its end, where one may have been cut
// through and not be recognised.
func excerpt(resp *http.Response, body []byte, cut bool, scrub *scrubber) string {
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
	if cut {
		body = cutSecret(body, scrub)
	}
	code, reason, _ := strings.Cut(resp.Status, " ")
	status := "HTTP " + code + " " + plain(scrub.clean(reason)) + "\n"
	return limit(status+plain(scrub.clean(head.String()+string(body))), webhook.MaxLastError)
}

// cutSecret shortens a body that was not read to its end so that no beginning
// of a secret is left there.
func cutSecret(body []byte, scrub *scrubber) []byte {
	scrub.allForms()
	longest := 0
	for _, text := range scrub.texts {
		longest = max(longest, len(text))
	}
	for n := min(len(body), longest-1); n > 0; n-- {
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
