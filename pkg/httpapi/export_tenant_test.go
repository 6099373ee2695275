package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// export reads all pages of an export. It returns the kinds of its lines and its
// text.
func (s *server) export(tenant string) (kinds map[string]int, pages int, text string) {
	s.t.Helper()
	kinds = map[string]int{}
	for cursor := ""; ; {
		answer := s.call("GET", "/admin/v1/Tenants/"+tenant+"/Export?cursor="+url.QueryEscape(cursor), "", asAdmin)
		if answer.Code != 200 || answer.Header().Get("Content-Type") != "application/x-ndjson; charset=utf-8" {
			s.t.Fatalf("got %d %s %s", answer.Code, answer.Header(), answer.Body)
		}
		if answer.Body.Len() > 5<<20 {
			s.t.Errorf("a page of %d bytes", answer.Body.Len())
		}
		pages++
		text += answer.Body.String()
		var last struct {
			Kind  string
			Value json.RawMessage
		}
		scanner := bufio.NewScanner(answer.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			if err := json.Unmarshal(scanner.Bytes(), &last); err != nil {
				s.t.Fatalf("%v: %s", err, scanner.Text())
			}
			kinds[last.Kind]++
		}
		if last.Kind == "End" {
			return kinds, pages, text
		}
		if err := json.Unmarshal(last.Value, &cursor); err != nil || last.Kind != "More" || pages > 10 {
			s.t.Fatalf("page %d ends with %s %s", pages, last.Kind, last.Value)
		}
	}
}

func TestExport_HasAllDataOfOneTenantWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, tenant := range []string{"Cust1", "Cust2"} {
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+tenant+`"}`, 201)
	}
	token, _ := s.issue("Cust1", "bearer", "anna", "crm")
	other, _ := s.issue("Cust2", "bearer", "eve", "")
	s.call("POST", "/api/v1/Webhook", aWebhook("of-others"), other)
	for _, name := range []string{"a", "b", "c"} {
		s.call("POST", "/api/v1/Webhook", strings.Replace(aWebhook(name), "{", `{"Headers":{"X-Token":"header-value"},`, 1), token)
	}
	large := `{"x":"` + strings.Repeat("y", 250<<10) + `"}`
	for range 20 {
		if answer := s.call("POST", "/api/v1/Webhook/contact.changed/7", large, token); answer.Code != 204 {
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
	}
	for id := int32(1); id <= 2; id++ {
		_, err := s.db.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{
			Key: delivery.Key{Tenant: "Cust1", Webhook: id, Event: webhook.FirstEventID(now)}, Now: now,
			Seed:    delivery.Seed{EventName: "contact.changed", PrimaryKey: 7, ExpiresAt: now.Add(time.Hour)},
			Outcome: delivery.Outcome{Attempt: delivery.Attempt{Number: 1, At: now, StatusCode: 200}, Status: delivery.StatusDelivered},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	kinds, pages, text := s.export("Cust1")
	want := map[string]int{"Tenant": 1, "Credential": 1, "Webhook": 3, "Delivery": 2, "Event": 20, "More": pages - 1, "End": 1}
	if diff := cmp.Diff(want, kinds); diff != "" || pages < 2 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	_, secret, _ := strings.Cut(token, "Bearer ")
	for _, hidden := range []string{"the secret of", "header-value", secret, "of-others"} {
		if strings.Contains(text, hidden) {
			t.Errorf("the export holds %q", hidden)
		}
	}
	for _, shown := range []string{`"TargetUrl":"https://example.com/a"`, `"Secret":"********"`, `"Policy":"durable"`, `"App":"crm"`} {
		if !strings.Contains(text, shown) {
			t.Errorf("the export lacks %s", shown)
		}
	}
}

func TestExport_MasksSecretsThatReadsShow(t *testing.T) {
	t.Parallel()
	s := newGuarded(t, func(c *httpapi.Config) { c.SecretVisible = true })
	s.call("POST", "/api/v1/Webhook", aWebhook("a"))
	if answer := s.call("GET", "/api/v1/Webhook/1", ""); !strings.Contains(answer.Body.String(), "the secret of a") {
		t.Fatalf("got %s", answer.Body)
	}
	if _, _, text := s.export("Default"); strings.Contains(text, "the secret of a") || !strings.Contains(text, `"Secret":"********"`) {
		t.Errorf("got %s", text)
	}
}

func TestExport_Refuses(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("GET", "/admin/v1/Tenants/Missing/Export", "", 404)
	for _, cursor := range []string{"x", "events/", "events/x", "webhooks/x", "deliveries/x/", "webhooks/99999999999"} {
		s.admin("GET", "/admin/v1/Tenants/Default/Export?cursor="+cursor, "", 400)
	}
}

// damagedEvents and damagedRows are stores with an item that cannot be decoded.
type damagedEvents struct{ webhook.Events }

func (d damagedEvents) List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) ([]webhook.Event, error) {
	page, err := d.Events.List(ctx, tenant, first, last, limit)
	return page, errors.Join(err, &webhook.UnreadableError{Count: 1, Items: []string{"event x"}, Cause: errors.New("no JSON")})
}

type damagedRows struct{ delivery.Store }

func (d damagedRows) List(ctx context.Context, tenant webhook.Tenant, id int32, before webhook.EventID, limit int) ([]delivery.Row, error) {
	page, err := d.Store.List(ctx, tenant, id, before, limit)
	return page, errors.Join(err, &webhook.UnreadableError{Count: 1, Items: []string{"row x"}, Cause: errors.New("no JSON")})
}

func TestExport_ContinuesAfterUnreadableItems(t *testing.T) {
	t.Parallel()
	s := newGuarded(t, func(c *httpapi.Config) {
		c.Stored.Events = damagedEvents{c.Stored.Events.(webhook.Events)}
		c.Stored.Deliveries = damagedRows{c.Stored.Deliveries.(delivery.Store)}
	})
	s.call("POST", "/api/v1/Webhook", aWebhook("a"))
	s.call("POST", "/api/v1/Webhook/contact.changed/7", "{}")
	kinds, _, text := s.export("Default")
	if kinds["Webhook"] != 1 || kinds["Event"] != 1 || kinds["End"] != 1 || kinds["Unreadable"] != 2 {
		t.Errorf("got %v, want all other items and two lines about the unreadable ones", kinds)
	}
	for _, item := range []string{`"event x"`, `"row x"`} {
		if !strings.Contains(text, item) {
			t.Errorf("the export does not name %s", item)
		}
	}
}
