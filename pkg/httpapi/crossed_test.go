package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Two tenants and two apps: strangers make the exact calls that work for the owner
// (TestCrossing tries others). The tests of this file walk the route table, so a
// new route is covered at once.

// callers authenticates the principal that the Authorization header names.
type callers map[string]webhook.Principal

func (c callers) Authenticate(r *http.Request, _ webhook.Tenant) (webhook.Principal, error) {
	who, known := c[r.Header.Get("Authorization")]
	if !known {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	return who, nil
}

const (
	owned  = 1    // the owner's webhook
	absent = 4711 // not a webhook
	marked = "owners-mark"
)

// everyone holds the owner, app "a" of tenant Default, and the strangers.
func everyone() callers {
	as := func(tenant webhook.Tenant, app string) webhook.Principal {
		who := tje0
		who.Tenant, who.App = tenant, app
		return who
	}
	return callers{
		"owner":                     as("Default", "a"),
		"another app":               as("Default", "b"),
		"another tenant":            as("Other", ""),
		"another tenant's same app": as("Other", "a"),
	}
}

// fills returns the value for a wildcard.
var fills = map[string]string{
	"{event}": "contact.changed", "{primaryKey}": "7", "{tenant}": "Default", "{eventId}": "019ac000-0000-7000-8000-000000000001", "{job}": "1",
	"{name}": "crm",
}

// bodies holds the bodies of routes that refuse the common one.
var bodies = map[string]string{
	"POST /api/v1/Explain":                      `{"Event":{"Event":"contact.changed"},"Webhook":{"WebhookId":{id},"Name":"stranger"}}`,
	"POST /api/v1/Events":                       `{"Event":"contact.changed","PrimaryKey":7,"Source":"s","Id":"1"}`,
	"POST /api/v1/Webhook/{id}/Replay":          `{"From":"2026-11-23T00:00:00Z"}`,
	"PUT /api/v1/Webhook/{id}/Options":          `{"Policy":"superoffice"}`,
	"PATCH /api/v1/Webhook/{id}/Options":        `{"Policy":"superoffice"}`,
	"POST /api/v1/Webhook/{id}/Options/Preview": `{"SkipOwn":[3]}`,
}

// queries holds the queries of routes that refuse the common one.
var queries = map[string]string{
	"GET /api/v1/Stats":           "webhookId={id}&ids={id}",
	"GET /api/v1/Archive/dynamic": "$select=webhook_usage.last_error&$filter=webhook_usage.webhook_usage_id+eq+{id}",
}

// crossing returns a route's call about a webhook.
func crossing(t *testing.T, route httpapi.Route, id int) (path, body string) {
	t.Helper()
	segments := strings.Split(route.Pattern, "/")
	for i, s := range segments {
		switch {
		case s == "{id}":
			segments[i] = fmt.Sprint(id)
		case strings.HasPrefix(s, "{"):
			if segments[i] = fills[s]; segments[i] == "" {
				t.Fatalf("%s: add a value for %s to fills", route.Pattern, s)
			}
		}
	}
	query, special := queries[route.Method+" "+route.Pattern]
	if !special {
		query = "webhookId={id}"
	}
	path = strings.Join(segments, "/") + "?" + strings.ReplaceAll(query, "{id}", fmt.Sprint(id))
	body, special = bodies[route.Method+" "+route.Pattern]
	body = strings.ReplaceAll(body, "{id}", fmt.Sprint(id))
	if !special && route.Method != http.MethodGet {
		const entity = `"Name":"stranger","Events":["contact.changed"],"TargetUrl":"https://example.com/stranger","Secret":"********"`
		body = fmt.Sprintf(`{"WebhookId":%d,%s,"EventName":"contact.changed","PrimaryKey":7,"Data":{},"Webhook":{"WebhookId":%[1]d,%[2]s}}`, id, entity)
	}
	return path, body
}

// crossed starts a server with one webhook of the owner.
func crossed(t *testing.T, changes ...func(*httpapi.Config)) *server {
	t.Helper()
	s := newServer(t, append([]func(*httpapi.Config){func(c *httpapi.Config) { c.Auth = everyone() }}, changes...)...)
	const mine = `{"Name":"owners-mark","Events":["contact.changed"],"TargetUrl":"https://example.com/owners-mark","Secret":"owners-mark-secret",
		"Headers":{"X-Api-Key":"owners-mark-key"},"Description":"owners-mark"}`
	if got := s.call("POST", "/api/v1/Webhook", mine, "Authorization: owner"); got.Code != http.StatusOK {
		t.Fatalf("create: got %d %s", got.Code, got.Body)
	}
	s.pings = nil
	// The owner's webhook has an event with marked data, a delivery of it, whose
	// response is marked, and statistics, and fails now.
	event := webhook.Event{
		Tenant: "Default", ID: webhook.EventID(fills["{eventId}"]), Name: "contact.changed", PrimaryKey: 7,
		Data: []byte(`{"name":"` + marked + `"}`), At: now, ExpiresAt: now.AddDate(0, 1, 0),
	}
	if err := s.db.Events().Put(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	key := delivery.Key{Tenant: "Default", Webhook: owned, Event: webhook.EventID(fills["{eventId}"])}
	outcome := delivery.Outcome{Attempt: delivery.Attempt{Number: 1, At: now, Error: failure.Status, StatusCode: 500}, Status: delivery.StatusFailed, Response: "HTTP 500 No\n\n" + marked}
	seed := delivery.Seed{EventName: marked, ExpiresAt: now.AddDate(0, 1, 0)}
	if _, err := s.db.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{Key: key, Now: now, Seed: seed, Outcome: outcome}); err != nil {
		t.Fatal(err)
	}
	report := webhook.HealthReport{Activation: 1, At: now, Error: failure.Status, LastError: marked}
	if _, err := s.db.Webhooks().UpdateHealth(t.Context(), "Default", owned, func(h webhook.Health) webhook.Health { return h.Observe(report) }); err != nil {
		t.Fatal(err)
	}
	hour := statistics.HourOf(webhook.Result{At: now}, now, 1, false, 24*time.Hour)
	if err := s.db.Statistics().Count(t.Context(), "Default", owned, hour); err != nil {
		t.Fatal(err)
	}
	response := delivery.FailureResponse{Key: key, Number: 1, At: now, Excerpt: outcome.Response, ExpiresAt: seed.ExpiresAt}
	if err := s.db.Deliveries().PutResponse(t.Context(), response); err != nil {
		t.Fatal(err)
	}
	return s
}

// property returns everything that the owner has stored, to be compared.
func (s *server) property() string {
	s.t.Helper()
	var all strings.Builder
	for _, w := range s.webhooks() {
		if w.ID != owned {
			continue
		}
		secrets, err := s.db.Secrets().Read(s.t.Context(), w.Secret)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&all, "%+v\n%s %s %s %d\n", w, secrets.Current.Reveal(), secrets.Previous.Reveal(), secrets.PreviousUntil, len(secrets.Headers))
	}
	return all.String()
}

var digits = regexp.MustCompile(`\b(1|4711)\b`)

// said returns a response without the id in the call and the id of the new event.
func said(answer *httptest.ResponseRecorder) string {
	var lines []string
	for name, values := range answer.Header() {
		if name != "X-SuperOffice-EventId" && name != "Content-Length" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return fmt.Sprintln(answer.Code) + strings.Join(lines, "\n") + "\n" + digits.ReplaceAllString(answer.Body.String(), "ID")
}

func TestCrossed_NothingIsSeenAndNothingChanged(t *testing.T) {
	t.Parallel()
	for _, stranger := range []string{"another app", "another tenant", "another tenant's same app"} {
		for _, route := range httpapi.Routes() {
			if route.Scope == "" {
				continue
			}
			t.Run(stranger+"/"+route.Method+" "+route.Pattern, func(t *testing.T) {
				t.Parallel()
				s := crossed(t)
				before := s.property()
				call := func(id int) *httptest.ResponseRecorder {
					path, body := crossing(t, route, id)
					return s.call(route.Method, path, body, "Authorization: "+stranger, "Content-Type: application/json")
				}
				none, mine := call(absent), call(owned)
				if route.Pattern != "/api/v1/Webhook" { // which shows the stranger's own webhook
					if diff := cmp.Diff(said(none), said(mine)); diff != "" {
						t.Errorf("the response differs from that for a missing webhook (-missing +owned):\n%s", diff)
					}
				}
				if strings.Contains(mine.Body.String(), marked) || strings.Contains(fmt.Sprint(mine.Header()), marked) {
					t.Errorf("the response shows the owner's data: %s", mine.Body)
				}
				if strings.Contains(route.Pattern, "/Webhook/{id}") && mine.Code != http.StatusNotFound {
					t.Errorf("got %d %s, want 404: if the body is the reason, add one to bodies", mine.Code, mine.Body)
				}
				if diff := cmp.Diff(before, s.property()); diff != "" {
					t.Errorf("the owner's webhook was changed:\n%s", diff)
				}
				for _, ping := range s.pings {
					if strings.Contains(ping.Secrets.Current.Reveal(), marked) {
						t.Error("a ping was signed with the owner's secret")
					}
				}
				if stranger != "another app" {
					if events := s.events(); len(events) != 0 {
						t.Errorf("the owner's tenant got an event: %+v", events)
					}
				}
			})
		}
	}
}

// An address that begins with another tenant is refused before anything is read.
func TestCrossed_AnotherTenantsAddress(t *testing.T) {
	t.Parallel()
	s := crossed(t)
	before := s.property()
	for _, route := range httpapi.Routes() {
		if route.Scope == "" || !strings.HasPrefix(route.Pattern, "/api/") {
			continue
		}
		path, body := crossing(t, route, owned)
		if got := s.call(route.Method, "/Default"+path, body, "Authorization: another tenant"); got.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s %s: got %d %s, want 421", route.Method, route.Pattern, got.Code, got.Body)
		}
	}
	if diff := cmp.Diff(before, s.property()); diff != "" {
		t.Errorf("the owner's webhook was changed:\n%s", diff)
	}
}

// The calls of this file work for the owner of the webhook. Otherwise they would
// prove nothing.
func TestCrossed_TheOwnerIsServed(t *testing.T) {
	t.Parallel()
	for _, route := range httpapi.Routes() {
		if route.Scope != webhook.ScopeWebhooks && route.Scope != webhook.ScopeEvents || strings.Contains(route.Pattern, "{eventId}/") || strings.Contains(route.Pattern, "{job}") {
			continue
		}
		t.Run(route.Method+" "+route.Pattern, func(t *testing.T) {
			t.Parallel()
			s := crossed(t)
			path, body := crossing(t, route, owned)
			if route.Pattern == "/api/v1/Webhook" && route.Method == http.MethodPost {
				body = strings.ReplaceAll(body, "********", "x") // nothing is stored that a mask could keep
			}
			if got := s.call(route.Method, path, body, "Authorization: owner", "Content-Type: application/json"); got.Code >= 300 {
				t.Errorf("got %d %s", got.Code, got.Body)
			}
		})
	}
}
