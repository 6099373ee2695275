package webhook_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestParseTarget_EncodesWhatARequestLineMayNotHold(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"":                             "/",
		"?a=1":                         "/?a=1",
		"/":                            "/",
		"/hook?a=b ":                   "/hook?a=b",
		"/hook \t\n":                   "/hook",
		"/hook\u00a0":                  "/hook",
		"/hook?":                       "/hook?",
		"/two words":                   "/two%20words",
		"/a+b?c+d=e+f":                 "/a+b?c+d=e+f",
		"/blåbær?q=é&b= &c=3":          "/bl%C3%A5b%C3%A6r?q=%C3%A9&b=%20&c=3",
		"/\"<>[\\]^`{|}?\"<>[\\]^`{|}": "/%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D?%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D",
		// What is allowed, and what is encoded already, keeps its spelling.
		"/a%2Fb%2fc%7E%41 d?e=%2b%20%c3%a9 f":     "/a%2Fb%2fc%7E%41%20d?e=%2b%20%c3%a9%20f",
		"/-._~!$&'()*+,;=:@/?-._~!$&'()*+,;=:@/?": "/-._~!$&'()*+,;=:@/?-._~!$&'()*+,;=:@/?",
		"//double//slash":                         "//double//slash",
		// A % that begins no escape.
		"/100%?p=50%&q=%zz%4": "/100%25?p=50%25&q=%25zz%254",
		"/%%41?%%41":          "/%25%41?%25%41",
		"/😀?😀":                "/%F0%9F%98%80?%F0%9F%98%80",
	} {
		for _, origin := range []string{"https://example.com", "HTTP://[::1]:8080"} {
			u, err := webhook.ParseTarget(" \n" + origin + target)
			if err != nil {
				t.Errorf("%q: %v", target, err)
				continue
			}
			if got := u.RequestURI(); got != want {
				t.Errorf("%q is sent as %q, want %q", target, got, want)
			}
			again, err := webhook.ParseTarget(u.String())
			if err != nil || again.RequestURI() != want {
				t.Errorf("%q, encoded twice, is %v, %v", target, again, err)
			}
		}
	}
	for _, target := range []string{
		"https://example.com/a\tb", "https://example.com/a\r\nX: y", "https://example.com/?a\x00", "https://example.com/?a\x7f", "https://ex ample.com/",
		"https://example.com\\path", "https://good.example\\@evil.example/", "https://example.com:80 80/",
	} {
		if u, err := webhook.ParseTarget(target); err == nil {
			t.Errorf("%q was read as %q", target, u)
		}
	}
}

// Another host than url.Parse finds would be another target than the rules judge.
func FuzzParseTarget_KeepsTheOrigin(f *testing.F) {
	for _, seed := range []string{"https://a/b c", "https://a?b=é#f", "https://a\\b@c/d", "http://u:p@h/%", "https://a#b?c/d", "x:y://z/", "https:///p", "https://[::1]/{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := webhook.ParseTarget(target)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		line := u.RequestURI()
		if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>[\\]^`{|}#", r) }) {
			t.Errorf("%q is sent as %q", target, line)
		}
		authority, _, _ := strings.Cut(strings.TrimSpace(target), "://")
		rest := strings.TrimPrefix(strings.TrimSpace(target), authority+"://")
		if end := strings.IndexAny(rest, "/?#"); end >= 0 {
			rest = rest[:end]
		}
		plain, err := webhook.ParseTarget(authority + "://" + rest)
		if err != nil || plain.Host != u.Host || plain.Scheme != u.Scheme {
			t.Errorf("%q has origin %q, without its path %v, %v", target, u.Host, plain, err)
		}
	})
}
