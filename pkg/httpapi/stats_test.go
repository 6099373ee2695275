package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// statsPage is what tests read of a page.
type statsPage struct {
	Webhooks []struct {
		WebhookID int32 `json:"WebhookId"`
		Health    string
		Hours     []struct {
			From                             time.Time
			Attempts                         int64
			P50Ms, P95Ms, LagP50Ms, LagP95Ms *int64
		}
	}
	Examined int
	Cursor   string
}

func (s *server) stats(path string, headers ...string) (page statsPage) {
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

func (p statsPage) ids() (ids []int32) {
	for _, w := range p.Webhooks {
		ids = append(ids, w.WebhookID)
	}
	return ids
}

// fail creates a webhook of an app whose last attempt failed.
func (s *server) fail(id int32, app string) {
	s.t.Helper()
	w := webhook.Webhook{Tenant: "Default", ID: id, App: app, Events: []string{"a.b"}, TargetURL: "https://example.com/", State: webhook.StateActive, Revision: 1, Activation: 1}
	err := s.db.Webhooks().Create(s.t.Context(), w)
	if err == nil {
		_, err = s.db.Webhooks().UpdateHealth(s.t.Context(), "Default", id, func(h webhook.Health) webhook.Health {
			return h.Observe(webhook.HealthReport{Activation: 1, At: now, Error: failure.DNS})
		})
	}
	if err == nil {
		result := webhook.Result{At: now.Add(-2 * time.Hour), Duration: time.Second, Error: failure.DNS}
		err = s.db.Statistics().Count(s.t.Context(), "Default", id, statistics.HourOf(result, now, 1, false, 24*time.Hour))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestStats_OfAWebhook(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.fail(1, "")
	hours := s.stats("/api/v1/Stats?ids=1").Webhooks[0].Hours
	if len(hours) != 24 || !hours[23].From.Equal(now) || !hours[0].From.Equal(now.Add(-23*time.Hour)) {
		t.Fatalf("got %d hours from %s to %s", len(hours), hours[0].From, hours[len(hours)-1].From)
	}
	for i, h := range hours {
		if tried := i == 21; tried != (h.Attempts == 1) || tried != (h.P50Ms != nil && h.P95Ms != nil) || h.LagP50Ms != nil || h.LagP95Ms != nil {
			t.Errorf("hour %d is %+v", i, h)
		}
	}
	one := s.call("GET", "/api/v1/Webhook/1/Stats", "").Body.String()
	listed := s.call("GET", "/api/v1/Stats?ids=1", "").Body.String()
	if _, of, _ := strings.Cut(one, "{"); !strings.Contains(listed, of[:len(of)-1]) || !strings.Contains(one, `"Waiting":0,"WaitingMore":false,"OldestWaiting":null,"Health":"Failing"`) {
		t.Errorf("one is %s, in the list it is %s", one, listed)
	}
}

func TestStats_CountWhatWaits(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.fail(1, "")
	for i := range 3 {
		id, err := webhook.NewEventID(now.Add(time.Duration(i)*time.Second), webhooktest.Random(uint64(i)))
		if err == nil {
			_, err = s.db.Deliveries().Park(t.Context(), delivery.Park{
				Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: id}, Round: 1, Attempt: 1, Now: now, Net: now.Add(44 * time.Hour),
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf(`"Waiting":3,"WaitingMore":false,"OldestWaiting":"%s"`, now.Format(time.RFC3339))
	for _, path := range []string{"Webhook/1/Stats", "Stats", "Stats?ids=1"} {
		if got := s.call("GET", "/api/v1/"+path, "").Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestStats_PagesOfFailingWebhooks(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = everyone() })
	var want []int32
	for id := int32(1); id <= 130; id++ {
		app := "a"
		if id%10 == 0 {
			app = "b"
		} else {
			want = append(want, id)
		}
		s.fail(id, app)
	}
	var got []int32
	examined := 0
	path := "/api/v1/Stats"
	for range 5 {
		page := s.stats(path, "Authorization: owner")
		got, examined = append(got, page.ids()...), examined+page.Examined
		if page.Cursor == "" {
			break
		}
		path = "/api/v1/Stats?cursor=" + url.QueryEscape(page.Cursor)
		if got := s.call("GET", path, "", "Authorization: another app"); got.Code != 400 || !strings.Contains(got.Body.String(), "cursor must be") {
			t.Errorf("for another app: got %d %s", got.Code, got.Body)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || examined != len(want) {
		t.Errorf("%d were examined (-want +got):\n%s", examined, diff)
	}
	if page := s.stats("/api/v1/Stats", "Authorization: another tenant's same app"); len(page.Webhooks) != 0 || page.Cursor != "" {
		t.Errorf("another tenant sees %v", page.ids())
	}
}

func TestStats_Parameters(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for id := int32(1); id <= 3; id++ {
		s.fail(id, "")
	}
	many := "1"
	for id := 2; id <= statistics.MaxStats; id++ {
		many += fmt.Sprint(",", id)
	}
	for query, want := range map[string][]int32{
		"?ids=3,1": {3, 1}, "?ids=2, 2 ,2": {2}, "?IDS=99": nil, "?ids=" + many: {1, 2, 3}, "?ids=": {1, 2, 3}, "": {1, 2, 3},
	} {
		if diff := cmp.Diff(want, s.stats("/api/v1/Stats"+strings.ReplaceAll(query, " ", "%20")).ids()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	history := historyCursor(t, s)
	for query, want := range map[string]string{
		"ids=0": "ids must be at most 50 ids", "ids=-1": "ids must be", "ids=2147483648": "ids must be", "ids=1,": "ids must be", "ids=x": "ids must be",
		"ids=" + many + ",51": "ids must be", "ids=1&cursor=x": "cursor must not be stated together with ids",
		"cursor=x": "cursor must be", "cursor=" + url.QueryEscape(history): "cursor must be",
	} {
		if got := s.call("GET", "/api/v1/Stats?"+query, ""); got.Code != 400 || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %q", query, got.Code, got.Body, want)
		}
	}
}

// historyCursor returns a cursor of another list of the same caller.
func historyCursor(t *testing.T, s *server) string {
	t.Helper()
	s.rename(1, 2)
	page := s.history("/api/v1/Webhook/1/History?limit=1")
	if page.Cursor == "" {
		t.Fatal("the history has one page")
	}
	return page.Cursor
}
