package dispatch_test

import (
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// good stores an active webhook that has earned the fast lane.
func (s *site) good(of webhook.Tenant, id int32, event string) {
	s.t.Helper()
	w := webhook.Webhook{
		Tenant: of, ID: id, Events: []string{event}, TargetURL: "https://example.com/" + string(of), State: webhook.StateActive,
		Revision: 1, Activation: 1, ActivatedAt: s.clock.Now(),
	}
	s.must(s.db.Webhooks().Create(s.t.Context(), w))
	_, err := s.db.Webhooks().UpdateHealth(s.t.Context(), of, id, func(h webhook.Health) webhook.Health {
		return h.Observe(webhook.HealthReport{Activation: 1, At: s.clock.Now(), Duration: 10 * time.Millisecond})
	})
	s.must(err)
}

// The targets of 270 webhooks of one tenant hang. They get half of the slots, once, and
// another tenant's attempt is made in the meantime.
func TestStream_ATenantWhoseTargetsHangLeavesSlotsToOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const half = 257
	events := []string{"e.x", "e.y", "e.z"}
	for id := int32(1); id <= 270; id++ {
		s.good("Hostile", id, events[id%3])
	}
	s.good("Other", 1, "e.x")
	posted, release := make(chan webhook.Tenant, 300), make(chan struct{})
	s.answer = func(p webhook.Post) webhook.Result {
		posted <- p.Webhook.Tenant
		if p.Webhook.Tenant == "Hostile" {
			<-release
			return cut(p)
		}
		return webhook.Result{StatusCode: 200}
	}
	record := func(of webhook.Tenant, name string) webhook.Record {
		e := s.put(name)
		e.Tenant = of
		return webhook.Record{Event: e, Accepted: s.clock.Now(), Sequence: "1"}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var records []webhook.Record
		for _, name := range events {
			records = append(records, record("Hostile", name))
		}
		s.Stream(t.Context(), records)
	}()
	for range half {
		<-posted
	}
	s.Stream(t.Context(), []webhook.Record{record("Other", "e.x")})
	select {
	case of := <-posted:
		if of != "Other" {
			t.Errorf("one attempt more of %s was made", of)
		}
	default:
		t.Error("the other tenant's attempt was not made")
	}
	var known sync.WaitGroup // no slot is released before all have been cut short
	known.Add(half)
	s.mu.Lock()
	s.before["UpdateHealth"] = func() { known.Done(); known.Wait() }
	s.mu.Unlock()
	close(release)
	<-done
	if n := len(posted); n != 0 {
		t.Errorf("%d more attempts were made after all of the first hung, want none", n)
	}
	if got := s.messages(); len(got) != 270 {
		t.Errorf("%d messages are in the queue, want all 270 deliveries", len(got))
	}
}

// An attempt keeps its webhook in memory for as long as the target takes.
func TestQueue_AnAttemptHoldsOnlyWhatItSends(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change(func(w *webhook.Webhook) { w.Description, w.Properties = "long", []byte(`{"p":1}`) })
	s.consume(s.attempt(1, 1))
	if len(s.posts) != 1 {
		t.Fatalf("got %d POSTs", len(s.posts))
	}
	if w := s.posts[0].Webhook; w.Description != "" || w.Events != nil || string(w.Properties) != `{"p":1}` || w.TargetURL != s.hook.TargetURL {
		t.Errorf("the attempt holds %+v", w)
	}
}
