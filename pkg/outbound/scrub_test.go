package outbound_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// answered returns the excerpt of a raw response to a post with secret headers
// and a signing secret.
func answered(t *testing.T, answer, signing string, secretHeaders map[string]string, public ...webhook.Header) string {
	t.Helper()
	url, _ := target(t, answer)
	w, doc := hook(url), webhook.SecretDocument{Current: webhook.NewSecret(signing), Headers: map[string]webhook.Secret{}}
	w.Headers = public
	for name, value := range secretHeaders {
		w.Headers = append(w.Headers, webhook.Header{Name: name, Secret: true})
		doc.Headers[name] = webhook.NewSecret(value)
	}
	return sender(t, nil).Send(t.Context(), webhook.Post{Webhook: w, Event: event, Secrets: doc, Timeout: 5 * time.Second}).Response
}

func page(body string) string {
	return fmt.Sprintf("HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// No part of a header's value comes back, whichever part a target quotes.
func TestSend_ExcerptHoldsNoPartOfASecretHeader(t *testing.T) {
	t.Parallel()
	const value = "TOPSECRETVALUE"
	basic := base64.StdEncoding.EncodeToString([]byte("u:" + value + "!"))
	for _, c := range []struct{ name, header, echo string }{
		{"plain", value, value},
		{"a trailing space", value + " ", value},
		{"a trailing tab", value + "\t", value},
		{"a leading space", " " + value, value},
		{"a leading tab", "\t" + value, value},
		{"a scheme", "Bearer " + value, value},
		{"a scheme in another case", "bEARER " + value, value},
		{"a scheme and a tab", "Bearer\t" + value, value},
		{"a scheme and two spaces", "Bearer  " + value, "Bearer " + value},
		{"an unknown scheme", "Own " + value, value},
		{"base64", "Basic " + basic, basic},
		{"base64, decoded", "Basic " + basic, "u:" + value + "!"},
		{"base64, without padding", "Basic " + strings.TrimRight(basic, "="), "u:" + value + "!"},
		{"base64, the padding cut off", "Basic " + basic, strings.TrimRight(basic, "=")},
		{"base64 without a scheme", base64.StdEncoding.EncodeToString([]byte(value)), value},
		{"one pair of a cookie", "a=1; sid=" + value, "sid is " + value},
		{"a cookie's pair in quotes", `a=1; sid="` + value + `"; b=2`, value},
		{"a parameter", `Token token="` + value + `", nonce=x`, value},
		{"two parameters", `Digest username="x", response="` + value + `"`, "response=" + value},
		{"an id and a secret", "id:" + value, value},
		{"a part in the middle", "aa." + value + ".bb", value},
		{"a beginning", value + "abcdef", value},
		{"an end", "abcdef" + value, value},
		{"with hyphens, quoted without", "TOP-SECRET-VALUE", value},
		{"in JSON", `{"key":"` + value + `"}`, value},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := answered(t, page("bad key: <"+c.echo+">, try again"), "", map[string]string{"Authorization": c.header})
			if strings.Contains(got, "SECRET") || strings.Contains(got, basic[:8]) {
				t.Errorf("%q", got)
			}
			if !strings.Contains(got, "bad key: <") || !strings.Contains(got, "[redacted]") || !strings.Contains(got, "again") {
				t.Errorf("more than the secret was redacted: %q", got)
			}
		})
	}
}

// A secret in another spelling is still the secret.
func TestSend_ExcerptHoldsNoSpellingOfASecret(t *testing.T) {
	t.Parallel()
	each := func(format string) func(string) string {
		return func(text string) string {
			var b strings.Builder
			for _, r := range text {
				fmt.Fprintf(&b, format, r)
			}
			return b.String()
		}
	}
	bytewise := func(format string) func(string) string {
		return func(text string) string {
			var b strings.Builder
			for i := range len(text) {
				fmt.Fprintf(&b, format, text[i])
			}
			return b.String()
		}
	}
	quoted := func(text string) string { encoded, _ := json.Marshal(text); return string(encoded) }
	shifted := func(e *base64.Encoding, n int) func(string) string {
		return func(text string) string { return e.EncodeToString([]byte(strings.Repeat("z", n) + text + "zz")) }
	}
	between := func(separator string) func(string) string {
		return func(text string) string { return strings.Join(strings.Split(text, ""), separator) }
	}
	latin1 := func(text string) string {
		var b []byte
		for _, r := range text {
			b = append(b, byte(r))
		}
		return string(b)
	}
	spellings := map[string]func(string) string{
		"plain":                   func(text string) string { return text },
		"lower case":              strings.ToLower,
		"upper case":              strings.ToUpper,
		"in a query":              url.QueryEscape,
		"in a path":               url.PathEscape,
		"in a query, lower case":  func(text string) string { return strings.ToLower(url.QueryEscape(text)) },
		"in a query, twice":       func(text string) string { return url.QueryEscape(url.QueryEscape(text)) },
		"percent, every byte":     bytewise("%%%02x"),
		"in HTML":                 html.EscapeString,
		"in HTML, twice":          func(text string) string { return html.EscapeString(html.EscapeString(text)) },
		"in HTML, by number":      each("&#%d;"),
		"in HTML, in hexadecimal": each("&#x%X;"),
		"in JSON":                 quoted,
		"in JSON, twice":          func(text string) string { return quoted(quoted(text)) },
		"in JSON, every letter":   each(`\u%04x`),
		"in JavaScript":           bytewise(`\x%02x`),
		"in C":                    bytewise(`\%03o`),
		"by escape()":             each("%%u%04X"),
		"in Go":                   strconv.QuoteToASCII,
		"in JSON in a query":      func(text string) string { return url.QueryEscape(quoted(text)) },
		"base64":                  shifted(base64.StdEncoding, 0),
		"base64, one byte on":     shifted(base64.StdEncoding, 1),
		"base64, two bytes on":    shifted(base64.RawURLEncoding, 2),
		"hexadecimal":             func(text string) string { return hex.EncodeToString([]byte(text)) },
		"HEXADECIMAL":             func(text string) string { return strings.ToUpper(hex.EncodeToString([]byte(text))) },
		"with CR inside":          between("\r"),
		"with NUL inside":         between("\x00"),
		"with control characters": between("\x01"),
		"with line ends inside":   between("\r\n"),
		"with soft hyphens":       between("\u00ad"),
		"with zero-width spaces":  between("\u200b"),
		"in Latin-1":              latin1,
	}
	for name, secret := range map[string]string{
		"a password":    `Tr0ub4dor&3 "+<ø>/%41\u0042`,
		"a passphrase":  "correct horse battery staple",
		"a token":       "sk_live_51H8x-QzA9+/bT0kLmNoPqRsTuVw==",
		"a short one":   `a"+ø&`,
		"a path":        `C:\new\table\x41\101`,
		"digits":        "904817263550",
		"standard":      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"percent signs": "100%25&amp;%u0041bc",
	} {
		for spelling, spell := range spellings {
			short := len(secret) < 8
			if short && (strings.HasPrefix(spelling, "base64") || strings.Contains(spelling, "line ends")) {
				continue // too short a part
			}
			t.Run(name+" "+spelling, func(t *testing.T) {
				t.Parallel()
				quote := spell(secret)
				got := answered(t, page("no: ["+quote+"]; so"), secret, nil)
				_, got, _ = strings.Cut(got, "no: [")
				got, _, _ = strings.Cut(got, "]; so")
				around := strings.Count(quote, `"`) + strings.Count(quote, `\`) + strings.Count(quote, "%22")*len("%22")
				if strings.HasPrefix(spelling, "base64") {
					around = 8 // the ends of an encoded secret depend on its neighbors
				}
				if rest := strings.ReplaceAll(got, "[redacted]", ""); !strings.Contains(got, "[redacted]") || len(rest) > around {
					t.Errorf("%q of %q", got, quote)
				}
			})
		}
	}
}

// A response may end inside a secret, for any reason.
func TestSend_ExcerptHoldsNoBeginningOfASecretAtItsEnd(t *testing.T) {
	t.Parallel()
	const value = "TOPSECRETVALUE%é"
	cookies := map[string]string{"X-Api-Key": value, "Cookie": "a=1; sid=SIDOFTHECOOKIE"}
	for n := 3; n <= len(value); n++ {
		quoted := "bad key " + value[:n]
		for name, answer := range map[string]string{
			"closed early":      "HTTP/1.1 500 Oh\r\nContent-Length: 4000\r\n\r\n" + quoted,
			"closed in a chunk": "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + quoted,
			"without a length":  "HTTP/1.1 500 Oh\r\n\r\n" + quoted,
			"in a query":        "HTTP/1.1 500 Oh\r\n\r\nbad key " + url.QueryEscape(value)[:n],
			"in lower case":     "HTTP/1.1 500 Oh\r\n\r\n" + strings.ToLower(quoted),
			"in JSON":           "HTTP/1.1 500 Oh\r\n\r\nbad key " + `\u0054\u004f\u0050\u0053`[:6*3+n%6],
			"too long":          "HTTP/1.1 500 Oh\r\nContent-Length: 8000\r\n\r\n" + strings.Repeat("x", 4096-n) + value + strings.Repeat("x", 8000),
			"a cookie":          "HTTP/1.1 500 Oh\r\n\r\nbad key " + "SIDOFTHECOOKIE"[:min(n, 14)],
		} {
			got := answered(t, answer, "", cookies)
			if lower := strings.ToLower(got); strings.Contains(lower, "top") || strings.Contains(lower, "sid") || strings.Contains(lower, `\u0054\u004f\u0050`) {
				t.Errorf("%s, %d bytes: %q", name, n, got[max(0, len(got)-60):])
			}
		}
	}
	const whole = "HTTP/1.1 500 Oh\r\nContent-Length: 11\r\n\r\nbad key TOP"
	if got := answered(t, whole, "", cookies); !strings.HasSuffix(got, "bad key TOP") {
		t.Errorf("the end of a complete response is missing: %q", got)
	}
}

// A stalled target's response ends early, too.
func TestSend_ExcerptHoldsNoBeginningOfASecretAfterAStall(t *testing.T) {
	t.Parallel()
	r := newStalling(t, "", after("HTTP/1.1 500 Oh\r\nContent-Length: 4000\r\n\r\nbad key TOPSE"))
	w := hook(r.url)
	w.Headers = []webhook.Header{{Name: "X-Api-Key", Secret: true}}
	doc := webhook.SecretDocument{Headers: map[string]webhook.Secret{"X-Api-Key": webhook.NewSecret("TOPSECRETVALUE")}}
	got := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: w, Event: event, Secrets: doc, Timeout: 2 * time.Second}).Response
	close(r.over)
	if !strings.HasSuffix(got, "bad key ") {
		t.Errorf("%q", got)
	}
}

func TestSend_ExcerptHoldsNoSecretInItsHead(t *testing.T) {
	t.Parallel()
	const value = "Top-Secret_VALUE/1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Top-Secret_VALUE", "name")
		w.Header().Set("X-Escaped", url.QueryEscape(value))
		w.Header().Set("Location", "https://x.example/"+strings.ToLower(url.PathEscape(value))+"/in")
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(server.Close)
	w := hook(server.URL)
	w.Headers = []webhook.Header{{Name: "X-Api-Key", Secret: true}}
	doc := webhook.SecretDocument{Headers: map[string]webhook.Secret{"X-Api-Key": webhook.NewSecret(value)}}
	got := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: w, Event: event, Secrets: doc})
	if strings.Contains(strings.ToLower(got.Response+got.Location), "secret") || got.Location != "x.example/[redacted]/in" || !strings.Contains(got.Response, "[redacted]: name") {
		t.Errorf("%q, %q", got.Location, got.Response)
	}
	if got := answered(t, "HTTP/1.1 500 no tOP-sECRET/value/1 here\r\n\r\n", "", map[string]string{"X-Api-Key": value}); !strings.HasPrefix(got, "HTTP 500 no [redacted] here\n") {
		t.Errorf("%q", got)
	}
}

// Public text stays, unless it is a header's whole value.
func TestSend_ExcerptKeepsTheRest(t *testing.T) {
	t.Parallel()
	const body = "Bearer token expected; 100% of the production keys <b>failed</b> & C:\\new \\u0041 %zz &amp; é \xff end"
	got := answered(t, page(body), "Super", map[string]string{"Authorization": "Bearer TOPSECRETVALUE"}, webhook.Header{Name: "X-Stage", Value: "production line"})
	if want := strings.Replace(body, "\xff", "\uFFFD", 1); !strings.HasSuffix(got, "\n\n"+want) {
		t.Errorf("%q", got)
	}
	if got := answered(t, page("on Production+Line 1"), "", nil, webhook.Header{Name: "X-Stage", Value: "production line"}); !strings.HasSuffix(got, "\n\non [redacted] 1") {
		t.Errorf("%q", got)
	}
}
