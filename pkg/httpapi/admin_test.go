package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// newGuarded returns a server that checks credentials: tje0:Tje0 of tenant
// Default, the administrator's admin:secret, and those that a test creates.
func newGuarded(t testing.TB, changes ...func(*httpapi.Config)) *server {
	t.Helper()
	value := func(text string) func(context.Context) (webhook.Secret, error) {
		return func(context.Context) (webhook.Secret, error) { return webhook.NewSecret(text), nil }
	}
	return newServer(t, append([]func(*httpapi.Config){func(c *httpapi.Config) {
		known := &auth.Authenticator{
			First: value("tje0:Tje0"), Admin: value("secret"), AdminUser: "admin",
			Credentials: c.Administration.Credentials, Tenants: c.Administration.Tenants,
			Now: c.Now, Random: webhooktest.Random(2), Throttle: &auth.Throttle{Now: c.Now},
		}
		c.Auth, c.Sessions = known, known
	}}, changes...)...)
}

func basicAuth(credential string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(credential))
}

var asAdmin = basicAuth("admin:secret")

// admin makes a call as the administrator and decodes the response.
func (s *server) admin(method, path, body string, want int) map[string]any {
	s.t.Helper()
	answer := s.call(method, path, body, asAdmin)
	if answer.Code != want {
		s.t.Fatalf("%s %s: got %d %s, want %d", method, path, answer.Code, answer.Body, want)
	}
	var object map[string]any
	if answer.Body.Len() > 0 {
		if err := json.Unmarshal(answer.Body.Bytes(), &object); err != nil {
			s.t.Fatal(err)
		}
	}
	return object
}

// issue creates a credential. It returns the header that carries it, and its id.
func (s *server) issue(tenant, kind, user, app string, scopes ...string) (header, id string) {
	s.t.Helper()
	if scopes == nil {
		scopes = []string{"webhooks", "events"}
	}
	body, err := json.Marshal(map[string]any{"Kind": kind, "User": user, "App": app, "Scopes": scopes, "AssociateId": 7})
	if err != nil {
		s.t.Fatal(err)
	}
	made := s.admin("POST", "/admin/v1/Tenants/"+tenant+"/Credentials", string(body), 201)
	id, secret := made["Id"].(string), made["Secret"].(string)
	switch kind {
	case "basic":
		return basicAuth(user + ":" + secret), id
	case "ticket":
		return "Authorization: SOTicket " + secret, id
	case "app":
		return "SO-AppToken: " + secret, id
	}
	return "Authorization: Bearer " + secret, id
}

func TestAdmin_LifeOfACredential(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	for _, kind := range []string{"basic", "ticket", "bearer"} {
		header, id := s.issue("Cust1", kind, "anna", "")
		if got := s.call("GET", "/api/v1/Webhook", "", header).Code; got != 200 {
			t.Errorf("%s: got %d", kind, got)
		}
		_, secret, _ := strings.Cut(header, " ")
		_, secret, _ = strings.Cut(secret, " ")
		if listed := s.call("GET", "/admin/v1/Tenants/Cust1/Credentials", "", asAdmin).Body.String(); !strings.Contains(listed, id) || strings.Contains(listed, secret) || strings.Contains(listed, `"Secret"`) {
			t.Errorf("%s: the list is %s", kind, listed)
		}
		s.admin("DELETE", "/admin/v1/Tenants/Cust1/Credentials/"+id, "", 204)
		if got := s.call("GET", "/api/v1/Webhook", "", header).Code; got != 401 {
			t.Errorf("%s, revoked: got %d", kind, got)
		}
		s.admin("DELETE", "/admin/v1/Tenants/Cust1/Credentials/"+id, "", 404)
	}
	s.admin("POST", "/admin/v1/Tenants/Cust1/Credentials", `{"Kind":"bearer","User":"anna","Scopes":["events"],"ExpiresAt":"2026-11-24T09:00:00+01:00"}`, 400)
	made := s.admin("POST", "/admin/v1/Tenants/Cust1/Credentials", `{"Kind":"bearer","User":"anna","Scopes":["webhooks"],"ExpiresAt":"2026-11-24T09:00:01+01:00"}`, 201)
	header := "Authorization: Bearer " + made["Secret"].(string)
	if got := s.call("GET", "/api/v1/Webhook", "", header).Code; got != 200 {
		t.Errorf("before it expires: got %d", got)
	}
	s.clock.Advance(time.Second)
	if got := s.call("GET", "/api/v1/Webhook", "", header).Code; got != 401 {
		t.Errorf("expired: got %d", got)
	}
}

func TestAdmin_TheCredentialSaysWhoActed(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	ticket, _ := s.issue("Cust1", "ticket", "anna", "")
	app, _ := s.issue("Cust1", "app", "", "crm")
	if answer := s.call("POST", "/api/v1/Webhook", aWebhook("mine"), ticket, app); answer.Code != 200 {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	if answer := s.call("POST", "/api/v1/Webhook/contact.changed/7", "", ticket); answer.Code != 204 {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	w, err := s.db.Webhooks().Get(t.Context(), "Cust1", 1)
	if err != nil {
		t.Fatal(err)
	}
	anna := webhook.Associate{ID: 7, Name: "anna", FullName: "anna", UserName: "anna", Type: "InternalAssociate"}
	if w.App != "crm" || w.RegisteredBy != anna || w.UpdatedBy != anna {
		t.Errorf("got app %q, registered by %+v, updated by %+v", w.App, w.RegisteredBy, w.UpdatedBy)
	}
	events, err := s.db.Events().List(t.Context(), "Cust1", webhook.FirstEventID(now.AddDate(0, 0, -1)), webhook.FirstEventID(now.AddDate(1, 0, 0)), 10)
	if err != nil || len(events) != 1 || events[0].ChangedBy != 7 {
		t.Errorf("got %+v, %v", events, err)
	}
}

func aWebhook(name string) string {
	return fmt.Sprintf(`{"Name":%q,"Events":["contact.changed"],"TargetUrl":"https://example.com/%s","Secret":"%s"}`, name, name, "the secret of "+name)
}

func TestAdmin_Tenants(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, name := range []string{"Zoo", "Alpha"} {
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+name+`"}`, 201)
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+name+`"}`, 409)
	}
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Default"}`, 409)
	for _, body := range []string{`{"Name":"a/b"}`, `{"Name":""}`, `{}`, ``, `{"Name":"x","Nam":"y"}`, `{"Name":7}`} {
		s.admin("POST", "/admin/v1/Tenants", body, 400)
	}
	var names []string
	for _, each := range s.admin("GET", "/admin/v1/Tenants", "", 200)["Tenants"].([]any) {
		names = append(names, each.(map[string]any)["Name"].(string))
	}
	if diff := cmp.Diff([]string{"Alpha", "Default", "Zoo"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, call := range []string{"DELETE /admin/v1/Tenants/Missing", "GET /admin/v1/Tenants/Missing/Credentials", "DELETE /admin/v1/Tenants/Missing/Credentials/x", "DELETE /admin/v1/Tenants/Alpha/Credentials/x"} {
		method, path, _ := strings.Cut(call, " ")
		s.admin(method, path, "", 404)
	}
	s.admin("POST", "/admin/v1/Tenants/Missing/Credentials", `{"Kind":"ticket","User":"anna","Scopes":["events"]}`, 404)
}

func TestAdmin_RefusesInvalidCredentials(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for name, body := range map[string]string{
		"no kind":                            `{"User":"anna","Scopes":["events"]}`,
		"a kind that only the service makes": `{"Kind":"session","User":"anna","Scopes":["events"]}`,
		"no user":                            `{"Kind":"basic","Scopes":["events"]}`,
		"a colon":                            `{"Kind":"basic","User":"a:b","Scopes":["events"]}`,
		"a line feed":                        `{"Kind":"basic","User":"a\nb","Scopes":["events"]}`,
		"no scopes":                          `{"Kind":"basic","User":"anna","Scopes":[]}`,
		"administration":                     `{"Kind":"basic","User":"anna","Scopes":["admin"]}`,
		"an app without a name":              `{"Kind":"app","Scopes":["events"]}`,
		"no role":                            `{"Kind":"iam","Scopes":["events"]}`,
		"a user for a role":                  `{"Kind":"iam","Role":"arn:aws:iam::123456789012:user/x","Scopes":["events"]}`,
		"a misspelt member":                  `{"Kind":"basic","User":"anna","Scopes":["events"],"Ap":"crm"}`,
		"a password":                         `{"Kind":"basic","User":"anna","Scopes":["events"],"Secret":"mine"}`,
		"an app that is too long":            `{"Kind":"basic","User":"anna","Scopes":["events"],"App":"` + strings.Repeat("x", 201) + `"}`,
		"a date without zone":                `{"Kind":"basic","User":"anna","Scopes":["events"],"ExpiresAt":"2030-01-01"}`,
		"a date that was not set":            `{"Kind":"basic","User":"anna","Scopes":["events"],"ExpiresAt":"0001-01-01T00:00:00Z"}`,
		"an empty date":                      `{"Kind":"basic","User":"anna","Scopes":["events"],"ExpiresAt":""}`,
	} {
		if answer := s.call("POST", "/admin/v1/Tenants/Default/Credentials", body, asAdmin); answer.Code != 400 {
			t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
		}
	}
	role := `{"Kind":"iam","Role":"arn:aws:iam::123456789012:role/path/publisher","Scopes":["events"]}`
	if made := s.admin("POST", "/admin/v1/Tenants/Default/Credentials", role, 201); made["Secret"] != nil || made["Role"] != "arn:aws:iam::123456789012:role/publisher" {
		t.Errorf("got %v", made)
	}
	s.admin("POST", "/admin/v1/Tenants/Default/Credentials", role, 409)
}

func TestAdmin_DeletingATenantEndsItsCredentials(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	ticket, _ := s.issue("Cust1", "ticket", "anna", "")
	started := s.call("POST", "/api/v1/Session", "", ticket)
	cookie, xsrf := cookies(started)
	job := s.admin("DELETE", "/admin/v1/Tenants/Cust1", "", 202)["JobId"]
	if again := s.admin("DELETE", "/admin/v1/Tenants/Cust1", "", 202)["JobId"]; again != job {
		t.Errorf("second call: job %v, was %v", again, job)
	}
	for _, headers := range [][]string{{ticket}, {cookie, xsrf, "Authorization: "}} {
		if got := s.call("GET", "/api/v1/Webhook", "", headers...).Code; got != 401 {
			t.Errorf("got %d, want 401", got)
		}
	}
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 409)
	s.admin("POST", "/admin/v1/Tenants/Cust1/Credentials", `{"Kind":"ticket","User":"anna","Scopes":["events"]}`, 404)
	s.admin("DELETE", "/admin/v1/Tenants/Default", "", 202)
	if got := s.call("GET", "/api/v1/Webhook", "").Code; got != 401 {
		t.Errorf("the first credential: got %d, want 401", got)
	}
}

// unlisted is a credential store whose lists fail.
type unlisted struct{ tenancy.Credentials }

func (unlisted) List(context.Context, webhook.Tenant, string, int) ([]tenancy.Credential, error) {
	return nil, webhook.ErrUnavailable
}

// A deletion that has begun continues even if the call fails, so it is audited.
func TestAdmin_ADeletionThatFailsHalfWayIsAudited(t *testing.T) {
	t.Parallel()
	s := newGuarded(t, func(c *httpapi.Config) { c.Administration.Credentials = unlisted{c.Administration.Credentials} })
	s.planted = true // openapi.json does not document errors of a broken store
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	s.admin("DELETE", "/admin/v1/Tenants/Cust1", "", 503)
	if lines := s.audits(); len(lines) != 2 || lines[1]["action"] != "delete tenant" || lines[1]["tenant"] != "Cust1" {
		t.Errorf("got %v", lines)
	}
}

// cookies returns the headers of the session that a response started.
func cookies(answer interface{ Header() http.Header }) (cookie, xsrf string) {
	for _, c := range (&http.Response{Header: answer.Header()}).Cookies() {
		switch c.Name {
		case auth.SessionCookie:
			cookie = "Cookie: " + c.Name + "=" + c.Value
		case auth.XSRFCookie:
			xsrf = "X-XSRF-TOKEN: " + c.Value
		}
	}
	return cookie, xsrf
}

func TestSession(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	started := s.call("POST", "/api/v1/Session", "")
	if started.Code != 204 {
		t.Fatalf("got %d %s", started.Code, started.Body)
	}
	for _, c := range (&http.Response{Header: started.Header()}).Cookies() {
		if c.HttpOnly != (c.Name == auth.SessionCookie) || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge != 8*60*60 {
			t.Errorf("got %s", strings.Replace(c.String(), c.Value, "…", 1))
		}
	}
	cookie, xsrf := cookies(started)
	const none = "Authorization: "
	list := func(headers ...string) int {
		return s.call("GET", "/api/v1/Webhook", "", append(headers, none)...).Code
	}
	if got := list(cookie, xsrf); got != 401 {
		t.Errorf("an empty Authorization next to it counts as a credential: got %d", got)
	}
	s.noAuthorization = true
	if got := []int{list(cookie, xsrf), list(cookie), list(xsrf), list(cookie, xsrf+"x")}; !cmp.Equal(got, []int{200, 401, 401, 401}) {
		t.Errorf("with both, only the cookie, only the token, a wrong token: got %v", got)
	}
	if got := s.call("POST", "/api/v1/Session", "", cookie, xsrf).Code; got != 401 {
		t.Errorf("a session that starts another session: got %d", got)
	}
	if got := s.call("DELETE", "/api/v1/Session", "", cookie).Code; got != 401 {
		t.Errorf("ended without the token: got %d", got)
	}
	if got := s.call("DELETE", "/api/v1/Session", "", cookie, xsrf).Code; got != 204 {
		t.Errorf("got %d", got)
	}
	if got := list(cookie, xsrf); got != 401 {
		t.Errorf("after the end: got %d", got)
	}
	s.noAuthorization = false
	if got := s.call("POST", "/api/v1/Session", "", asAdmin).Code; got != 403 {
		t.Errorf("the administrator: got %d", got)
	}
	before := len(s.audits())
	if got := s.call("POST", "/Cust2/api/v1/Session", "").Code; got != 421 {
		t.Errorf("at another tenant's address: got %d", got)
	}
	live, err := s.db.Credentials().List(t.Context(), "Default", "", 10)
	if err != nil || len(live) > 0 || len(s.audits()) != before {
		t.Errorf("%d sessions are left (%v)", len(live), err)
	}
}

func TestFailedLogins(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for range 10 {
		if got := s.call("GET", "/api/v1/Webhook", "", basicAuth("tje0:wrong")).Code; got != 401 {
			t.Fatalf("got %d", got)
		}
	}
	answer := s.call("GET", "/api/v1/Webhook", "", basicAuth("tje0:wrong"))
	if answer.Code != 429 || answer.Header().Get("Retry-After") != "30" {
		t.Errorf("got %d, Retry-After %q", answer.Code, answer.Header().Get("Retry-After"))
	}
	if n := strings.Count(s.log.String(), `"source":"192.0.2.1"`); n != 11 {
		t.Errorf("%d log lines have the source of the guesses, want 11", n)
	}
}
