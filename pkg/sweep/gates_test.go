package sweep_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// down creates webhook 1 with an open breaker, whose probe is due after wait.
func (b *jobBench) down(t *testing.T, wait time.Duration) {
	t.Helper()
	w := webhook.Webhook{
		Tenant: "Default", ID: 1, Events: []string{"a.b"}, TargetURL: "https://example.com/", State: webhook.StateActive, Revision: 1, Activation: 1,
	}
	if err := b.db.Webhooks().Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	b.breaker(t, webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: b.clock.Now().Add(wait)})
}

func (b *jobBench) breaker(t *testing.T, is webhook.Breaker) {
	t.Helper()
	_, err := b.db.Webhooks().UpdateHealth(t.Context(), "Default", 1, func(h webhook.Health) webhook.Health {
		h = h.Under(1)
		h.Breaker = is
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
}

// due creates n rows of webhook 1 that are due now.
func (b *jobBench) due(t *testing.T, n int) (keys []delivery.Key) {
	t.Helper()
	random, now := webhooktest.Random(1), b.clock.Now()
	for range n {
		id, err := webhook.NewEventID(now, random)
		if err != nil {
			t.Fatal(err)
		}
		key := delivery.Key{Tenant: "Default", Webhook: 1, Event: id}
		_, err = b.db.Deliveries().StartRound(t.Context(), delivery.StartRound{Key: key, Now: now, Due: now, SweepAt: now})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// sweep runs once and counts the sent messages by delay.
func (b *jobBench) sweep(t *testing.T) (sent map[string]int) {
	t.Helper()
	if err := b.sweeper.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent = map[string]int{}
	for wait := time.Duration(0); wait <= 2*time.Minute; wait += time.Second {
		for {
			received, err := b.db.Queue().Receive(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range received {
				sent[fmt.Sprintf("%d.%d in %s", r.Message.Round, r.Message.Attempt, wait)]++
				if err := b.db.Queue().Ack(t.Context(), []string{r.Receipt}); err != nil {
					t.Fatal(err)
				}
			}
			if len(received) == 0 {
				break
			}
		}
		b.clock.Advance(time.Second)
	}
	return sent
}

func TestRun_ParksTheRowsOfADeadTarget(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	b.down(t, 20*time.Minute)
	keys, began := b.due(t, 120), b.clock.Now()
	if sent := b.sweep(t); len(sent) > 0 {
		t.Errorf("sent %v, want nothing: the probe is not due", sent)
	}
	for _, key := range keys {
		row, err := b.db.Deliveries().Get(t.Context(), key)
		if wait := row.SweepAt.Sub(began); err != nil || !row.Parked || wait < 40*time.Hour || wait > 48*time.Hour || row.Attempt != 0 || row.Resends != 0 || !row.NextAt.Equal(began) {
			t.Fatalf("got %+v, %v; want it parked until the net, 40 to 48 h away, and nothing used up", row, err)
		}
	}
	timer, err := b.db.Deliveries().Timer(t.Context(), webhook.Key{Tenant: "Default", ID: 1})
	if err != nil || timer.DueAt.After(began.Add(20*time.Minute)) {
		t.Errorf("got timer %+v, %v; want one that is due in time for the probe", timer, err)
	}
}

// What surfaces through the net while the breaker is closed was forgotten. It is counted,
// and sent. During an outage of two days rows surface too, and are parked again.
func TestRun_TheNetCatchesAParkedRow(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		s := newSite(t)
		s.create("")
		_, err := s.db.Webhooks().UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health {
			if h = h.Under(1); open {
				h.Breaker = webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: start.Add(100 * time.Hour)}
			}
			return h
		})
		s.must(err)
		now := s.clock.Now()
		for n := range 20 {
			_, err := s.db.Deliveries().Park(t.Context(), delivery.Park{Key: key(1, n), Round: 1, Attempt: 1, Now: now, Net: delivery.Net(now, 0.5)})
			s.must(err)
		}
		s.clock.Advance(43 * time.Hour)
		s.sweep()
		s.wantSent(time.Minute)
		s.log.Reset()
		s.clock.Advance(time.Hour)
		s.sweep()
		if got := len(s.sent(time.Minute)); (got == 20) == open || open && got > 0 {
			t.Errorf("breaker open %v: %d messages", open, got)
		}
		if row := s.row(key(1, 1)); row.Parked != open || row.SweepAt.Before(s.clock.Now()) {
			t.Errorf("breaker open %v: parked %v, due in %v", open, row.Parked, row.SweepAt.Sub(s.clock.Now()))
		}
		net, lines := " net=20 ", 10
		if open {
			net, lines = " net=0 ", 0
		}
		if log := s.log.String(); !strings.Contains(log, net) || strings.Count(log, "delivery in the net") != lines {
			t.Errorf("breaker open %v: want%sand %d lines of rows in the log:\n%s", open, net, lines, log)
		}
	}
}

func TestRun_SendsTheRowsOfAWebhookThatIsNotHeldBack(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, b *jobBench){
		"a breaker that has closed": func(t *testing.T, b *jobBench) { b.breaker(t, webhook.Breaker{}) },
		"a restarted webhook": func(t *testing.T, b *jobBench) {
			b.change(t, func(w *webhook.Webhook) { w.Activation = 2 })
		},
		"a stopped webhook, whose rows end": func(t *testing.T, b *jobBench) {
			b.change(t, func(w *webhook.Webhook) { w.State = webhook.StateStopped })
		},
		"a deleted webhook, whose rows end": func(t *testing.T, b *jobBench) {
			if err := b.db.Webhooks().Delete(t.Context(), "Default", 1, 1, webhook.Change{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newJobBench(t, inSlices(1, 0))
			b.down(t, time.Hour)
			prepare(t, b)
			b.due(t, 120)
			if sent := b.sweep(t); sent["1.1 in 0s"] != 120 {
				t.Errorf("sent %v, want all 120 at once", sent)
			}
		})
	}
}

func (b *jobBench) change(t *testing.T, how func(*webhook.Webhook)) {
	t.Helper()
	w, err := b.db.Webhooks().Get(t.Context(), "Default", 1)
	if err == nil {
		how(&w)
		w.Revision++
		err = b.db.Webhooks().Update(t.Context(), w, webhook.Change{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRun_SendsForALeasedRowOfADeadTarget(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	b.down(t, time.Hour)
	key := b.due(t, 1)[0]
	now := b.clock.Now()
	_, err := b.db.Deliveries().Lease(t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: 1, Token: "dead", Now: now, Until: now})
	if err != nil {
		t.Fatal(err)
	}
	if sent := b.sweep(t); sent["1.1 in 0s"] != 1 {
		t.Errorf("sent %v, want the message of the attempt in progress", sent)
	}
}

func TestRun_EndsARowThatIsStuckOnceItsEventIsGone(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	key := b.due(t, 1)[0]
	event := webhook.Event{Tenant: "Default", ID: key.Event, Name: "a.b", At: b.clock.Now(), ExpiresAt: b.clock.Now().Add(3 * 24 * time.Hour)}
	if err := b.db.Events().Put(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	sent, ended := 0, time.Duration(0)
	for began := b.clock.Now(); b.clock.Now().Sub(began) < 5*24*time.Hour && ended == 0; {
		for _, n := range b.sweep(t) { // every message is lost
			sent += n
		}
		row, err := b.db.Deliveries().Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if row.Status == delivery.StatusExpired {
			ended = b.clock.Now().Sub(began)
		}
		b.clock.Advance(28 * time.Minute)
	}
	if ended < 3*24*time.Hour || ended > 3*24*time.Hour+7*time.Hour || sent < 15 || sent > 25 {
		t.Errorf("after %d messages it ended in %v, want about 18 (up to six hours apart), ended once the event is gone", sent, ended)
	}
}

// The parked rows of a deleted webhook have no timer. They end when they surface, and the
// net counts none.
func TestRun_EndsParkedRowsOfADeletedWebhook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.create("")
	now := s.clock.Now()
	for n := range 20 {
		_, err := s.db.Deliveries().Park(t.Context(), delivery.Park{
			Key: key(1, n), Round: 1, Attempt: 1, Now: now, Net: delivery.Net(now, 0.5), Seed: delivery.Seed{ExpiresAt: now.Add(1000 * time.Hour)},
		})
		s.must(err)
	}
	w, err := s.db.Webhooks().Get(t.Context(), tenant, 1)
	s.must(err)
	s.must(s.db.Webhooks().Delete(t.Context(), tenant, 1, w.Revision, webhook.Change{}))
	s.clock.Advance(44 * time.Hour)
	s.sweep()
	s.wantSent(time.Minute)
	if row := s.row(key(1, 1)); row.Status != delivery.StatusCancelled || row.Parked {
		t.Errorf("the row is %s, parked %v", row.Status, row.Parked)
	}
	if log := s.log.String(); !strings.Contains(log, " net=0 ") {
		t.Errorf("the net counts them:\n%s", log)
	}
}

// A row that is erased while it is being ended is not created again: its tenant may be
// deleted.
func TestRun_EndsNoErasedRow(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, s *site){
		"a parked row of a deleted webhook": func(t *testing.T, s *site) {
			s.create("")
			now := s.clock.Now()
			_, err := s.db.Deliveries().Park(t.Context(), delivery.Park{
				Key: key(1, 1), Round: 1, Attempt: 1, Now: now, Net: delivery.Net(now, 0.5), Seed: delivery.Seed{ExpiresAt: now.Add(100 * time.Hour)},
			})
			s.must(err)
			w, err := s.db.Webhooks().Get(t.Context(), tenant, 1)
			s.must(err)
			s.must(s.db.Webhooks().Delete(t.Context(), tenant, 1, w.Revision, webhook.Change{}))
			s.clock.Advance(44 * time.Hour)
		},
		"a row that is stuck and whose event is gone": func(_ *testing.T, s *site) {
			now := s.clock.Now()
			_, err := s.db.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{
				Key: key(1, 1), Now: now, Seed: delivery.Seed{ExpiresAt: now.Add(200 * time.Hour)},
				Outcome: delivery.Outcome{Attempt: delivery.Attempt{Number: 1, At: now}, Status: delivery.StatusPending, NextAt: now, SweepAt: now},
			})
			s.must(err)
			for range 30 {
				s.sweep()
				s.clock.Advance(6 * time.Hour)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ended := newSite(t), false
			s.before = func() {
				ended = true
				s.clock.Advance(200 * time.Hour) // the row expires
			}
			prepare(t, s)
			s.sweep()
			if _, err := s.db.Deliveries().Get(t.Context(), key(1, 1)); !ended || !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("the row was ended: %v; then got %v, want ErrNotFound", ended, err)
			}
		})
	}
}

// A timer that another process writes while a row is being parked is read again, and is
// not one that is about to be removed once the row is parked.
func TestRun_EnsuresATimerThatChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.create("")
	s.breaker(webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: s.clock.Now().Add(time.Hour)})
	s.due(key(1, 1), 0)
	var writes atomic.Int32
	s.beforeTimer = func() {
		if writes.Add(1) > 2 {
			return
		}
		other, err := s.db.Deliveries().Timer(t.Context(), first)
		if err != nil && !errors.Is(err, webhook.ErrNotFound) {
			t.Error(err)
		}
		// Not due, so that only the row's worker writes it.
		other.Key, other.EmptySince, other.DueAt = first, s.clock.Now(), s.clock.Now().Add(time.Hour)
		if _, err := s.db.Deliveries().SetTimer(t.Context(), other); err != nil {
			t.Error(err)
		}
	}
	s.sweep()
	timer, err := s.db.Deliveries().Timer(t.Context(), first)
	s.must(err)
	if !s.row(key(1, 1)).Parked || !timer.EmptySince.IsZero() || writes.Load() < 3 {
		t.Errorf("after %d writes got row %+v and timer %+v", writes.Load(), s.row(key(1, 1)), timer)
	}
}
