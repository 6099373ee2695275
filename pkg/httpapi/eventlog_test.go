package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// accept stores an event accepted at a time and returns its id.
func (s *server) accept(tenant webhook.Tenant, at time.Time, e webhook.Event) webhook.EventID {
	s.t.Helper()
	e.Tenant, e.ID, e.At, e.ExpiresAt = tenant, webhook.DeriveEventID(at, e.Name, fmt.Sprint(e.PrimaryKey)), at, at.AddDate(0, 0, 30)
	if err := s.db.Events().Put(s.t.Context(), e); err != nil {
		s.t.Fatal(err)
	}
	return e.ID
}

// eventPage is a page of the log, as far as tests look at it.
type eventPage struct {
	Events []struct {
		EventID                       string `json:"EventId"`
		Event                         string
		Changes                       []string
		FieldValues, Values, Previous json.RawMessage
	}
	Examined int
	Cursor   string
}

func (s *server) logged(query string, headers ...string) (page eventPage) {
	s.t.Helper()
	got := s.call("GET", "/api/v1/Events?"+query, "", headers...)
	if err := json.Unmarshal(got.Body.Bytes(), &page); err != nil || got.Code != 200 {
		s.t.Fatalf("?%s: got %d %s", query, got.Code, got.Body)
	}
	return page
}

func (p eventPage) names() []string {
	names := []string{}
	for _, e := range p.Events {
		names = append(names, e.Event)
	}
	return names
}

func TestEvents_PagesShowEachEventOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	want := []string{}
	for i := range 60 {
		id := s.accept("Default", now.Add(time.Duration(i)*time.Second), webhook.Event{Name: "contact.changed", PrimaryKey: int32(i % 2)})
		if i%2 == 1 && i >= 10 && i < 50 {
			want = append([]string{string(id)}, want...)
		}
	}
	s.accept("Other", now, webhook.Event{Name: "contact.changed", PrimaryKey: 1})
	got, pages := []string{}, 0
	query := "primaryKey=1&limit=7&from=2026-11-24T08:00:10Z&to=2026-11-24T08:00:50Z"
	for cursor, more := "", true; more; more = cursor != "" {
		page := s.logged(query + "&cursor=" + cursor)
		for _, e := range page.Events {
			got = append(got, e.EventID)
		}
		cursor = page.Cursor
		pages++
	}
	if diff := cmp.Diff(want, got); diff != "" || pages < 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
}

// A page of large events ends early: Lambda returns at most 6 MB.
func TestEvents_APageIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	large := json.RawMessage(`{"a":"` + strings.Repeat("<", 200<<10) + `"}`)
	for i := range 20 {
		s.accept("Default", now.Add(time.Duration(i)*time.Second), webhook.Event{Name: "a.b", PrimaryKey: int32(i), Data: large})
	}
	seen := 0
	for cursor, more := "", true; more; more = cursor != "" {
		page := s.logged("limit=100&cursor=" + cursor)
		if n := len(page.Events); n == 0 || n > 2 {
			t.Errorf("a page has %d events of 200 KiB", n)
		}
		seen, cursor = seen+len(page.Events), page.Cursor
	}
	if seen != 20 {
		t.Errorf("got %d events, want 20", seen)
	}
}

func TestEvents_ACursorIsOfItsList(t *testing.T) {
	t.Parallel()
	everyone := callers{}
	for _, app := range []string{"", "a", "b"} {
		who := tje0
		who.App = app
		everyone["app "+app] = who
	}
	other := tje0
	other.Tenant = "Other"
	everyone["other"] = other
	s := newServer(t, func(c *httpapi.Config) { c.Auth = everyone })
	var last webhook.EventID
	for _, tenant := range []webhook.Tenant{"Default", "Other"} {
		for i := range 3 {
			last = s.accept(tenant, now.Add(time.Duration(i)*time.Second), webhook.Event{Name: "a.b"})
		}
	}
	for _, app := range []string{"app a", "app b", "other"} {
		for range 2 {
			s.call("POST", "/api/v1/Webhook", `{"Events":["*"],"TargetUrl":"https://example.com/"}`, "Authorization: "+app)
		}
	}
	list := func(caller, cursor string) int {
		return s.call("GET", "/api/v1/Events?limit=1&cursor="+url.QueryEscape(cursor), "", "Authorization: "+caller).Code
	}
	outcomes := func(caller, id, cursor string) int {
		return s.call("GET", "/api/v1/Events/"+id+"?limit=1&cursor="+url.QueryEscape(cursor), "", "Authorization: "+caller).Code
	}
	mine := s.logged("limit=1", "Authorization: app a").Cursor
	var page struct{ Cursor string }
	if err := json.Unmarshal(s.call("GET", "/api/v1/Events/"+string(last)+"?limit=1", "", "Authorization: app a").Body.Bytes(), &page); err != nil || page.Cursor == "" || mine == "" {
		t.Fatalf("no cursors: %q, %q, %v", mine, page.Cursor, err)
	}
	first := s.logged("limit=100", "Authorization: app a").Events[2].EventID
	for what, got := range map[string]int{
		"the list's own":          list("app a", mine) - 200,
		"the event's own":         outcomes("app a", string(last), page.Cursor) - 200,
		"of another app":          list("app b", mine) - 400,
		"of an app, without one":  list("app ", mine) - 400,
		"of another tenant":       list("other", mine) - 400,
		"of an event":             list("app a", page.Cursor) - 400,
		"of the list":             outcomes("app a", string(last), mine) - 400,
		"of another event":        outcomes("app a", first, page.Cursor) - 400,
		"of another app's event":  outcomes("app b", string(last), page.Cursor) - 400,
		"that is broken":          list("app a", mine[:len(mine)-1]) - 400,
		"that is the bare id":     list("app a", string(last)) - 400,
		"with the id replaced":    list("app a", httpapi.EncodeCursor("events", httpapi.CursorScope(everyone["app a"], 0), "x")) - 400,
		"with a webhook replaced": outcomes("app a", string(last), httpapi.EncodeCursor("outcomes", httpapi.CursorScope(everyone["app a"], 0), string(last), "x")) - 400,
	} {
		if got != 0 {
			t.Errorf("a cursor %s: off by %d", what, got)
		}
	}
}

// An app sees the events that its webhooks match, with the values that its deliveries
// carry; the tenant sees everything, and EVENT_DATA=names hides values from both.
func TestEvents_AnAppSeesWhatItsDeliveriesCarry(t *testing.T) {
	t.Parallel()
	everyone := callers{}
	for _, app := range []string{"", "sales", "data", "stopped", "none"} {
		who := tje0
		who.App = app
		everyone["app "+app] = who
	}
	for _, namesOnly := range []bool{false, true} {
		s := newServer(t, func(c *httpapi.Config) { c.Auth, c.OmitFieldValues = everyone, namesOnly })
		for app, w := range map[string]string{
			"sales": `"Events":["sale.*","webhook.errors"]`, "data": `"Events":["CONTACT.*"]`, "stopped": `"Events":["sale.sold"],"State":"Stopped"`,
		} {
			if got := s.call("POST", "/api/v1/Webhook", `{`+w+`,"TargetUrl":"https://example.com/"}`, "Authorization: app "+app); got.Code != 200 {
				t.Fatal(got.Body)
			}
		}
		for _, w := range s.webhooks() {
			if w.App == "data" {
				s.call("PUT", fmt.Sprintf("/api/v1/Webhook/%d/Options", w.ID), `{"Format":"data"}`, "Authorization: app data")
			}
		}
		content := &webhook.Content{Changes: []string{"x"}, FieldValues: []byte(`{"x":1}`), Values: []byte(`{"x":2}`), Previous: []byte(`{"x":3}`)}
		ids := map[string]webhook.EventID{}
		for i, e := range []webhook.Event{
			{Name: "sale.sold", Content: content},
			{Name: "contact.changed", Content: content},
			{Name: "order.placed", Content: content},
			{Name: "webhook1.errors", App: "sales"},
			{Name: "webhook2.errors", App: "data"},
		} {
			ids[e.Name] = s.accept("Default", now.Add(time.Duration(i)*time.Second), e)
		}
		for app, want := range map[string][]string{
			"": {"webhook2.errors", "webhook1.errors", "order.placed", "contact.changed", "sale.sold"}, "sales": {"webhook1.errors", "sale.sold"},
			"data": {"contact.changed"}, "stopped": {"sale.sold"}, "none": {},
		} {
			page := s.logged("", "Authorization: app "+app)
			if diff := cmp.Diff(want, page.names()); diff != "" {
				t.Errorf("app %q (-want +got):\n%s", app, diff)
			}
			for name, id := range ids {
				wanted := 404
				for _, seen := range want {
					if seen == name {
						wanted = 200
					}
				}
				for _, path := range []string{"", "/Explain"} {
					if got := s.call("GET", "/api/v1/Events/"+string(id)+path, "", "Authorization: app "+app); got.Code != wanted {
						t.Errorf("app %q, %s%s: got %d %s", app, name, path, got.Code, got.Body)
					}
				}
				if got := s.call("POST", "/api/v1/Explain", `{"Event":{"EventId":"`+string(id)+`"},"Webhook":{"Events":["*"]}}`, "Authorization: app "+app); got.Code != wanted {
					t.Errorf("app %q explains %s: got %d %s", app, name, got.Code, got.Body)
				}
			}
		}
		for app, want := range map[string]map[bool]string{
			"":      {false: `[x] {"x":1} {"x":2} {"x":3}`, true: `[x] null {"x":2} null`},
			"sales": {false: `[x] {"x":1} {"x":2} null`, true: `[x] null {"x":2} null`},
			"data":  {false: `[] {"x":1} null null`, true: `[x] null null null`},
		} {
			page := s.logged("event=s*&event=s*", "Authorization: app "+app)
			if app == "data" {
				page = s.logged("event=contact.changed", "Authorization: app "+app)
			}
			e := page.Events[0]
			if got := fmt.Sprintf("%v %s %s %s", e.Changes, e.FieldValues, e.Values, e.Previous); got != want[namesOnly] {
				t.Errorf("names only %t, app %q: got %s, want %s", namesOnly, app, got, want[namesOnly])
			}
		}
	}
}

// The sender's id finds a relayed event, in any spelling, in its own tenant alone.
func TestEvents_AreFoundUnderTheSendersID(t *testing.T) {
	t.Parallel()
	other := tje0
	other.Tenant = "Other"
	s := newServer(t, func(c *httpapi.Config) { c.Auth = callers{"owner": tje0, "other": other} })
	const sender = "7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1"
	p := webhook.Publisher{Events: s.db.Events(), Now: s.clock.Now, Random: strings.NewReader(strings.Repeat("x", 100)), Life: 30 * 24 * time.Hour}
	e := webhook.Event{Tenant: "Default", Name: "contact.changed", At: now, Content: &webhook.Content{Source: "/in/crm", SourceEvent: sender}}
	taken, err := p.Take(t.Context(), e, webhook.Once{Key: webhook.OnceKey("/in/crm", sender), Life: 29 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{sender, strings.ToLower(sender), string(taken.ID), strings.ToUpper(string(taken.ID))} {
		for _, path := range []string{"", "/Explain"} {
			if got := s.call("GET", "/api/v1/Events/"+id+path, "", "Authorization: owner"); got.Code != 200 || !strings.Contains(got.Body.String(), `"EventId":"`+string(taken.ID)+`"`) {
				t.Errorf("%s%s: got %d %s", id, path, got.Code, got.Body)
			}
			if got := s.call("GET", "/api/v1/Events/"+id+path, "", "Authorization: other"); got.Code != 404 {
				t.Errorf("%s%s for another tenant: got %d %s", id, path, got.Code, got.Body)
			}
		}
	}
	s.clock.Advance(31 * 24 * time.Hour)
	if got := s.call("GET", "/api/v1/Events/"+sender, "", "Authorization: owner"); got.Code != 404 {
		t.Errorf("expired: got %d %s", got.Code, got.Body)
	}
}

// A hypothetical event or webhook stores nothing and sends nothing.
func TestExplain_StoresNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.pings = nil
	before := s.webhooks()
	for _, body := range []string{
		`{"Event":{"Event":"contact.changed"}}`, `{"Event":{"Event":"contact.changed"},"Webhook":1}`, `{"Event":{"Event":"a.b"},"Webhook":{"WebhookId":1,"Events":["a.*"],"Name":"other"}}`,
		`{"Event":{"Event":"a.b"},"Webhook":{"Events":["a.*"],"TargetUrl":"https://example.com/","Secret":"s"}}`,
	} {
		if got := s.call("POST", "/api/v1/Explain", body); got.Code != 200 {
			t.Errorf("%s: got %d %s", body, got.Code, got.Body)
		}
	}
	if diff := cmp.Diff(before, s.webhooks()); diff != "" || len(s.events()) != 0 || len(s.pings) != 0 {
		t.Errorf("%d events, %d pings; webhooks (-before +after):\n%s", len(s.events()), len(s.pings), diff)
	}
}

// Explanations are about the webhook as it was when the event was accepted.
func TestExplain_IsAboutTheRevisionInForce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	webhook1 := func(method, path, body string) {
		t.Helper()
		if got := s.call(method, path, body); got.Code >= 300 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
	}
	webhook1("POST", "/api/v1/Webhook", `{"Events":["sale.*"],"TargetUrl":"https://example.com/"}`)
	before := s.accept("Default", s.clock.Advance(10*time.Minute), webhook.Event{Name: "contact.changed"})
	s.clock.Advance(time.Second)
	webhook1("PATCH", "/api/v1/Webhook/1", `{"Events":["contact.*"]}`)
	s.clock.Advance(20 * time.Minute)
	later := s.accept("Default", s.clock.Advance(time.Minute), webhook.Event{Name: "contact.changed"})
	s.clock.Advance(20 * time.Minute)
	webhook1("PATCH", "/api/v1/Webhook/1", `{"State":"Stopped"}`)
	stopped := s.accept("Default", s.clock.Advance(time.Minute), webhook.Event{Name: "contact.changed"})
	s.clock.Advance(20 * time.Minute)
	codes := func(id webhook.EventID) (all []string) {
		t.Helper()
		var x struct {
			Revision int64
			Reasons  []struct{ Code string }
		}
		got := s.call("GET", "/api/v1/Events/"+string(id)+"/Explain?webhook=1", "")
		if err := json.Unmarshal(got.Body.Bytes(), &x); err != nil || got.Code != 200 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
		all = append(all, fmt.Sprint(x.Revision))
		for _, r := range x.Reasons {
			all = append(all, r.Code)
		}
		return all
	}
	for _, deleted := range []bool{false, true} {
		want := map[webhook.EventID][]string{before: {"1", "not_subscribed", "changed_meanwhile"}, later: {"2", "matched", "missing"}, stopped: {"3", "stopped"}}
		if deleted {
			webhook1("DELETE", "/api/v1/Webhook/1", "")
			want = map[webhook.EventID][]string{before: {"1", "not_subscribed", "changed_meanwhile", "deleted"}, later: {"2", "matched", "deleted"}, stopped: {"3", "stopped", "deleted"}}
		}
		for id, reasons := range want {
			if diff := cmp.Diff(reasons, codes(id)); diff != "" {
				t.Errorf("deleted %t (-want +got):\n%s", deleted, diff)
			}
		}
	}
}
