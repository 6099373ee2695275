package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const anEvent webhook.EventID = "01a20c91-a000-7000-8000-000000000007"

// shownRequest is what tests read of a request.
type shownRequest struct {
	URL                    string `json:"Url"`
	Headers                map[string]string
	Body                   string
	Exact                  bool
	Revision, ChangedSince int64
	SignedWith             *struct {
		Secret   string
		Since    *time.Time
		Replaced *bool
	}
	Note string
}

func (s *server) request() (shown shownRequest) {
	s.t.Helper()
	got := s.call("GET", "/api/v1/Webhook/1/Deliveries/"+strings.ToUpper(string(anEvent))+"/Request", "")
	if got.Code != 200 {
		s.t.Fatalf("got %d %s", got.Code, got.Body)
	}
	if err := json.Unmarshal(got.Body.Bytes(), &shown); err != nil {
		s.t.Fatal(err)
	}
	return shown
}

// attempt records another attempt at the delivery of anEvent.
func (s *server) attempt(a delivery.Attempt) {
	s.t.Helper()
	_, err := s.db.Deliveries().MarkDelivered(s.t.Context(), delivery.MarkDelivered{
		Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: anEvent}, Round: 1, Now: s.clock.Now(), Attempt: a,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestRequest_IsThatOfTheRevisionThatMadeIt(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	put := func(name, target, secret string) {
		t.Helper()
		method, path := "PUT", "/api/v1/Webhook/1"
		if name == "one" {
			method, path = "POST", "/api/v1/Webhook"
		}
		got := s.call(method, path, `{"Name":"`+name+`","Events":["contact.*"],"TargetUrl":"https://example.com/`+target+`","Secret":"`+secret+`"}`)
		if got.Code != 200 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
		s.clock.Advance(time.Hour)
	}
	put("one", "first", "s1")
	s.attempted(1, anEvent, webhook.SignerCurrent)
	if got := s.request(); !got.Exact || got.Revision != 1 || got.ChangedSince != 0 || got.Note != "" || *got.SignedWith.Replaced || !got.SignedWith.Since.Equal(now) {
		t.Errorf("unchanged: got %+v", got)
	}
	put("two", "second", "s2")
	got := s.request()
	if !got.Exact || got.URL != "https://example.com/first" || !strings.Contains(got.Body, `"WebhookName":"one"`) || got.Revision != 1 || got.ChangedSince != 2 {
		t.Errorf("after a change: got %+v", got)
	}
	if got.SignedWith.Secret != "current" || !got.SignedWith.Since.Equal(now) || !*got.SignedWith.Replaced {
		t.Errorf("signed with %+v", got.SignedWith)
	}
	if got.Headers["X-SuperOffice-Signature"] != "********" || got.Headers["webhook-signature"] != "v1,********" || got.Headers["X-SuperOffice-Retry"] != "" {
		t.Errorf("headers %v", got.Headers)
	}
	s.attempt(delivery.Attempt{Number: 3, At: s.clock.Now(), Sent: webhook.Sent{Revision: 2, Body: "another", Signer: webhook.SignerPrevious, Both: true, Replay: true}})
	got = s.request()
	if got.Exact || got.URL != "https://example.com/second" || !strings.HasPrefix(got.Note, "The body is not the one") || got.Revision != 2 || got.ChangedSince != 0 {
		t.Errorf("another body: got %+v", got)
	}
	if got.SignedWith.Secret != "previous" || !got.SignedWith.Since.Equal(now) || !*got.SignedWith.Replaced {
		t.Errorf("signed with %+v", got.SignedWith)
	}
	if got.Headers["webhook-signature"] != "v1,******** v1,********" || got.Headers["X-SuperOffice-Retry"] != "2" || got.Headers["X-Posthaste-Replay"] != "true" {
		t.Errorf("headers %v", got.Headers)
	}
}

func TestRequest_SaysWhyItIsNotExact(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attempt delivery.Attempt
		note    string
		signed  bool
	}{
		"a revision that is not kept": {
			delivery.Attempt{Number: 1, Sent: webhook.Sent{Revision: 77, Body: "x", Signer: webhook.SignerCurrent}},
			"Revision 77 of the webhook is no longer kept: the request is rebuilt from revision 1.", true,
		},
		"an attempt of an older version": {
			delivery.Attempt{Number: 1},
			"It was not recorded what the attempt sent: this is the request that the webhook would send now.", false,
		},
		"nothing was sent": {
			delivery.Attempt{Number: 1, Error: failure.Blocked, Sent: webhook.Sent{Revision: 1}},
			"Nothing was sent. blocked_address: The target's host, address or port is not allowed", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.call("POST", "/api/v1/Webhook", minimal)
			s.attempted(1, anEvent, webhook.SignerCurrent)
			test.attempt.At = s.clock.Now()
			s.attempt(test.attempt)
			if got := s.request(); got.Exact || !strings.HasPrefix(got.Note, test.note) || (got.SignedWith != nil) != test.signed {
				t.Errorf("got %+v", got)
			} else if test.signed && (got.SignedWith.Since != nil || got.SignedWith.Replaced != nil) {
				t.Errorf("signed with %+v, of an unknown revision", got.SignedWith)
			}
		})
	}
}

func TestRequest_Absent(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	parked := delivery.Key{Tenant: "Default", Webhook: 1, Event: "01a20c91-a000-7000-8000-000000000008"}
	_, err := s.db.Deliveries().Park(t.Context(), delivery.Park{Key: parked, Round: 1, Attempt: 1, Now: now, Net: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s.attempted(1, anEvent, webhook.SignerNone)
	s.clock.Advance(31 * 24 * time.Hour) // the event has expired, its delivery has not
	for event, text := range map[webhook.EventID]string{
		anEvent:                                "Event " + string(anEvent) + " has expired, so that its request cannot be rebuilt",
		parked.Event:                           "No attempt at delivering event " + string(parked.Event) + " has been made",
		"01a20c91-a000-7000-8000-000000000009": "Event 01a20c91-a000-7000-8000-000000000009 has expired, and its deliveries with it",
		"01b20c91-a000-7000-8000-000000000009": "The webhook has no delivery of event 01b20c91-a000-7000-8000-000000000009",
	} {
		if got := s.call("GET", "/api/v1/Webhook/1/Deliveries/"+string(event)+"/Request", ""); got.Code != 404 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("got %d %s, want %s", got.Code, got.Body, text)
		}
	}
}

// A delivery is found under its own webhook and tenant only.
func TestRequest_Apart(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = everyone() })
	s.call("POST", "/api/v1/Webhook", minimal, "Authorization: owner")
	s.call("POST", "/api/v1/Webhook", minimal, "Authorization: another app")
	s.call("POST", "/api/v1/Webhook", minimal, "Authorization: another tenant")
	s.attempted(1, anEvent, webhook.SignerNone)
	for _, test := range []struct {
		who, id string
		status  int
	}{
		{"owner", "1", 200},
		{"owner", "2", 404},
		{"another app", "1", 404},
		{"another app", "2", 404},
		{"another tenant", "1", 404},
		{"another tenant", "2", 404},
		{"another tenant's same app", "1", 404},
	} {
		got := s.call("GET", "/api/v1/Webhook/"+test.id+"/Deliveries/"+string(anEvent)+"/Request", "", "Authorization: "+test.who)
		if got.Code != test.status || got.Code != 200 && strings.Contains(got.Body.String(), "Blåbær") {
			t.Errorf("%s, webhook %s: got %d %s", test.who, test.id, got.Code, got.Body)
		}
	}
}
