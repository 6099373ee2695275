package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedispatch(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	from, to := s.clock.Now().Add(-2*time.Hour).UTC(), s.clock.Now().Add(-time.Hour).UTC()
	text := func(at time.Time) string { return at.Format(time.RFC3339) }
	body := fmt.Sprintf(`{"Tenant":"Default","From":%q,"To":%q}`, text(from), text(to))
	made := s.admin("POST", "/admin/v1/Redispatch", body, http.StatusAccepted)
	id, _ := made["JobId"].(string)
	want := map[string]any{
		"JobId": id, "Tenant": "Default", "Status": "Running", "Reason": nil, "Examined": 0.0, "Enqueued": 0.0,
		"From": made["From"], "To": made["To"],
	}
	if diff := cmp.Diff(want, made); diff != "" || id == "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.admin("GET", "/admin/v1/Redispatch/"+id, "", http.StatusOK)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	want["Status"] = "Cancelled"
	for range 2 {
		if diff := cmp.Diff(want, s.admin("DELETE", "/admin/v1/Redispatch/"+id, "", http.StatusOK)); diff != "" {
			t.Errorf("cancelled (-want +got):\n%s", diff)
		}
	}
}

func TestRedispatch_Refusals(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	now := s.clock.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	body := func(tenant, from, to string) string {
		return fmt.Sprintf(`{"Tenant":%q,"From":%q,"To":%q}`, tenant, from, to)
	}
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"no body":             {"", http.StatusBadRequest},
		"no times":            {`{"Tenant":"Default"}`, http.StatusBadRequest},
		"no tenant":           {fmt.Sprintf(`{"From":%q,"To":%q}`, at(-time.Hour), at(0)), http.StatusBadRequest},
		"an invalid time":     {body("Default", "yesterday", at(0)), http.StatusBadRequest},
		"To before From":      {body("Default", at(-time.Hour), at(-2*time.Hour)), http.StatusBadRequest},
		"the future":          {body("Default", at(-time.Hour), at(time.Hour)), http.StatusBadRequest},
		"a misspelled member": {`{"Tennant":"Default"}`, http.StatusBadRequest},
		"an unknown tenant":   {body("Unknown", at(-time.Hour), at(0)), http.StatusNotFound},
		"a malformed tenant":  {body("No body", at(-time.Hour), at(0)), http.StatusNotFound},
	} {
		if answer := s.call("POST", "/admin/v1/Redispatch", tt.body, asAdmin); answer.Code != tt.want {
			t.Errorf("%s: got %d %s, want %d", name, answer.Code, answer.Body, tt.want)
		}
	}
	for _, id := range []string{"x", "01234567-89ab-7fff-bfff-ffffffffffff"} {
		for _, method := range []string{"GET", "DELETE"} {
			if answer := s.call(method, "/admin/v1/Redispatch/"+id, "", asAdmin); answer.Code != http.StatusNotFound {
				t.Errorf("%s of %s: got %d, want 404", method, id, answer.Code)
			}
		}
	}
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Gone"}`, http.StatusCreated)
	deletion := s.admin("DELETE", "/admin/v1/Tenants/Gone", "", http.StatusAccepted)
	if answer := s.call("DELETE", fmt.Sprint("/admin/v1/Redispatch/", deletion["JobId"]), "", asAdmin); answer.Code != http.StatusNotFound {
		t.Errorf("cancelling a tenant's deletion: got %d, want 404", answer.Code)
	}
	if answer := s.call("POST", "/admin/v1/Redispatch", body("Default", at(-time.Hour), at(0)), basicAuth("tje0:Tje0")); answer.Code != http.StatusForbidden {
		t.Errorf("without the scope: got %d, want 403", answer.Code)
	}
}
