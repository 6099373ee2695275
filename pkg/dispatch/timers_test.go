package dispatch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func (s *site) webhookKey() webhook.Key { return webhook.Key{Tenant: tenant, ID: s.hook.ID} }

// timer returns the webhook's timer; the zero Timer if it has none.
func (s *site) timer() delivery.Timer {
	s.t.Helper()
	timer, err := s.db.Deliveries().Timer(s.t.Context(), s.webhookKey())
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		s.t.Fatal(err)
	}
	return timer
}

// calls counts the calls of a method.
func (s *site) calls(method string) *int {
	n := 0
	s.before[method] = func() { n++ }
	return &n
}

// later moves the next probe away.
func (s *site) later(d time.Duration) {
	s.t.Helper()
	_, err := s.db.Webhooks().UpdateHealth(s.t.Context(), tenant, s.hook.ID, func(h webhook.Health) webhook.Health {
		h.Breaker.ProbeAt = s.clock.Now().Add(d)
		return h
	})
	s.must(err)
}

// A webhook has a timer before its first row is parked. A batch makes sure once, and
// those of the next minute do not.
func TestPark_EnsuresTheTimerFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	s.later(time.Hour)
	reads, writes := s.calls("Timer"), s.calls("SetTimer")
	s.before["Park"] = func() {
		if s.timer().Version == 0 {
			t.Error("a row is parked without a timer")
		}
	}
	park := func(wantReads, wantWrites int) {
		t.Helper()
		if failed := s.Stream(t.Context(), s.records(10)); failed != "" {
			t.Fatalf("failed at %q", failed)
		}
		for _, r := range s.records(5) {
			m := s.attempt(1, 1)
			m.Event = r.Event.ID
			if !s.consume(m) {
				t.Fatal("a message is not done")
			}
		}
		if *reads != wantReads || *writes != wantWrites {
			t.Errorf("%d reads and %d writes of the timer, want %d and %d", *reads, *writes, wantReads, wantWrites)
		}
	}
	park(1, 1)
	if timer := s.timer(); timer.DueAt.After(s.clock.Now()) {
		t.Errorf("got %+v, want it due", timer)
	}
	s.clock.Advance(50 * time.Second)
	park(1, 1)
	s.clock.Advance(11 * time.Second)
	park(2, 1)
}

// A timer that is about to be removed is kept by a write that the removal refuses.
func TestPark_ClearsTheMarkOfAnEmptyTimer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	now := s.clock.Now()
	marked, err := s.db.Deliveries().SetTimer(t.Context(), delivery.Timer{Key: s.webhookKey(), DueAt: now.Add(time.Hour), EmptySince: now.Add(-time.Minute)})
	s.must(err)
	if !s.consume(s.attempt(1, 1)) || !s.row().Parked {
		t.Fatalf("not parked: %+v", s.row())
	}
	if timer := s.timer(); !timer.EmptySince.IsZero() || timer.Version == marked.Version || timer.DueAt.After(s.clock.Now()) {
		t.Errorf("got %+v, want another version, without the mark and due", timer)
	}
}

// Without a timer nothing is parked: the stream enqueues its deliveries, and a message
// comes back.
func TestPark_NotWithoutATimer(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Timer", "SetTimer"} {
		s := newSite(t)
		s.fail(10)
		s.faults[method] = webhook.ErrUnavailable
		if failed := s.Stream(t.Context(), s.records(2)); failed != "" || len(s.messages()) != 2 {
			t.Errorf("%s: failed at %q, want both enqueued", method, failed)
		}
		if s.consume(s.attempt(1, 1)) || s.row().Exists() || len(s.posts) > 0 {
			t.Errorf("%s: got row %+v and %d POSTs; want the message to come back", method, s.row(), len(s.posts))
		}
	}
}

// Another process changes the timer between the read and the write.
func TestPark_EnsuresATimerThatChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	tries := s.calls("Timer")
	others := 2
	s.before["SetTimer"] = func() {
		if others--; others >= 0 {
			other := s.timer()
			other.Key, other.EmptySince = s.webhookKey(), s.clock.Now()
			_, err := s.db.Deliveries().SetTimer(context.Background(), other)
			s.must(err)
		}
	}
	if !s.consume(s.attempt(1, 1)) || !s.row().Parked || *tries != 3 || !s.timer().EmptySince.IsZero() {
		t.Errorf("got row %+v and timer %+v after %d tries", s.row(), s.timer(), *tries)
	}
}

// A process that freezes before it parks a row finds that the timer is gone when it
// thaws.
func TestPark_EnsuresTheTimerAgainAfterAFreeze(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	s.later(10 * time.Hour)
	writes := s.calls("SetTimer")
	s.before["Park"] = func() { s.clock.Advance(10 * time.Minute) }
	s.event = s.put("contact.deleted")
	if !s.consume(s.attempt(1, 1)) || *writes != 1 {
		t.Fatalf("%d writes of the timer", *writes)
	}
	s.before["Park"] = func() {
		s.clock.Advance(10 * time.Minute)
		s.must(s.db.Deliveries().RemoveTimer(context.Background(), s.timer()))
	}
	s.event = s.put("contact.created.again")
	if !s.consume(s.attempt(1, 1)) || s.timer().Version == 0 {
		t.Errorf("got timer %+v after %d writes, want another one", s.timer(), *writes)
	}
}

// What becomes of a message whose row does not let it park.
func TestQueue_ARowThatDoesNotPark(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare   func(s *site)
		done      bool
		postponed time.Duration
	}{
		"it is parked": {prepare: func(s *site) {
			if !s.consume(s.attempt(1, 1)) {
				s.t.Fatal("not parked")
			}
		}, done: true},
		"its time has not come": {prepare: func(s *site) {
			s.finish(1, 1, waiting)
			s.clock.Advance(-20 * time.Second) // a clock that is behind
		}, postponed: 20 * time.Second},
		"its attempt is over":      {prepare: func(s *site) { s.finish(1, 1, waiting); s.finish(1, 2, waiting) }, done: true},
		"another one is making it": {prepare: func(s *site) { s.lease(1, 2, time.Minute) }, postponed: time.Minute + delivery.LeaseSpare},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.fail(10)
			message := s.attempt(1, 2)
			switch name {
			case "it is parked":
				message = s.attempt(1, 1)
			case "another one is making it":
				s.finish(1, 1, waiting)
			}
			tt.prepare(s)
			before := s.row()
			done := s.consume(message)
			var postponed time.Duration
			if n := len(s.postponed); n > 0 {
				postponed = s.postponed[n-1]
			}
			if done != tt.done || postponed != tt.postponed || len(s.posts) > 0 || s.row().Attempt != before.Attempt || s.row().Parked != before.Parked {
				t.Errorf("done %t, postponed %v, %d POSTs, row %+v", done, postponed, len(s.posts), s.row())
			}
		})
	}
}

// Disabling a webhook makes its timer due: what is parked ends.
func TestDisable_PullsTheTimer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.db.Deliveries().SetTimer(t.Context(), delivery.Timer{Key: s.webhookKey(), DueAt: s.clock.Now().Add(time.Hour)})
	s.must(err)
	s.answer = status(410)
	s.consume(s.attempt(1, 1))
	if timer := s.timer(); timer.DueAt.After(s.clock.Now()) {
		t.Errorf("got %+v, want it due", timer)
	}
}
