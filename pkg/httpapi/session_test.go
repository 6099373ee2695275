package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
)

func TestSession_ALogoutMakesTheBrowserForget(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	started := s.call("POST", "/api/v1/Session", "")
	cookie, xsrf := cookies(started)
	s.noAuthorization = true
	for _, refused := range [][]string{{cookie}, {cookie, xsrf + "x"}, {xsrf}} {
		if got := s.call("DELETE", "/api/v1/Session", "", refused...); got.Code != 401 || len(got.Header().Values("Set-Cookie")) > 0 {
			t.Errorf("%d headers: got %d and %d cookies", len(refused), got.Code, len(got.Header().Values("Set-Cookie")))
		}
	}
	ended := s.call("DELETE", "/api/v1/Session", "", cookie, xsrf)
	if ended.Code != http.StatusNoContent {
		t.Fatalf("got %d %s", ended.Code, ended.Body)
	}
	want := (&http.Response{Header: started.Header()}).Cookies()
	got := (&http.Response{Header: ended.Header()}).Cookies()
	if len(got) != 2 || len(want) != 2 {
		t.Fatalf("got %d cookies of %d", len(got), len(want))
	}
	for i, c := range got {
		// A browser removes a cookie by name and path.
		w := want[i]
		if c.Name != w.Name || c.Path != w.Path || c.Secure != w.Secure || c.HttpOnly != w.HttpOnly || c.SameSite != w.SameSite || c.Value != "" || c.MaxAge != -1 {
			t.Errorf("got %s", c)
		}
	}
}

// The list has the credentials that an administrator can create and revoke, without
// sessions.
func TestSession_IsNotAmongTheCredentials(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	var want []string
	for range 3 {
		ticket, id := s.issue("Cust1", "ticket", "anna", "")
		want = append(want, id)
		for range 2 {
			if got := s.call("POST", "/api/v1/Session", "", ticket).Code; got != 204 {
				t.Fatalf("got %d", got)
			}
		}
	}
	slices.Sort(want)
	list := s.admin("GET", "/admin/v1/Tenants/Cust1/Credentials", "", 200)
	var got []string
	for _, c := range list["Credentials"].([]any) {
		got = append(got, c.(map[string]any)["Id"].(string))
	}
	if !slices.Equal(got, want) || list["Cursor"] != nil {
		t.Errorf("got %v and cursor %v, want %v", got, list["Cursor"], want)
	}
	export := s.call("GET", "/admin/v1/Tenants/Cust1/Export", "", asAdmin).Body.String()
	if strings.Count(export, `"Kind":"Credential"`) != 3 || strings.Contains(export, tenancy.SessionPrefix) || !strings.Contains(export, `"End"`) {
		t.Errorf("the export has %s", export)
	}
	// Sessions are deleted with the tenant, like all its credentials.
	all, err := s.db.Credentials().List(t.Context(), "Cust1", "", 100)
	if err != nil || len(all) != 9 {
		t.Errorf("%d credentials are stored (%v), want 9", len(all), err)
	}
	s.admin("DELETE", "/admin/v1/Tenants/Cust1", "", 202)
	if all, err = s.db.Credentials().List(t.Context(), "Cust1", "", 100); err != nil || len(all) > 0 {
		t.Errorf("after the deletion %d are stored (%v)", len(all), err)
	}
}
