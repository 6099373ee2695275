package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A credential that may only read may make every GET, ask for explanations, and change
// nothing.
func TestScopes_ReadChangesNothing(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	reader := "Authorization: Bearer " + s.admin("POST", "/admin/v1/Tenants/Cust1/Credentials", `{"Kind":"bearer","User":"reader","Scopes":["webhooks:read"]}`, 201)["Secret"].(string)
	reads, refused := 0, 0
	for _, route := range httpapi.Routes() {
		if route.Scope == "" {
			continue
		}
		path := strings.NewReplacer("{eventId}", "01a20c91-a000-7000-8000-000000000007", "{id}", "1", "{tenant}", "Cust1", "{name}", "crm", "{job}", "1", "{event}", "a.b", "{primaryKey}", "1").Replace(route.Pattern)
		got := s.call(route.Method, path, "{}", reader)
		may := route.Method == http.MethodGet && route.Scope != webhook.ScopeAdmin && route.Scope != webhook.ScopeEvents || route.Pattern == "/api/v1/Explain"
		if may == (got.Code == http.StatusForbidden) {
			t.Errorf("%s %s: got %d, may: %v", route.Method, route.Pattern, got.Code, may)
		}
		if may {
			reads++
		} else {
			refused++
		}
	}
	if reads < 20 || refused < 30 {
		t.Errorf("%d calls were allowed and %d refused", reads, refused)
	}
}
