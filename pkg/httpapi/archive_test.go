package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const usage = "webhook_usage.webhook_usage_id,webhook_usage.total_calls"

// archive queries the archive and returns the ids of the webhooks.
func (s *server) archive(selected, filter, more string) (ids []string) {
	s.t.Helper()
	var shown struct {
		Value []struct {
			PrimaryKey string
			ID         int32 `json:"webhook_usage.webhook_usage_id"`
		} `json:"value"`
	}
	got := s.call("GET", "/api/v1/archive/Dynamic?$select="+url.QueryEscape(selected)+"&$filter="+url.QueryEscape(filter)+more, "")
	if err := json.Unmarshal(got.Body.Bytes(), &shown); err != nil || got.Code != 200 || shown.Value == nil {
		s.t.Fatalf("%s %s%s: got %d %s", selected, filter, more, got.Code, got.Body)
	}
	for _, row := range shown.Value {
		if row.ID != 0 && row.PrimaryKey != fmt.Sprint(row.ID) {
			s.t.Errorf("row %+v", row)
		}
		ids = append(ids, row.PrimaryKey)
	}
	return ids
}

// The two queries of SuperOffice's page about troubleshooting webhooks.
func TestArchive_AnswersTheQueriesOfThePage(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.call("POST", "/api/v1/Webhook", minimal)
	_, err := s.db.Webhooks().UpdateHealth(t.Context(), "Default", 2, func(h webhook.Health) webhook.Health {
		return h.Observe(
			webhook.HealthReport{Activation: 1, At: now.Add(time.Second)},
			webhook.HealthReport{Activation: 1, At: now.Add(2 * time.Second), Error: failure.Status, LastError: "say \"no\" <b>"},
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	const columns = "webhook_usage.total_calls,webhook_usage.total_errors,webhook_usage.consecutive_errors,webhook_usage.last_error"
	const values = `"webhook_usage.total_calls":2,"webhook_usage.total_errors":1,"webhook_usage.consecutive_errors":1,"webhook_usage.last_error":"say \"no\" <b>"}`
	for query, want := range map[string]string{
		"$select=webhook_usage.webhook_usage_id," + columns: `"value":[{"PrimaryKey":"1","EntityName":"webhook_usage","webhook_usage.webhook_usage_id":1,"webhook_usage.total_calls":0,"webhook_usage.total_errors":0,"webhook_usage.consecutive_errors":0,"webhook_usage.last_error":null},` +
			`{"PrimaryKey":"2","EntityName":"webhook_usage","webhook_usage.webhook_usage_id":2,` + values + `]}`,
		"$select=" + columns + "&$filter=webhook_usage.webhook_usage_id%20eq%202": `"value":[{"PrimaryKey":"2","EntityName":"webhook_usage",` + values + `]}`,
	} {
		got := s.call("GET", "/api/v1/Archive/dynamic?"+query, "")
		if want = `{"odata.metadata":"https://hooks.example.com/api/v1/Archive/$metadata","odata.nextLink":null,` + want; got.Code != 200 || got.Body.String() != want {
			t.Errorf("?%s: got %d\n%s\nwant\n%s", query, got.Code, got.Body, want)
		}
	}
	s.call("PUT", "/api/v1/Webhook/2", strings.Replace(minimal, "{", `{"State":"Stopped",`, 1))
	s.call("PUT", "/api/v1/Webhook/2", strings.Replace(minimal, "{", `{"State":"Active",`, 1))
	got := s.call("GET", "/api/v1/Archive/dynamic?$select="+columns+"&$filter=webhook_usage.webhook_usage_id+eq+2", "").Body.String()
	if !strings.Contains(got, `"webhook_usage.total_errors":1,"webhook_usage.consecutive_errors":0,`) {
		t.Errorf("after re-activation, as the webhook shows it: got %s", got)
	}
}

func TestArchive_SelectsFiltersAndPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 4 {
		s.call("POST", "/api/v1/Webhook", minimal)
	}
	for _, test := range []struct {
		selected, filter, more string
		want                   []string
	}{
		{usage, "", "", []string{"1", "2", "3", "4"}},
		{" WEBHOOK_USAGE.Webhook_Usage_Id , ,webhook_usage.webhook_usage_id", "", "&$skip=1&$top=2", []string{"2", "3"}},
		{usage, "", "&$top=0", nil},
		{usage, "", "&$skip=4", nil},
		{usage, " Webhook_Usage.webhook_usage_id  EQ 3 ", "", []string{"3"}},
		{usage, "webhook_usage.webhook_usage_id eq 9", "", nil},
		{usage, "webhook_usage.webhook_usage_id eq -1", "", nil},
		{usage, "webhook_usage.webhook_usage_id eq 3", "&$skip=1", nil},
		{usage, "webhook_usage.webhook_usage_id eq 3", "&$top=0", nil},
	} {
		if diff := cmp.Diff(test.want, s.archive(test.selected, test.filter, test.more)); diff != "" {
			t.Errorf("%q %q %s (-want +got):\n%s", test.selected, test.filter, test.more, diff)
		}
	}
	for query, fault := range map[string]string{
		"":                                 "$select is required; the columns that are supported are webhook_usage.webhook_usage_id, webhook_usage.total_calls,",
		"$select=webhook_usage.registered": `$select has \"webhook_usage.registered\", and the columns that are supported are`,
		"$select=contact.name":             `$select has \"contact.name\"`,
		"$select=total_calls":              `$select has \"total_calls\"`,
		"$filter=webhook_usage.x+eq+1":     "$select is required",
		"$select=" + usage + "&$top=x":     "$top must be an integer",
		"$select=" + usage + "&$filter=1":  "$filter must be webhook_usage.webhook_usage_id eq and the id of a webhook",
		"$select=" + usage + "&$filter=webhook_usage.webhook_usage_id+eq+x":                                        "no other filter is supported",
		"$select=" + usage + "&$filter=webhook_usage.webhook_usage_id+eq+99999999999":                              "no other filter is supported",
		"$select=" + usage + "&$filter=webhook_usage.webhook_usage_id+ne+1":                                        "no other filter is supported",
		"$select=" + usage + "&$filter=webhook_usage.total_errors+eq+1":                                            "no other filter is supported",
		"$select=" + usage + "&$filter=webhook_usage.webhook_usage_id+eq+1+or+webhook_usage.webhook_usage_id+eq+2": "no other filter is supported",
		"$select=" + usage + "&filter=webhook_usage.webhook_usage_id+eq+1":                                         "$filter",
	} {
		if got := s.call("GET", "/api/v1/Archive/dynamic?"+query, ""); got.Code != 400 || !strings.Contains(got.Body.String(), fault) {
			t.Errorf("?%s: got %d %s, want %s", query, got.Code, got.Body, fault)
		}
	}
}

// A row is of a webhook that the caller sees.
func TestArchive_ShowsTheCallersWebhooks(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	app, tenant := tje0, tje0
	app.App, tenant.Tenant = "app", "Other"
	for name, who := range map[string]webhook.Principal{"app": app, "tenant": tenant} {
		others := newServer(t, func(c *httpapi.Config) {
			c.Auth, c.Registry.Webhooks, c.Health = anyone{who}, s.db.Webhooks(), s.db.Webhooks().Health
		})
		for _, filter := range []string{"", "webhook_usage.webhook_usage_id eq 1"} {
			if got := others.archive(usage, filter, ""); got != nil {
				t.Errorf("another %s, filter %q: got %v", name, filter, got)
			}
		}
	}
}

// One webhook costs two reads however many there are, and 500 cost two as well.
func TestArchive_Reads(t *testing.T) {
	t.Parallel()
	reads := 0
	s := newServer(t, func(c *httpapi.Config) {
		health := c.Health
		c.Health = func(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
			reads++
			return health(ctx, tenant, ids)
		}
	})
	s.seed(600, numbered)
	if got := s.archive(usage, "webhook_usage.webhook_usage_id eq 599", ""); len(got) != 1 || reads != 1 {
		t.Errorf("one: %d rows by %d reads of counters", len(got), reads)
	}
	reads = 0
	if got := s.archive(usage, "", ""); len(got) != 600 || reads != 2 {
		t.Errorf("all: %d rows by %d reads of counters", len(got), reads)
	}
}
