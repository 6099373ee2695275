package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// replayed begins a round of the delivery, as a replay does, and returns its message.
func (s *site) replayed(of delivery.Key, seen delivery.Status) delivery.Message {
	s.t.Helper()
	now := s.clock.Now()
	row, err := s.db.Deliveries().StartRound(s.t.Context(), delivery.StartRound{
		Key: of, Seen: seen, Now: now, Due: now, SweepAt: now.Add(5 * time.Minute), Job: "job", Seed: delivery.NewSeed(s.event, "job", nil, now.Add(time.Hour)),
	})
	s.must(err)
	return delivery.AttemptMessage(of, row.Round, 1, "job")
}

// Every attempt of a replay is marked, of round 1 too, and if a live message makes it.
func TestQueue_EveryAttemptOfAReplayIsMarked(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]func(s *site) delivery.Message{
		"the event was missing":       func(s *site) delivery.Message { return s.replayed(s.key(), "") },
		"its live message comes late": func(s *site) delivery.Message { s.replayed(s.key(), ""); return s.attempt(1, 1) },
		"it had failed": func(s *site) delivery.Message {
			s.finish(1, 1, delivery.StatusFailed)
			return s.replayed(s.key(), delivery.StatusFailed)
		},
		"it had been delivered, and is retried now": func(s *site) delivery.Message {
			s.finish(1, 1, delivery.StatusDelivered)
			s.newRound()
			return s.attempt(2, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.answer = status(500)
			m := message(s)
			replay := s.row().Replay
			for attempt := 1; attempt <= 2; attempt++ {
				if failed := s.Queue(t.Context(), s.send(m)); len(failed) > 0 {
					t.Fatalf("attempt %d is not done", attempt)
				}
				if p := s.posts[len(s.posts)-1]; !p.Replay || p.Retry != attempt-1 || len(s.posts) != attempt {
					t.Errorf("attempt %d is marked %t, with %d POSTs", attempt, p.Replay, len(s.posts))
				}
				s.clock.Advance(7 * time.Minute)
				queued := s.messages()
				if len(queued) != 1 || queued[0].Replay != replay || queued[0].Attempt != attempt+1 {
					t.Fatalf("the next message is %+v, want one of replay %q", queued, replay)
				}
				m = queued[0]
			}
		})
	}
}

// A replay of a webhook that was stopped in the meantime sends nothing.
func TestQueue_AReplayOfAStoppedWebhookIsCancelled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.replayed(s.key(), "")
	s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped })
	if failed := s.Queue(t.Context(), s.send(m)); len(failed) > 0 || len(s.posts) > 0 || s.row().Status != delivery.StatusCancelled {
		t.Errorf("not done %q, %d POSTs, row %s", failed, len(s.posts), s.row().Status)
	}
}

// What a target says to a replay leaves the streak alone, and so the webhook Active; 410
// disables it.
func TestQueue_AReplayLeavesTheStreakAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change(func(w *webhook.Webhook) { w.Options.Policy = webhook.PolicySuperOffice })
	fail := func(m delivery.Message) {
		t.Helper()
		s.Queue(t.Context(), s.send(m))
		s.messages()
		s.clock.Advance(time.Minute)
	}
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{StatusCode: 500, Error: failure.Aborted}
	}
	for range 8 { // the ninth would disable it
		s.event = s.put("contact.changed")
		fail(s.attempt(1, 1))
	}
	for range 12 {
		s.event = s.put("contact.changed")
		fail(s.replayed(s.key(), ""))
	}
	h := s.health()
	if h.ConsecutiveErrors != 8 || h.TotalErrors != 20 || h.TotalCalls != 20 || h.Breaker.Open() {
		t.Errorf("got %d errors in a row of %d, %d calls, breaker open %t", h.ConsecutiveErrors, h.TotalErrors, h.TotalCalls, h.Breaker.Open())
	}
	s.answer = status(200)
	s.event = s.put("contact.changed")
	fail(s.replayed(s.key(), ""))
	if h = s.health(); h.ConsecutiveErrors != 8 || !h.LastOK.IsZero() {
		t.Errorf("after a success: %d errors in a row, last success %s", h.ConsecutiveErrors, h.LastOK)
	}
	s.answer = status(410)
	s.event = s.put("contact.changed")
	fail(s.replayed(s.key(), ""))
	if w, err := s.db.Webhooks().Get(t.Context(), tenant, s.hook.ID); err != nil || w.State != webhook.StateTooManyErrors {
		t.Errorf("after 410: state %s, %v", w.State, err)
	}
}

// The replays of a webhook hold a quarter of its slots, and live events find the others
// free.
func TestQueue_ReplaysLeaveSlotsToLiveEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	release := make(chan struct{})
	posted := make(chan int32, 100)
	s.answer = func(p webhook.Post) webhook.Result {
		if p.Replay {
			posted <- p.Webhook.ID
			<-release
		}
		return webhook.Result{StatusCode: 200}
	}
	var calls sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for id := int32(2); id < 8; id++ {
		w := s.create(webhook.Webhook{ID: id, Events: []string{"contact.changed"}})
		for i := range 6 {
			s.clock.Advance(time.Millisecond)
			e := s.put(fmt.Sprintf("contact.changed%d.%d", id, i))
			received := s.send(s.replayed(delivery.Key{Tenant: tenant, Webhook: w.ID, Event: e.ID}, ""))
			calls.Go(func() { s.Queue(ctx, received) })
		}
	}
	of := map[int32]int{}
	for range 6 * 4 {
		of[<-posted]++
	}
	for id, n := range of {
		if n > 4 {
			t.Errorf("webhook %d has %d replays in flight, want at most 4", id, n)
		}
	}
	for id := int32(2); id < 8; id++ {
		live := s.send(delivery.AttemptMessage(delivery.Key{Tenant: tenant, Webhook: id, Event: s.event.ID}, 1, 1, ""))
		if failed := s.Queue(t.Context(), live); len(failed) > 0 {
			t.Errorf("the live event of webhook %d waits", id)
		}
	}
	select {
	case id := <-posted:
		t.Errorf("a fifth replay of webhook %d is in flight", id)
	default:
	}
	cancel()
	close(release)
	calls.Wait()
}
