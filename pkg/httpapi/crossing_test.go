package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The webhook that strangers try to reach has the first id. The second is unused.
const theirs, unknown = 41, 77

// everything returns all that is stored for a tenant, as text.
func (s *server) everything(tenant webhook.Tenant) string {
	s.t.Helper()
	ctx := s.t.Context()
	webhooks, _, err1 := s.db.Webhooks().List(ctx, tenant, 0, 1000)
	events, err2 := s.db.Events().List(ctx, tenant, webhook.FirstEventID(now.AddDate(0, 0, -1)), webhook.FirstEventID(now.AddDate(1, 0, 0)), 1000)
	credentials, err3 := s.db.Credentials().List(ctx, tenant, "", 1000)
	deliveries, err4 := s.db.Deliveries().List(ctx, tenant, theirs, "", 1000)
	var docs []webhook.Secret
	for _, w := range webhooks {
		if doc, err := s.db.Secrets().Read(ctx, w.Secret); err == nil {
			docs = append(docs, webhook.EncodeSecretDocument(doc))
		}
	}
	text, err5 := json.MarshalIndent([]any{webhooks, events, credentials, deliveries}, "", " ")
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	for _, doc := range docs {
		text = append(text, doc.Reveal()...)
	}
	return string(text)
}

// crossings returns bodies that name a webhook by its id, with all member names that
// an operation may read.
func crossings(id int) []string {
	return []string{
		"",
		fmt.Sprintf(`{"WebhookId":%d,"webhookId":%d}`, id, id),
		fmt.Sprintf(`{"WebhookId":%d,"Name":"stolen","Events":["*"],"TargetUrl":"https://thief.example/","Secret":"********","State":"Active"}`, id),
		fmt.Sprintf(`{"webhook":{"WebhookId":%d,"Name":"stolen","Events":["*"],"TargetUrl":"https://thief.example/","Secret":"********"}}`, id),
		`{"Policy":"superoffice"}`,
		`[{"op":"replace","path":"/TargetUrl","value":"https://thief.example/"}]`,
		`{"From":"2026-11-01T00:00:00Z","To":"2026-11-30T00:00:00Z","Events":["*"]}`,
	}
}

// TestCrossing walks the route table: for a caller who may not see a webhook, every
// operation returns the same response as for a webhook that does not exist, and
// changes nothing. A new route is covered at once.
func TestCrossing(t *testing.T) {
	t.Parallel()
	for _, stranger := range []string{"of another tenant", "of another app", "with an app, of the tenant's own webhook"} {
		t.Run(stranger, func(t *testing.T) {
			t.Parallel()
			s := newGuarded(t)
			s.admin("POST", "/admin/v1/Tenants", `{"Name":"Victim"}`, 201)
			s.admin("POST", "/admin/v1/Tenants", `{"Name":"Thief"}`, 201)
			owner, thief := "", ""
			switch stranger {
			case "of another tenant":
				owner, _ = s.issue("Victim", "bearer", "anna", "")
				thief, _ = s.issue("Thief", "bearer", "eve", "")
			case "of another app":
				owner, _ = s.issue("Victim", "bearer", "anna", "crm")
				thief, _ = s.issue("Victim", "bearer", "eve", "spy")
			default:
				owner, _ = s.issue("Victim", "bearer", "anna", "")
				thief, _ = s.issue("Victim", "bearer", "eve", "spy")
			}
			for range theirs - 1 {
				if _, err := s.db.Webhooks().NextID(t.Context(), "Victim"); err != nil {
					t.Fatal(err)
				}
			}
			const marker = "victims-own"
			if answer := s.call("POST", "/api/v1/Webhook", strings.Replace(aWebhook(marker), `{`, `{"Headers":{"Authorization":"Bearer victims-own-header"},`, 1), owner); answer.Code != 200 {
				t.Fatalf("got %d %s", answer.Code, answer.Body)
			}
			signalled := s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"marker":"victims-own"}`, owner)
			event := canonical(signalled.Header()).Get("X-Superoffice-Eventid")
			for _, own := range []bool{false, true} {
				if got := s.call("GET", fmt.Sprintf("/api/v1/Webhook/%d", theirs), "", map[bool]string{false: thief, true: owner}[own]).Code; (got == 200) != own {
					t.Fatalf("owner %t: got %d", own, got)
				}
			}
			s.pings = nil // drop the owner's
			before := s.everything("Victim")
			tried := 0
			for _, route := range httpapi.Routes() {
				if route.Method == "POST" && (route.Pattern == "/api/v1/Webhook" || route.Scope == webhook.ScopeEvents) || strings.HasSuffix(route.Pattern, "/Session") {
					continue // creates the caller's own webhook or event
				}
				for i := range crossings(0) {
					ask := func(id int) string {
						path := strings.NewReplacer("{id}", fmt.Sprint(id), "{tenant}", map[int]string{theirs: "Victim", unknown: "Unknown"}[id],
							"{eventId}", event, "{job}", event).Replace(route.Pattern)
						query := fmt.Sprintf("?WebhookId=%d&webhookId=%d&ids=%d&eventId=%s", id, id, id, event)
						answer := s.call(route.Method, path+query, crossings(id)[i], thief, "Content-Type: application/json")
						tried++
						if text := answer.Body.String(); strings.Contains(text, marker) {
							t.Errorf("%s %s shows data of others: %s", route.Method, path, text)
						}
						headers := answer.Header().Clone()
						headers.Del("Content-Length")
						seen := fmt.Sprint(answer.Code, slices.Sorted(maps.Keys(headers)), headers, answer.Body)
						// The response may repeat the caller's own input.
						for _, echoed := range []string{fmt.Sprintf("id %d", id), fmt.Sprintf("id=%d", id), fmt.Sprintf(`"%d"`, id)} {
							seen = strings.ReplaceAll(seen, echoed, "id")
						}
						return seen
					}
					if diff := cmp.Diff(ask(unknown), ask(theirs)); diff != "" {
						t.Errorf("%s %s reveals that the webhook exists (-missing +other's):\n%s", route.Method, route.Pattern, diff)
					}
					if after := s.everything("Victim"); after != before {
						t.Fatalf("%s %s with body %d changed data of others:\n%s", route.Method, route.Pattern, i, cmp.Diff(before, after))
					}
				}
			}
			for _, ping := range s.pings {
				if secret := ping.Secrets.Current.Reveal(); strings.Contains(secret, marker) {
					t.Error("a stranger's ping was signed with another's secret")
				}
			}
			t.Logf("%d calls", tried)
		})
	}
}

func TestScopes_EveryRoute(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	credentials := map[webhook.Scope]string{webhook.ScopeAdmin: asAdmin}
	for _, scope := range []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents} {
		credentials[scope], _ = s.issue("Default", "bearer", "anna", "", string(scope))
	}
	for _, route := range httpapi.Routes() {
		if route.Scope == "" {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{tenant}", "Default", "{event}", "contact.changed", "{primaryKey}", "7",
			"{eventId}", "x", "{job}", "x").Replace(route.Pattern)
		for scope, header := range credentials {
			if scope == route.Scope || scope == webhook.ScopeWebhooks && route.Scope == webhook.ScopeRead {
				continue
			}
			answer := s.call(route.Method, path, "", header)
			if answer.Code != 403 || !strings.Contains(answer.Body.String(), "estricted") {
				t.Errorf("%s %s with the scope %s: got %d %s", route.Method, route.Pattern, scope, answer.Code, answer.Body)
			}
		}
		s.noAuthorization = true
		if got := s.call(route.Method, path, "").Code; got != 401 {
			t.Errorf("%s %s without a credential: got %d", route.Method, route.Pattern, got)
		}
		s.noAuthorization = false
	}
}

// audits returns the audit lines of the log, without their times.
func (s *server) audits() []map[string]any {
	s.t.Helper()
	lines := []map[string]any{}
	for scanner := bufio.NewScanner(strings.NewReader(s.log.String())); scanner.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			s.t.Fatal(err)
		}
		if line["msg"] != "audit" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, line["time"].(string))
		if err != nil || at.IsZero() {
			s.t.Errorf("no time: %v", line)
		}
		delete(line, "time")
		delete(line, "level")
		delete(line, "msg")
		lines = append(lines, line)
	}
	return lines
}

func TestAudit_EveryChangeIsALine(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	token, id := s.issue("Cust1", "bearer", "anna", "crm")
	for _, call := range []struct{ method, path, body string }{
		{"POST", "/api/v1/Webhook", aWebhook("a")},
		{"PUT", "/api/v1/Webhook/1", aWebhook("b")},
		{"PATCH", "/api/v1/Webhook/1", `{"Name":"c"}`},
		{"PUT", "/api/v1/Webhook/1/Options", `{"TimeoutSeconds":9}`},
		{"POST", "/api/v1/Agents/Webhook/SaveWebhook", `{"WebhookId":1,"Name":"d","Events":["a.b"],"TargetUrl":"https://example.com/"}`},
		{"GET", "/api/v1/Webhook/1", ""},
		{"PUT", "/api/v1/Webhook/1", `{}`},
		{"PUT", "/api/v1/Webhook/2", aWebhook("x")},
		{"POST", "/api/v1/Webhook/Test", aWebhook("x")},
		{"POST", "/api/v1/Webhook/contact.changed/7", ""},
		{"POST", "/api/v1/Agents/Webhook/DeleteWebhook?webhookId=1", ""},
	} {
		s.call(call.method, call.path, call.body, token)
	}
	s.admin("DELETE", "/admin/v1/Tenants/Cust1/Credentials/"+id, "", 204)
	s.admin("DELETE", "/admin/v1/Tenants/Cust1", "", 202)
	const from = "192.0.2.1"
	byAdmin := func(action string, more map[string]any) map[string]any {
		line := map[string]any{"action": action, "tenant": "Cust1", "user": "admin", "source": from}
		maps.Copy(line, more)
		return line
	}
	byAnna := func(action string, changed ...string) map[string]any {
		line := map[string]any{"action": action, "tenant": "Cust1", "webhook_id": 1.0, "user": "anna", "app": "crm", "source": from}
		if len(changed) > 0 {
			line["changed"] = strings.Join(changed, ",")
		}
		return line
	}
	want := []map[string]any{
		byAdmin("create tenant", nil), byAdmin("create credential", map[string]any{"credential_id": id}),
		byAnna("create webhook"), byAnna("change webhook", "Name", "TargetUrl", "Secret"), byAnna("change webhook", "Name"),
		byAnna("change webhook", "TimeoutSeconds"), byAnna("change webhook", "Name", "Events", "TargetUrl"), byAnna("delete webhook"),
		byAdmin("revoke credential", map[string]any{"credential_id": id}), byAdmin("delete tenant", nil),
	}
	if diff := cmp.Diff(want, s.audits()); diff != "" {
		t.Errorf("audit lines (-want +got):\n%s", diff)
	}
}
