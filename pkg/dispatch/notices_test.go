package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// told describes the notices that were passed on.
func (s *site) told() (all []string) {
	s.t.Helper()
	for _, n := range s.notices.All() {
		if n.Tenant != tenant && n.Kind != notice.DeadLetter {
			s.t.Errorf("a notice of tenant %q", n.Tenant)
		}
		all = append(all, fmt.Sprintf("%s: %d %q at %s, %d×%s %d since %s", n.Kind, n.Webhook, n.Name, n.Host, n.Count, n.Error, n.Status, n.Since.UTC().Format(time.TimeOnly)))
	}
	return all
}

// attempts has the queue make n attempts that are a second apart.
func (s *site) attempts(n int) {
	s.t.Helper()
	for range n {
		s.event = s.put("contact.changed")
		s.consume(s.attempt(1, 1))
		s.clock.Advance(time.Second)
	}
}

func (s *site) named() {
	s.t.Helper()
	s.change(func(w *webhook.Webhook) {
		w.Name, w.TargetURL = "Orders", "https://user:pass@hooks.example.com/in?token=secret"
	})
}

func TestNotices_ABreakerIsToldOnceWhenItOpensAndOnceWhenItCloses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.named()
	s.answer = status(503)
	s.attempts(9)
	if got := s.told(); got != nil {
		t.Fatalf("before the breaker opens: %q", got)
	}
	s.attempts(3)
	opened := `Deliveries Failing: 1 "Orders" at hooks.example.com, 10×status 503 since 08:01:00`
	if diff := cmp.Diff([]string{opened}, s.told()); diff != "" {
		t.Fatalf("after it opened (-want +got):\n%s", diff)
	}
	s.clock.Advance(33 * time.Second)
	s.attempts(1) // a probe that fails
	s.answer = nil
	s.clock.Advance(66 * time.Second)
	s.attempts(2)
	closed := `Deliveries Recovered: 1 "Orders" at hooks.example.com, 0× 0 since 08:01:00`
	if diff := cmp.Diff([]string{opened, closed}, s.told()); diff != "" {
		t.Errorf("after it closed (-want +got):\n%s", diff)
	}
}

// Of the processes whose attempts fail at the same time, one tells that the
// breaker opened.
func TestNotices_AreToldByTheProcessThatOpenedTheBreaker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = status(500)
	s.attempts(9)
	second := s.engine(webhooktest.Random(2))
	s.overtaken = func() { // a failure that ended later
		s.clock.Advance(time.Second)
		event := s.event
		s.event = s.put("contact.deleted")
		second.Queue(t.Context(), s.send(s.attempt(1, 1)))
		s.event = event
	}
	s.attempts(1)
	if got := s.told(); len(got) != 1 || !s.health().Breaker.Open() {
		t.Errorf("got %q, want one notice", got)
	}
}

func TestNotices_AWriteThatIsRepeatedIsToldOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = status(500)
	s.attempts(9)
	s.repeatsChange = true
	s.attempts(1)
	if got := s.told(); len(got) != 1 {
		t.Errorf("got %q, want one notice", got)
	}
}

func TestNotices_ADisabledWebhookIsTold(t *testing.T) {
	t.Parallel()
	for name, make410 := range map[string]func(s *site){
		"by the queue":     func(s *site) { s.consume(s.attempt(1, 1)) },
		"in the fast lane": func(s *site) { s.earn(); s.Stream(s.t.Context(), s.records(3)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.named()
			s.answer = status(410)
			make410(s)
			got := s.told()
			if len(got) != 1 || !strings.HasPrefix(got[0], `Webhook Disabled: 1 "Orders" at hooks.example.com, 1×status 410 since 08:01:`) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestNotices_NothingIsToldOfWhatIsNotWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = status(500)
	s.attempts(9)
	s.faults["UpdateHealth"] = webhook.ErrUnavailable
	s.attempts(3)
	if got := s.told(); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestNotices_AnUndecodableRecordIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Stream(t.Context(), []webhook.Record{{Undecodable: []byte("{"), Sequence: "1"}, {Undecodable: []byte("["), Sequence: "2"}})
	if got := s.told(); len(got) != 1 || !strings.HasPrefix(got[0], "Dead Letter: 0 \"\" at , 1×unreadable") {
		t.Errorf("got %q, want one", got)
	}
}

// A bus that is out of reach fails no batch, changes no row and puts nothing
// off.
func TestNotices_ThatCannotBeToldLeaveDeliveriesAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.notices.Fail(func(context.Context) error { return webhook.ErrUnavailable })
	s.answer = status(410)
	if done := s.consume(s.attempt(1, 1)); !done {
		t.Error("the message is not done")
	}
	if row := s.row(); row.Status != delivery.StatusFailed {
		t.Errorf("got %+v", row)
	}
	if len(s.notices.Calls()) != 1 || len(s.postponed) != 0 {
		t.Errorf("%d calls, %d messages put off", len(s.notices.Calls()), len(s.postponed))
	}
}
