package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// historyPage is what tests read of a page.
type historyPage struct {
	History []struct {
		Revision int64
		Action   string
		By       struct{ Name, UserName, App string }
		Changed  []string
		Partial  bool
		Webhook  struct {
			WebhookID                           int32 `json:"WebhookId"`
			Name, Description, State, TargetURL string
			Properties                          map[string]string
		}
		Options struct{ Policy string }
	}
	Cursor string
}

func (s *server) history(path string, headers ...string) (page historyPage) {
	s.t.Helper()
	got := s.call("GET", path, "", headers...)
	if got.Code != 200 {
		s.t.Fatalf("%s: got %d %s", path, got.Code, got.Body)
	}
	if err := json.Unmarshal(got.Body.Bytes(), &page); err != nil {
		s.t.Fatal(err)
	}
	return page
}

func (p historyPage) revisions() (all []int64) {
	for _, r := range p.History {
		all = append(all, r.Revision)
	}
	return all
}

// rename saves a webhook n times.
func (s *server) rename(id, n int) {
	s.t.Helper()
	for i := range n {
		if got := s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d", id), fmt.Sprintf(`{"Name":"n%d"}`, i), "Content-Type: application/merge-patch+json"); got.Code != 200 {
			s.t.Fatalf("got %d %s", got.Code, got.Body)
		}
	}
}

func TestHistory_PagesNewestFirst(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.rename(1, 12)
	var pages [][]int64
	for path := "/api/v1/Webhook/1/History?limit=5"; len(pages) < 5; {
		page := s.history(path)
		pages = append(pages, page.revisions())
		if page.Cursor == "" {
			break
		}
		path = "/api/v1/Webhook/1/History?limit=5&cursor=" + url.QueryEscape(page.Cursor)
	}
	if diff := cmp.Diff([][]int64{{12, 11, 10, 9, 8}, {7, 6, 5, 4, 3}, {2, 1}}, pages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A cursor is of one list: of this operation, tenant and webhook.
func TestHistory_RefusesCursorsOfOtherLists(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = everyone() })
	for range 2 {
		s.call("POST", "/api/v1/Webhook", minimal, "Authorization: owner")
	}
	s.call("POST", "/api/v1/Webhook", minimal, "Authorization: another tenant")
	for _, w := range []struct{ who, id string }{{"owner", "1"}, {"owner", "2"}, {"another tenant", "1"}} {
		s.call("PATCH", "/api/v1/Webhook/"+w.id, `{"Name":"x"}`, "Content-Type: application/merge-patch+json", "Authorization: "+w.who)
	}
	cursor := s.history("/api/v1/Webhook/1/History?limit=1", "Authorization: owner").Cursor
	for _, test := range []struct {
		name, who, id, cursor string
		status                int
	}{
		{"its own", "owner", "1", cursor, 200},
		{"of another webhook", "owner", "2", cursor, 400},
		{"of another tenant", "another tenant", "1", cursor, 400},
		{"damaged", "owner", "1", cursor[1:], 400},
		{"of another encoding", "owner", "1", "!", 400},
		{"of an older version", "owner", "1", "eyJWZXJzaW9uIjowfQ", 400},
		{"of the export", "owner", "1", "webhooks/0", 400},
	} {
		got := s.call("GET", "/api/v1/Webhook/"+test.id+"/History?cursor="+url.QueryEscape(test.cursor), "", "Authorization: "+test.who)
		if got.Code != test.status {
			t.Errorf("%s: got %d %s, want %d", test.name, got.Code, got.Body, test.status)
		}
	}
	for _, limit := range []string{"0", "101", "x", "-1"} {
		if got := s.call("GET", "/api/v1/Webhook/1/History?limit="+limit, "", "Authorization: owner"); got.Code != 400 || !strings.Contains(got.Body.String(), "limit must be an integer from 1 to 100") {
			t.Errorf("limit %s: got %d %s", limit, got.Code, got.Body)
		}
	}
}

// A history tells a user's change from the service's, and ends with the deletion.
func TestHistory_SaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = everyone() })
	owner := "Authorization: owner"
	s.call("POST", "/api/v1/Webhook", minimal, owner)
	s.call("PATCH", "/api/v1/Webhook/1/Options", `{"Policy":"superoffice"}`, owner)
	w := s.webhooks()[0]
	w.State, w.Revision = webhook.StateTooManyErrors, w.Revision+1
	if err := s.db.Webhooks().Update(t.Context(), w, webhook.Disabling(s.clock.Now(), time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := s.call("DELETE", "/api/v1/Webhook/1", "", owner); got.Code != 204 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	var got []string
	for _, r := range s.history("/api/v1/Webhook/1/History", owner).History {
		got = append(got, fmt.Sprint(r.Action, " by ", r.By.Name, " of app ", r.By.App, ": ", r.Changed, " of ", r.Webhook.State, " ", r.Options.Policy))
	}
	want := []string{
		"deleted by tje0 of app a: [] of TooManyErrors superoffice",
		"disabled by Posthaste of app : [State] of Active superoffice",
		"changed by tje0 of app a: [Policy] of Active durable",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, stranger := range []string{"another app", "another tenant", "another tenant's same app"} {
		if got := s.call("GET", "/api/v1/Webhook/1/History", "", "Authorization: "+stranger); got.Code != 404 {
			t.Errorf("%s: got %d %s", stranger, got.Code, got.Body)
		}
	}
}

// No response of the two operations has a secret in clear, even if reads show
// secrets.
func TestHistory_MasksSecrets(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.SecretVisible = true })
	const event = "01a20c91-a000-7000-8000-000000000007"
	for i, call := range []struct{ method, path string }{{"POST", "/api/v1/Webhook"}, {"PUT", "/api/v1/Webhook/1"}, {"PUT", "/api/v1/Webhook/1"}} {
		body := fmt.Sprintf(`{"Name":"n","Events":["a.b"],"TargetUrl":"https://example.com/","Secret":"clear-secret-%d","Headers":{"X-Api-Key":"clear-key-%[1]d"}}`, i)
		if got := s.call(call.method, call.path, body); got.Code != 200 || !strings.Contains(got.Body.String(), "clear-secret") {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
		if i == 1 {
			s.attempted(1, event, webhook.SignerPrevious)
		}
	}
	for _, path := range []string{"/api/v1/Webhook/1/History", "/api/v1/Webhook/1/Deliveries/" + event + "/Request"} {
		got := s.call("GET", path, "")
		if got.Code != 200 || strings.Contains(got.Body.String(), "clear-") || !strings.Contains(got.Body.String(), `"X-Api-Key":"********"`) {
			t.Errorf("%s: got %d %s", path, got.Code, got.Body)
		}
	}
}

// A webhook that is kept in part is shown with the members that were kept.
func TestHistory_ShowsLargeWebhooksInPart(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	large := fmt.Sprintf(`{"a":"%s"}`, strings.Repeat("x", 20<<10))
	s.call("POST", "/api/v1/Webhook", `{"Name":"one","Description":"d","Events":["a.b"],"TargetUrl":"https://example.com/","Properties":`+large+`}`)
	for _, change := range []string{`{"Name":"two"}`, `{"Properties":{"a":"small"}}`} {
		if got := s.call("PATCH", "/api/v1/Webhook/1", change, "Content-Type: application/merge-patch+json"); got.Code != 200 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
	}
	s.rename(1, 1)
	page := s.history("/api/v1/Webhook/1/History")
	whole, second, first := page.History[0], page.History[1], page.History[2]
	if whole.Partial || whole.Webhook.Name != "two" || whole.Webhook.Description != "d" || whole.Webhook.Properties["a"] != "small" {
		t.Errorf("a small webhook: got %+v", whole)
	}
	if !second.Partial || second.Webhook.Name != "" || len(second.Webhook.Properties["a"]) != 20<<10 || second.Webhook.State != "Active" || second.Options.Policy != "durable" {
		t.Errorf("the changed member: got %d bytes, %+v", len(second.Webhook.Properties["a"]), second.Webhook.Name)
	}
	if !first.Partial || first.Webhook.Name != "one" || first.Webhook.Properties != nil || first.Webhook.Description != "" || first.Webhook.WebhookID != 1 {
		t.Errorf("the others: got %+v", first)
	}
}

// A page of large webhooks ends early, and the next one continues.
func TestHistory_BoundsAPage(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i := range 101 {
		properties := fmt.Sprintf(`{"a":"%d%s"}`, i%10, strings.Repeat("x", 31<<10))
		body := `{"Events":["a.b"],"TargetUrl":"https://example.com/","Properties":` + properties + `}`
		method, path := "PUT", "/api/v1/Webhook/1"
		if i == 0 {
			method, path = "POST", "/api/v1/Webhook"
		}
		if got := s.call(method, path, body); got.Code != 200 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
	}
	first := s.history("/api/v1/Webhook/1/History?limit=100")
	second := s.history("/api/v1/Webhook/1/History?limit=100&cursor=" + url.QueryEscape(first.Cursor))
	all := slices.Concat(first.revisions(), second.revisions())
	if len(first.History) < 30 || len(first.History) > 70 || len(all) != 100 || all[0] != 100 || all[99] != 1 {
		t.Errorf("pages of %d and %d revisions", len(first.History), len(second.History))
	}
}
