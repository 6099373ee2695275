package main

import (
	"net/http"
	"strings"
	"testing"
)

// The API refuses calls from other sites' pages. The receiver accepts them: it
// needs no credential, and a webhook may have any header, including Origin.
func TestCrossSite_TheReceiverAcceptsWhatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	for path, want := range map[string]int{
		"/api/v1/Webhook/a.b/1": http.StatusForbidden, "/admin/v1/Tenants": http.StatusForbidden, "/_receiver": http.StatusOK, "/_receiver/a": http.StatusOK,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+path, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", "admin")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Origin", "https://evil.example")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("POST %s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
}
