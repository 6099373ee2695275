package dispatch_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// An old function meets events that a newer one stored while a deployment is
// under way, and after a rollback.
func TestAnEventOfANewerVersionIsPutOff(t *testing.T) {
	t.Parallel()
	t.Run("a stream record becomes a delayed expand message", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		record := webhook.Record{Event: webhook.Event{Tenant: tenant, ID: s.event.ID}, Newer: true, Accepted: s.clock.Now(), Sequence: "1"}
		if failed := s.Stream(t.Context(), []webhook.Record{record}); failed != "" {
			t.Errorf("the record failed")
		}
		if got := s.queued(); !slices.Equal(got, []string{"expand in 15m0s"}) || len(s.posts) != 0 {
			t.Errorf("%d POSTs, queued %q; want no POST and one delayed expand", len(s.posts), got)
		}
	})
	for name, message := range map[string]func(s *site) delivery.Message{
		"attempt": func(s *site) delivery.Message { return s.attempt(1, 1) },
		"expand":  func(s *site) delivery.Message { return delivery.ExpandMessage(s.event, s.clock.Now()) },
		"record": func(s *site) delivery.Message {
			return delivery.RecordMessage(s.attempt(1, 1), delivery.Attempt{Number: 1, At: s.clock.Now(), StatusCode: 200})
		},
	} {
		t.Run("a message of kind "+name+" is sent again with the longest delay", func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.faults["Events.Get"] = fmt.Errorf("get event: %w", webhook.ErrNewer)
			if !s.consume(message(s)) {
				t.Error("the message is not done: its receives would run out")
			}
			if got := s.queued(); len(got) != 1 || len(s.posts) != 0 || s.row().Exists() {
				t.Fatalf("%d POSTs, queued %q; want no POST, no row and one message", len(s.posts), got)
			} else if want := map[string]string{
				"attempt": "attempt 1.1 hops 0 in 15m0s", "expand": "expand in 15m0s", "record": "record in 15m0s",
			}[name]; got[0] != want {
				t.Errorf("queued %q, want %q", got[0], want)
			}
		})
	}
}

// A message of a kind that only a newer version knows waits in the queue.
func TestAMessageOfANewerVersionIsPutOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	received := delivery.Received{ID: "1", Receipt: "1.1", Receives: 1}
	received.Decode(`{"kind":"of_a_later_version","tenant":"` + string(tenant) + `"}`)
	if !received.Newer || received.Undecodable == "" {
		t.Fatalf("got %+v, want a body of a newer version", received)
	}
	if failed := s.Queue(t.Context(), []delivery.Received{received}); !slices.Equal(failed, []string{"1"}) || len(s.postponed) != 0 {
		t.Errorf("not done %q, postponed %v; want the message untouched", failed, s.postponed)
	}
	for _, body := range []string{"{", `{"tenant":"` + string(tenant) + `","event":"` + string(s.event.ID) + `"}`} {
		received.Decode(body)
		if received.Newer || received.Undecodable != body {
			t.Errorf("%s: got %+v, want a body that no version can decode", body, received)
		}
	}
}
