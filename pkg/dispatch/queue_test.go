package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// status is a target that responds with a status code.
func status(code int) func(webhook.Post) webhook.Result {
	return func(webhook.Post) webhook.Result {
		if code/100 == 2 {
			return webhook.Result{StatusCode: code}
		}
		return webhook.Result{StatusCode: code, Error: failure.Status, Response: fmt.Sprint(code)}
	}
}

const (
	done    = -1 * time.Second // instead of a wait: the message is done
	waiting = delivery.StatusPending
)

// The message, the row and the POSTs of an attempt, in every state of its row, its
// webhook and its event.
func TestQueue_Attempt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(s *site)
		message [3]int // round, attempt, hops
		wait    time.Duration
		posts   int
		row     string
		queued  string
	}{
		{name: "a first attempt that succeeds", message: [3]int{1, 1}, wait: done, posts: 1, row: "delivered 1.1"},
		{
			name: "a failed attempt is followed by the next message, once its row is written", message: [3]int{1, 1, 2},
			prepare: func(s *site) { s.answer = status(500) },
			wait:    done, posts: 1, row: "pending 1.1", queued: "attempt 1.2 hops 3 in",
		},
		{
			name: "a next attempt beyond the longest delay of the queue is left to the sweep", message: [3]int{1, 3},
			prepare: func(s *site) {
				s.finish(1, 1, waiting)
				s.finish(1, 2, waiting)
				s.answer = status(500)
			},
			wait: done, posts: 1, row: "pending 1.3",
		},
		{
			name: "after the last hop the next attempt is left to the sweep", message: [3]int{1, 1, 7},
			prepare: func(s *site) { s.answer = status(500) },
			wait:    done, posts: 1, row: "pending 1.1",
		},
		{
			name: "a message with too many hops becomes a due row", message: [3]int{1, 2, 8},
			prepare: func(s *site) { s.finish(1, 1, waiting) },
			wait:    done, row: "pending 1.1 resends 1",
		},
		{
			name: "410 fails the delivery", message: [3]int{1, 1},
			prepare: func(s *site) { s.answer = status(410) },
			wait:    done, posts: 1, row: "failed 1.1",
		},
		{
			name: "abort-message fails the delivery", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.answer = func(webhook.Post) webhook.Result {
					return webhook.Result{StatusCode: 500, Error: failure.Aborted}
				}
			},
			wait: done, posts: 1, row: "failed 1.1",
		},
		{
			name: "a panic of the sender is a failed attempt", message: [3]int{1, 1},
			prepare: func(s *site) { s.answer = func(webhook.Post) webhook.Result { panic("a fault of ours") } },
			wait:    done, posts: 1, row: "pending 1.1", queued: "attempt 1.2 hops 1 in",
		},

		// Another consumer has moved the row on.
		{
			name: "a delivered row", message: [3]int{1, 1},
			prepare: func(s *site) { s.finish(1, 1, delivery.StatusDelivered) },
			wait:    done, row: "delivered 1.1",
		},
		{
			name: "a row of a later round", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.finish(1, 1, delivery.StatusDelivered)
				s.newRound()
			},
			wait: done, row: "pending 2.0",
		},
		{
			name: "a row of an earlier round: retried later", message: [3]int{2, 1},
			prepare: func(s *site) { s.finish(1, 1, waiting) },
			wait:    5 * time.Second, row: "pending 1.1",
		},
		{
			name: "a row whose attempt is over", message: [3]int{1, 1},
			prepare: func(s *site) { s.finish(1, 1, waiting) },
			wait:    done, row: "pending 1.1",
		},
		{
			name: "a row past the attempt", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.finish(1, 1, waiting)
				s.finish(1, 2, waiting)
			},
			wait: done, row: "pending 1.2",
		},
		{
			name: "a row that is several attempts behind", message: [3]int{1, 3},
			prepare: func(s *site) { s.finish(1, 1, waiting) },
			wait:    5 * time.Second, row: "pending 1.1",
		},
		{
			name: "a live lease, whose holder may be dead: retried when it ends", message: [3]int{1, 1},
			prepare: func(s *site) { s.lease(1, 1, 40*time.Second) },
			wait:    42 * time.Second, row: "pending 1.1 leased",
		},
		{
			name: "a live lease of the previous attempt", message: [3]int{1, 2},
			prepare: func(s *site) { s.lease(1, 1, 40*time.Second) },
			wait:    42 * time.Second, row: "pending 1.1 leased",
		},
		{
			name: "an expired lease of the previous attempt: its own message takes it over", message: [3]int{1, 2},
			prepare: func(s *site) {
				s.lease(1, 1, 40*time.Second)
				s.clock.Advance(time.Hour)
			},
			wait: 5 * time.Second, row: "pending 1.1 leased",
		},
		{
			name: "an expired lease is taken over", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.lease(1, 1, 40*time.Second)
				s.clock.Advance(41 * time.Second)
			},
			wait: done, posts: 1, row: "delivered 1.1",
		},
		{name: "a later attempt without a row", message: [3]int{1, 2}, wait: done},
		{name: "a later round without a row", message: [3]int{2, 1}, wait: done},

		// The lease is lost during the POST.
		{
			name: "taken over, and the target accepted it", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.answer = func(webhook.Post) webhook.Result {
					s.clock.Advance(time.Minute)
					s.lease(1, 1, 40*time.Second)
					return webhook.Result{StatusCode: 200}
				}
			},
			wait: done, posts: 1, row: "delivered 1.1",
		},
		{
			name: "taken over, and the target refused it: the new holder records its own", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.answer = func(webhook.Post) webhook.Result {
					s.clock.Advance(time.Minute)
					s.lease(1, 1, 40*time.Second)
					return webhook.Result{StatusCode: 500, Error: failure.Status}
				}
			},
			wait: 42 * time.Second, posts: 1, row: "pending 1.1 leased",
		},
		{
			name: "the next round began, and the target accepted this attempt", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.answer = func(webhook.Post) webhook.Result {
					s.clock.Advance(time.Minute)
					s.newRound()
					return webhook.Result{StatusCode: 200}
				}
			},
			wait: done, posts: 1, row: "pending 2.0",
		},

		// The webhook, the event, the secret.
		{
			name: "a stopped webhook", message: [3]int{1, 1},
			prepare: func(s *site) { s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped }) },
			wait:    done, row: "cancelled 1.0",
		},
		{
			name: "a disabled webhook", message: [3]int{1, 2},
			prepare: func(s *site) {
				s.finish(1, 1, waiting)
				s.change(func(w *webhook.Webhook) { w.State = webhook.StateTooManyErrors })
			},
			wait: done, row: "cancelled 1.1",
		},
		{
			name: "a deleted webhook", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.must(s.db.Webhooks().Delete(s.t.Context(), tenant, s.hook.ID, s.hook.Revision, webhook.Change{}))
			},
			wait: done, row: "cancelled 1.0",
		},
		{
			name: "a stopped webhook with an attempt in progress", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.lease(1, 1, 40*time.Second)
				s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped })
			},
			wait: 42 * time.Second, row: "pending 1.1 leased",
		},
		{
			name: "an expired event", message: [3]int{1, 2},
			prepare: func(s *site) {
				s.finish(1, 1, waiting)
				s.faults["Events.Get"] = webhook.ErrNotFound
			},
			wait: done, row: "expired 1.1",
		},
		{
			name: "an expired event of a delivery that has ended", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.finish(1, 1, delivery.StatusDelivered)
				s.faults["Events.Get"] = webhook.ErrNotFound
			},
			wait: done, row: "delivered 1.1",
		},
		{
			name: "a secret that cannot be read: later, never unsigned", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.change(func(w *webhook.Webhook) {
					w.Secret = webhook.SecretRef{Name: "p/Default/1/n", Version: "v", Signed: true}
				})
				s.faults["Secrets.Read"] = webhook.ErrSecretUnavailable
			},
			wait: 30 * time.Second,
		},
		{
			name: "a deleted secret: a failed attempt, never unsigned", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.change(func(w *webhook.Webhook) {
					w.Secret = webhook.SecretRef{Name: "p/Default/1/n", Version: "v", Signed: true}
				})
			},
			wait: done, row: "pending 1.1", queued: "attempt 1.2 hops 1 in",
		},
		{
			name: "a reference to the secret of another webhook: later, never unsigned", message: [3]int{1, 1},
			prepare: func(s *site) {
				ref, err := s.db.Secrets().Create(s.t.Context(), "p/Default/2/theirs", webhook.SecretDocument{Current: webhook.NewSecret("theirs")})
				s.must(err)
				ref.Signed = true
				s.change(func(w *webhook.Webhook) { w.Secret = ref })
			},
			wait: 30 * time.Second,
		},
		{
			name: "a secret that moves while it is read: an attempt with the new one", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.rotate("moved from")
				s.before["Secrets.Read"] = func() {
					delete(s.before, "Secrets.Read")
					s.must(s.db.Secrets().Delete(s.t.Context(), "p/Default/1/moved from"))
					s.rotate("moved to")
				}
			},
			wait: done, posts: 1, row: "delivered 1.1",
		},
		{
			name: "a webhook that is stopped while its secret goes: later, then cancelled", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.rotate("gone")
				s.before["Secrets.Read"] = func() {
					delete(s.before, "Secrets.Read")
					s.must(s.db.Secrets().Delete(s.t.Context(), "p/Default/1/gone"))
					s.change(func(w *webhook.Webhook) { w.Secret, w.State = webhook.SecretRef{}, webhook.StateStopped })
				}
			},
			wait: 30 * time.Second,
		},

		// Time.
		{
			name: "the webhook was read too long before the lease was granted", message: [3]int{1, 1},
			prepare: func(s *site) { s.before["Lease"] = func() { s.clock.Advance(3 * time.Second) } },
			wait:    17 * time.Second, row: "pending 1.1 leased",
		},

		// Faults: each message is retried soon.
		{
			name: "the webhook cannot be read", message: [3]int{1, 1},
			prepare: func(s *site) { s.faults["Webhooks.Get"] = webhook.ErrUnavailable },
			wait:    5 * time.Second,
		},
		{
			name: "the event cannot be read", message: [3]int{1, 1},
			prepare: func(s *site) { s.faults["Events.Get"] = webhook.ErrUnavailable },
			wait:    5 * time.Second,
		},
		{
			name: "the lease cannot be written", message: [3]int{1, 1},
			prepare: func(s *site) { s.faults["Lease"] = webhook.ErrUnavailable },
			wait:    5 * time.Second,
		},
		{
			name: "a failure cannot be written", message: [3]int{1, 1},
			prepare: func(s *site) { s.answer, s.faults["Finish"] = status(500), webhook.ErrUnavailable },
			wait:    5 * time.Second, posts: 1, row: "pending 1.1 leased",
		},
		{
			name: "an end cannot be written", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped })
				s.faults["End"] = webhook.ErrUnavailable
			},
			wait: 5 * time.Second,
		},
		{
			name: "a due row cannot be written", message: [3]int{1, 1, 8},
			prepare: func(s *site) { s.faults["MakeDue"] = webhook.ErrUnavailable },
			wait:    5 * time.Second,
		},
		{
			name: "a success cannot be written over its lease", message: [3]int{1, 1},
			prepare: func(s *site) { s.faults["Finish"] = webhook.ErrUnavailable },
			wait:    done, posts: 1, row: "delivered 1.1",
		},
		{
			name: "a success cannot be written: it is enqueued", message: [3]int{1, 1},
			prepare: func(s *site) {
				s.faults["Finish"], s.faults["MarkDelivered"] = webhook.ErrUnavailable, webhook.ErrUnavailable
			},
			wait: done, posts: 1, row: "pending 1.1 leased", queued: "record in",
		},
		{
			name: "a success can be neither written nor enqueued", message: [3]int{1, 1},
			prepare: func(s *site) {
				for _, method := range []string{"Finish", "MarkDelivered", "Send"} {
					s.faults[method] = webhook.ErrUnavailable
				}
			},
			wait: 5 * time.Second, posts: 1, row: "pending 1.1 leased",
		},
		{
			name: "the next message cannot be sent: the row is written", message: [3]int{1, 1},
			prepare: func(s *site) { s.answer, s.faults["Send"] = status(500), webhook.ErrUnavailable },
			wait:    done, posts: 1, row: "pending 1.1",
		},
		{
			name: "health cannot be written: it costs statistics, not a delivery", message: [3]int{1, 1},
			prepare: func(s *site) { s.faults["UpdateHealth"] = webhook.ErrUnavailable },
			wait:    done, posts: 1, row: "delivered 1.1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			m := s.attempt(tt.message[0], tt.message[1])
			m.Hops = tt.message[2]
			isDone := s.consume(m)
			if isDone != (tt.wait == done) {
				t.Errorf("done: %v", isDone)
			}
			if !isDone && !s.comesBack(tt.wait) {
				t.Errorf("the message is retried after %v, want %v", s.postponed, tt.wait)
			}
			if len(s.posts) != tt.posts {
				t.Errorf("%d POSTs, want %d", len(s.posts), tt.posts)
			}
			if got := describe(s.row()); got != tt.row {
				t.Errorf("the row is %q, want %q", got, tt.row)
			}
			queued := s.queued()
			if !isDone {
				queued = slices.DeleteFunc(queued, func(text string) bool {
					return strings.HasPrefix(text, fmt.Sprintf("attempt %d.%d", m.Round, m.Attempt))
				})
			}
			if got := strings.Join(queued, ", "); got != tt.queued && (tt.queued == "" || !strings.HasPrefix(got, tt.queued)) {
				t.Errorf("queued: %q, want %q", got, tt.queued)
			}
		})
	}
}

func describe(row delivery.Row) string {
	if !row.Exists() {
		return ""
	}
	text := fmt.Sprintf("%s %d.%d", row.Status, row.Round, row.Attempt)
	if row.LeaseBy != "" {
		text += " leased"
	}
	if row.Resends > 0 {
		text += fmt.Sprintf(" resends %d", row.Resends)
	}
	return text
}

// comesBack reports whether one message was postponed, by d/2 to d: retries have
// random intervals.
func (s *site) comesBack(d time.Duration) bool {
	return len(s.postponed) == 1 && s.postponed[0] <= d && s.postponed[0] >= d/2
}

func TestQueue_AFaultIsRetriedAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	for receives, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 4: 40 * time.Second, 7: 5 * time.Minute, 20: 5 * time.Minute} {
		t.Run(fmt.Sprint(receives), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.faults["Webhooks.Get"] = webhook.ErrUnavailable
			received := s.send(s.attempt(1, 1))
			received[0].Receives = receives
			s.Queue(t.Context(), received)
			if !s.comesBack(want) {
				t.Errorf("received %d times, it is retried after %v, want %v", receives, s.postponed, want)
			}
		})
	}
}

func TestQueue_StartsNoAttemptWithoutTimeForIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.clock.Set(time.Now()) // the clock of deadlines
	// An attempt in this lane takes up to 5 s, and its lease lasts 10 s longer.
	ctx, cancel := context.WithDeadline(t.Context(), s.clock.Now().Add(14*time.Second))
	defer cancel()
	failed := s.Queue(ctx, s.send(s.attempt(1, 1)))
	if len(failed) != 1 || len(s.posts) != 0 || !slices.Equal(s.postponed, []time.Duration{5 * time.Second}) || s.row().Exists() {
		t.Errorf("not done %q, %d POSTs, retried after %v; want no POST, and a retry after 5s", failed, len(s.posts), s.postponed)
	}
}

// A message that comes after its tenant was deleted leaves nothing of the tenant, also
// if whether it was cannot be read at first. A row that exists is ended, or the sweep
// would send it again and again.
func TestQueue_WhatWasErasedGetsNoRow(t *testing.T) {
	t.Parallel()
	for _, kind := range []delivery.MessageKind{delivery.MessageAttempt, delivery.MessageRecord} {
		for _, begun := range []bool{false, true} {
			s := newSite(t)
			s.faults["Events.Get"] = webhook.ErrNotFound
			want := ""
			if begun {
				s.finish(1, 1, waiting)
				want = map[delivery.MessageKind]string{delivery.MessageAttempt: "expired 1.1", delivery.MessageRecord: "delivered 1.1"}[kind]
			}
			before := describe(s.row())
			s.must(s.db.Webhooks().Delete(t.Context(), tenant, s.hook.ID, s.hook.Revision, webhook.Change{}))
			m := s.attempt(1, 2)
			if m.Kind = kind; kind == delivery.MessageRecord {
				m.Attempt, m.Success = 0, &delivery.Attempt{Number: 1, At: s.clock.Now(), StatusCode: 200}
			}
			for _, unread := range []string{"Webhooks.Get", "Deliveries.Get"} {
				s.faults[unread] = webhook.ErrUnavailable
				if done, got := s.consume(m), describe(s.row()); done || got != before {
					t.Errorf("%s, begun %v: without %s done %v and the row is %q, want %q", kind, begun, unread, done, got, before)
				}
				delete(s.faults, unread)
			}
			if done, got := s.consume(m), describe(s.row()); !done || got != want {
				t.Errorf("%s, begun %v: done %v and the row is %q, want %q", kind, begun, done, got, want)
			}
		}
	}
}

func TestQueue_LeavesUndecodableMessagesToAnOperator(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	failed := s.Queue(t.Context(), []delivery.Received{{ID: "1", Receipt: "1.1", Receives: 1, Undecodable: "{"}})
	if !slices.Equal(failed, []string{"1"}) || len(s.postponed) != 0 {
		t.Errorf("not done %q, postponed %v; want the message untouched", failed, s.postponed)
	}
}

func TestQueue_OneFailingMessageLeavesTheOthersDone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.create(webhook.Webhook{ID: 2, Events: []string{"contact.changed"}})
	second := s.attempt(1, 1)
	second.Webhook = other.ID
	s.lease(1, 1, 40*time.Second)
	received := s.send(s.attempt(1, 1), second)
	failed := s.Queue(t.Context(), received)
	at := slices.IndexFunc(received, func(r delivery.Received) bool { return r.Message.Webhook == 1 })
	if !slices.Equal(failed, []string{received[at].ID}) || len(s.posts) != 1 || s.posts[0].Webhook.ID != other.ID {
		t.Errorf("not done %q, %d POSTs; want only message %q not done", failed, len(s.posts), received[at].ID)
	}
}

// The POSTs of retries.
func TestQueue_Post(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change(func(w *webhook.Webhook) { w.Options.Timeout = 4 * time.Second })
	s.answer = status(401)
	s.consume(s.attempt(1, 1))
	s.consume(s.attempt(1, 2))
	s.newRound()
	s.consume(s.attempt(2, 1))
	if len(s.posts) != 3 {
		t.Fatalf("%d POSTs, want 3", len(s.posts))
	}
	for i, want := range []struct {
		retry  int
		replay bool
	}{{0, false}, {1, false}, {0, true}} {
		p := s.posts[i]
		if p.Retry != want.retry || p.Replay != want.replay || p.Timeout != 4*time.Second {
			t.Errorf("POST %d: retry %d, replay %v, timeout %v; want %+v and 4s", i+1, p.Retry, p.Replay, p.Timeout, want)
		}
	}
}

func TestQueue_AtMostFiveAttemptsOfAWebhookAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var messages []delivery.Message
	for n := range 10 {
		id, err := webhook.NewEventID(s.clock.Now().Add(time.Duration(n)*time.Millisecond), webhooktest.Random(9))
		s.must(err)
		s.must(s.db.Events().Put(t.Context(), webhook.Event{Tenant: tenant, ID: id, Name: "contact.changed", At: s.clock.Now()}))
		m := s.attempt(1, 1)
		m.Event = id
		messages = append(messages, m)
	}
	var (
		mu        sync.Mutex
		now, most int
		five      = make(chan struct{})
	)
	s.answer = func(webhook.Post) webhook.Result {
		mu.Lock()
		now++
		if most = max(most, now); most == 5 && now == 5 {
			select {
			case <-five:
			default:
				close(five)
			}
		}
		mu.Unlock()
		<-five // hangs with fewer than five at once
		mu.Lock()
		now--
		mu.Unlock()
		return webhook.Result{StatusCode: 200}
	}
	if failed := s.Queue(t.Context(), s.send(messages...)); len(failed) != 0 || most != 5 || len(s.posts) != 10 {
		t.Errorf("%d at once, %d POSTs, not done %q; want 5, 10, none", most, len(s.posts), failed)
	}
}

func TestQueue_GoneDisablesTheWebhookAndRaisesAnEvent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.hook
	s.answer = status(410)
	s.consume(s.attempt(1, 1))
	w, err := s.db.Webhooks().Get(t.Context(), tenant, s.hook.ID)
	if err != nil || w.State != webhook.StateTooManyErrors || w.Revision != s.hook.Revision+1 {
		t.Errorf("the webhook is %v at revision %d (%v), want TooManyErrors", w.State, w.Revision, err)
	}
	events, err := s.db.Events().List(t.Context(), tenant, s.event.ID, webhook.EventID(strings.Repeat("f", 36)), 10)
	if err != nil || len(events) != 2 || events[1].Name != "webhook1.errors" {
		t.Errorf("events are %v (%v), want webhook1.errors in addition", events, err)
	}
	history, err := s.db.Webhooks().History(t.Context(), tenant, s.hook.ID, 0, 10)
	want := []webhook.Replaced{{
		Change: webhook.Change{
			Action: webhook.ActionDisabled, At: w.Updated, Members: []string{"State"}, ExpiresAt: w.Updated.Add(33 * 24 * time.Hour),
		},
		Webhook: before,
	}}
	if diff := cmp.Diff(want, history); diff != "" || err != nil {
		t.Errorf("the history, %v (-want +got):\n%s", err, diff)
	}
}

// A row keeps the revision that the last attempt was made for, and what it sent.
func TestRowsKeepWhatTheLastAttemptSent(t *testing.T) {
	t.Parallel()
	for lane, first := range map[string]func(*site){
		"fast": func(s *site) {
			s.earn()
			batch := s.records(1)
			s.event = batch[0].Event
			if failed := s.Stream(s.t.Context(), batch); failed != "" {
				s.t.Fatalf("the stream failed at %s", failed)
			}
		},
		"queue": func(s *site) { s.consume(s.attempt(1, 1)) },
	} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.answer = func(p webhook.Post) webhook.Result {
				result := status(500)(p)
				result.Sent = webhook.Sent{Body: fmt.Sprint("body", len(s.posts)), Signer: webhook.SignerCurrent, Replay: p.Replay}
				return result
			}
			sent := func() (all []webhook.Sent) {
				row, err := s.db.Deliveries().Get(t.Context(), s.key())
				s.must(err)
				for _, a := range row.Attempts {
					all = append(all, a.Sent)
				}
				return all
			}
			first(s)
			if diff := cmp.Diff([]webhook.Sent{{Revision: 1, Body: "body1", Signer: webhook.SignerCurrent}}, sent()); diff != "" {
				t.Fatalf("the first attempt (-want +got):\n%s", diff)
			}
			s.change(func(w *webhook.Webhook) { w.Name = "renamed" })
			s.clock.Advance(time.Hour)
			s.consume(s.attempt(1, 2))
			if diff := cmp.Diff([]webhook.Sent{{}, {Revision: 2, Body: "body2", Signer: webhook.SignerCurrent}}, sent()); diff != "" {
				t.Errorf("the second attempt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueue_GoneDoesNotDisableAWebhookThatWasStartedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = func(p webhook.Post) webhook.Result {
		s.change(func(w *webhook.Webhook) { w.Activation++ })
		return status(410)(p)
	}
	s.consume(s.attempt(1, 1))
	if w, err := s.db.Webhooks().Get(t.Context(), tenant, s.hook.ID); err != nil || w.State != webhook.StateActive {
		t.Errorf("the webhook is %v (%v), want Active: the response belongs to its previous activation", w.State, err)
	}
}

// The statistics are those of SuperOffice's entity; they are current when the
// consumer returns.
func TestQueue_Statistics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = status(500)
	s.consume(s.attempt(1, 1))
	s.clock.Advance(time.Minute)
	s.consume(s.attempt(1, 2))
	secondError := webhook.Result{At: s.clock.Now(), Error: failure.Status, Response: "500"}.LastError()
	if h := s.health(); h.TotalCalls != 2 || h.TotalErrors != 2 || h.ConsecutiveErrors != 2 || h.LastError != secondError {
		t.Errorf("after two failures: %d calls, %d errors, %d in a row, last %q", h.TotalCalls, h.TotalErrors, h.ConsecutiveErrors, h.LastError)
	}
	s.clock.Advance(time.Minute)
	s.answer = nil
	s.consume(s.attempt(1, 3))
	if h := s.health(); h.TotalCalls != 3 || h.TotalErrors != 2 || h.ConsecutiveErrors != 0 || h.LastError != secondError {
		t.Errorf("after a success: %d calls, %d errors, %d in a row, last %q", h.TotalCalls, h.TotalErrors, h.ConsecutiveErrors, h.LastError)
	}
}

// An attempt that hangs delays the counters of no other attempt.
func TestQueue_StatisticsAreCurrentWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		hang := make(chan struct{})
		first := s.event.ID
		s.answer = func(p webhook.Post) webhook.Result {
			if p.Event.ID != first {
				<-hang
			}
			return webhook.Result{At: s.clock.Now(), StatusCode: 200}
		}
		quick := s.attempt(1, 1)
		s.event = s.put("contact.changed")
		batch := s.send(quick, s.attempt(1, 1))
		ended := make(chan []string)
		go func() { ended <- s.Queue(t.Context(), batch) }()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if h := s.health(); h.TotalCalls != 1 {
			t.Errorf("two seconds after the response: %d calls, want 1", h.TotalCalls)
		}
		close(hang)
		if failed := <-ended; len(failed) != 0 {
			t.Errorf("not done: %v", failed)
		}
		if h := s.health(); h.TotalCalls != 2 {
			t.Errorf("at the end: %d calls, want 2", h.TotalCalls)
		}
	})
}

func TestQueue_Record(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(s *site)
		wait    time.Duration // at least; done
		row     string
	}{
		{name: "no row", wait: done, row: "delivered 1.1"},
		{name: "a pending row", prepare: func(s *site) { s.finish(1, 1, waiting) }, wait: done, row: "delivered 1.1"},
		{name: "a leased row", prepare: func(s *site) { s.lease(1, 1, time.Minute) }, wait: done, row: "delivered 1.1"},
		{name: "a failed row", prepare: func(s *site) { s.finish(1, 1, delivery.StatusFailed) }, wait: done, row: "delivered 1.1"},
		{name: "a delivered row", prepare: func(s *site) { s.finish(1, 1, delivery.StatusDelivered) }, wait: done, row: "delivered 1.1"},
		{
			name: "a row of the next round", wait: done, row: "pending 2.0",
			prepare: func(s *site) {
				s.finish(1, 1, waiting)
				s.newRound()
			},
		},
		{name: "the event has expired", prepare: func(s *site) { s.faults["Events.Get"] = webhook.ErrNotFound }, wait: done, row: "delivered 1.1"},
		{name: "the event cannot be read", prepare: func(s *site) { s.faults["Events.Get"] = webhook.ErrUnavailable }, wait: 5 * time.Second},
		{name: "the row cannot be written", prepare: func(s *site) { s.faults["MarkDelivered"] = webhook.ErrUnavailable }, wait: 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			m := s.attempt(1, 1)
			m.Kind, m.Attempt, m.Success = delivery.MessageRecord, 0, &delivery.Attempt{Number: 1, At: s.clock.Now(), StatusCode: 200}
			isDone := s.consume(m)
			if isDone != (tt.wait == done) {
				t.Errorf("done: %v", isDone)
			}
			if !isDone && (len(s.postponed) != 1 || s.postponed[0] < tt.wait/2 || s.postponed[0] > 10*tt.wait) {
				t.Errorf("the message is retried after %v, want %v to %v", s.postponed, tt.wait/2, 10*tt.wait)
			}
			if got := describe(s.row()); got != tt.row {
				t.Errorf("the row is %q, want %q", got, tt.row)
			}
			if len(s.posts) != 0 {
				t.Errorf("%d POSTs, want none", len(s.posts))
			}
		})
	}
}

func TestQueue_Expand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		prepare  func(s *site)
		from, to int32
		wait     time.Duration
		webhooks []int32
	}{
		{name: "every webhook that matches", wait: done, webhooks: []int32{1, 3, 4}},
		{name: "a range, both ends included", from: 2, to: 3, wait: done, webhooks: []int32{3}},
		{name: "a range without an end", from: 3, wait: done, webhooks: []int32{3, 4}},
		{name: "an empty range", from: 5, to: 9, wait: done},
		{
			name: "a stopped webhook", wait: done, webhooks: []int32{3, 4},
			prepare: func(s *site) { s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped }) },
		},
		{name: "the event has expired", prepare: func(s *site) { s.faults["Events.Get"] = webhook.ErrNotFound }, wait: done},
		{name: "the event cannot be read", prepare: func(s *site) { s.faults["Events.Get"] = webhook.ErrUnavailable }, wait: 5 * time.Second},
		{name: "the webhooks cannot be read", prepare: func(s *site) { s.faults["Epoch"] = webhook.ErrUnavailable }, wait: 5 * time.Second},
		{name: "the messages cannot be sent", prepare: func(s *site) { s.faults["Send"] = errors.New("refused") }, wait: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.create(webhook.Webhook{ID: 2, Events: []string{"sale.sold"}})
			s.create(webhook.Webhook{ID: 3, Events: []string{"contact.*"}})
			s.create(webhook.Webhook{ID: 4, Events: []string{"*"}})
			if tt.prepare != nil {
				tt.prepare(s)
			}
			isDone := s.consume(delivery.Message{
				Kind: delivery.MessageExpand, Tenant: tenant, Event: s.event.ID, Accepted: s.clock.Now(), From: tt.from, To: tt.to,
			})
			if isDone != (tt.wait == done) || !isDone && !s.comesBack(tt.wait) {
				t.Errorf("done: %v, retried after %v; want %v", isDone, s.postponed, tt.wait)
			}
			var webhooks []int32
			for _, r := range s.receive() {
				webhooks = append(webhooks, r.Message.Webhook)
				want := delivery.Message{Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: r.Message.Webhook, Event: s.event.ID, Round: 1, Attempt: 1, Hops: 1}
				if r.Message != want {
					t.Errorf("sent %+v, want %+v", r.Message, want)
				}
			}
			slices.Sort(webhooks)
			if !slices.Equal(webhooks, tt.webhooks) {
				t.Errorf("expanded to %v, want %v", webhooks, tt.webhooks)
			}
			if len(s.posts) != 0 || s.row().Exists() {
				t.Errorf("%d POSTs, row %q; want neither", len(s.posts), describe(s.row()))
			}
		})
	}
}

func TestQueue_TheLogSaysWhyAnAttemptFailed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var lines bytes.Buffer
	s.Logger = slog.New(telemetry.NewHandler(&lines, slog.LevelInfo))
	failed := webhook.Result{Error: failure.TLS, Detail: failure.Expired}
	s.answer = func(webhook.Post) webhook.Result { return failed }
	s.consume(s.attempt(1, 1))
	if got := lines.String(); !strings.Contains(got, `"outcome":"tls"`) || !strings.Contains(got, `"error":"`+failed.Failure()+`"`) {
		t.Errorf("logged %s", got)
	}
	lines.Reset()
	s.clock.Advance(time.Minute)
	s.answer = nil
	s.consume(s.attempt(1, 2))
	if got := lines.String(); !strings.Contains(got, `"outcome":"delivered"`) || strings.Contains(got, `"error"`) {
		t.Errorf("logged %s", got)
	}
}
