package functions_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// ApiFunction serves the console: its files, its cookies, and pages made from calls to the
// API in the same process.
func TestDeployed_Console(t *testing.T) {
	d := deployed(t)
	plain := func(r *http.Request) { r.Header.Del("Authorization") }
	status, header, page := d.call(http.MethodGet, "/console/sign-in", "", nil, plain)
	if status != http.StatusOK || !bytes.Contains(page, []byte("Password or token")) || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("got %d %v %s", status, header, page)
	}
	style := regexp.MustCompile(`/console/assets/console-[0-9a-f]+\.css`).Find(page)
	if status, header, _ := d.call(http.MethodGet, string(style), "", nil, plain); status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/css") {
		t.Errorf("%s: got %d %v", style, status, header)
	}
	form := url.Values{"user": {"tje0"}, "password": {"Tje0"}}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/console/sign-in", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if d.host != "" {
		r.Host = d.host
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusSeeOther || len(cookies) != 2 {
		t.Fatalf("sign in: got %s, cookies %v", resp.Status, resp.Header["Set-Cookie"])
	}
	status, _, page = d.call(http.MethodGet, "/console/webhooks", "", nil, plain, func(r *http.Request) {
		for _, c := range cookies {
			r.AddCookie(c)
		}
	})
	if status != http.StatusOK || !bytes.Contains(page, []byte("Sign out")) {
		t.Errorf("the list: got %d %s", status, page)
	}
}
