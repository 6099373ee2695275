package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

func TestJobs_AreListedShownAndCancelled(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	if got := s.admin("GET", "/admin/v1/Jobs", "", http.StatusOK); fmt.Sprint(got) != "map[Jobs:[]]" {
		t.Errorf("without a job: got %v", got)
	}
	id, _ := s.admin("POST", "/admin/v1/SecretStore/Move", `{"To":"sealed"}`, http.StatusAccepted)["JobId"].(string)
	now := s.admin("GET", "/admin/v1/Jobs/"+id, "", http.StatusOK)["Created"]
	want := map[string]any{
		"JobId": id, "Kind": "move_secrets_to_sealed", "Tenant": nil, "Status": "Running", "Reason": nil, "Examined": 0.0, "Processed": 0.0,
		"Created": now, "Updated": now,
	}
	if diff := cmp.Diff(map[string]any{"Jobs": []any{want}}, s.admin("GET", "/admin/v1/Jobs", "", http.StatusOK)); diff != "" || id == "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for _, call := range [][2]string{{"/admin/v1/SecretStore/Move", `{"To":"manager"}`}, {"/admin/v1/SecretRoot/Rotate", ""}} {
		if got := s.call("POST", call[0], call[1], asAdmin); got.Code != http.StatusConflict || !strings.Contains(got.Body.String(), id) {
			t.Errorf("%s during a move: got %d %s", call[0], got.Code, got.Body)
		}
	}
	want["Status"] = "Cancelled"
	for range 2 {
		if diff := cmp.Diff(want, s.admin("DELETE", "/admin/v1/Jobs/"+id, "", http.StatusOK)); diff != "" {
			t.Errorf("cancelled (-want +got):\n%s", diff)
		}
	}
	if got := s.admin("GET", "/admin/v1/Jobs/"+id, "", http.StatusOK); got["Status"] != "Cancelled" {
		t.Errorf("ended: got %v", got)
	}
	id, _ = s.admin("POST", "/admin/v1/SecretRoot/Rotate", "", http.StatusAccepted)["JobId"].(string)
	if got := s.admin("GET", "/admin/v1/Jobs/"+id, "", http.StatusOK); got["Kind"] != "rotate_secret_root" {
		t.Errorf("got %v", got)
	}
}

func TestJobs_Refusals(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"no body":             {"", http.StatusBadRequest},
		"no store":            {`{}`, http.StatusBadRequest},
		"an unknown store":    {`{"To":"elsewhere"}`, http.StatusBadRequest},
		"a misspelled member": {`{"To":"sealed","Tennant":"Default"}`, http.StatusBadRequest},
		"an unknown tenant":   {`{"To":"sealed","Tenant":"Unknown"}`, http.StatusNotFound},
	} {
		if got := s.call("POST", "/admin/v1/SecretStore/Move", tt.body, asAdmin); got.Code != tt.want {
			t.Errorf("%s: got %d %s, want %d", name, got.Code, got.Body, tt.want)
		}
	}
	for _, id := range []string{"x", "01234567-89ab-7fff-bfff-ffffffffffff"} {
		for _, method := range []string{"GET", "DELETE"} {
			if got := s.call(method, "/admin/v1/Jobs/"+id, "", asAdmin); got.Code != http.StatusNotFound {
				t.Errorf("%s of %s: got %d", method, id, got.Code)
			}
		}
	}
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Gone"}`, http.StatusCreated)
	deletion := s.admin("DELETE", "/admin/v1/Tenants/Gone", "", http.StatusAccepted)
	if got := s.call("DELETE", fmt.Sprint("/admin/v1/Jobs/", deletion["JobId"]), "", asAdmin); got.Code != http.StatusConflict {
		t.Errorf("cancelling a tenant's deletion: got %d %s", got.Code, got.Body)
	}
}

// The local run has one store.
func TestJobs_WithOneStoreThereIsNothingToMove(t *testing.T) {
	t.Parallel()
	s := newGuarded(t, func(cfg *httpapi.Config) { cfg.Custody = nil })
	for _, call := range [][2]string{{"/admin/v1/SecretStore/Move", `{"To":"sealed"}`}, {"/admin/v1/SecretRoot/Rotate", ""}} {
		if got := s.call("POST", call[0], call[1], asAdmin); got.Code != http.StatusConflict || !strings.Contains(got.Body.String(), "secrets.key") {
			t.Errorf("%s: got %d %s", call[0], got.Code, got.Body)
		}
	}
}
