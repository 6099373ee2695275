package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// fail adds n failed attempts, the last of which ends now, to the health of the webhook.
func (s *site) fail(n int) {
	s.t.Helper()
	reports := make([]webhook.HealthReport, n)
	for i := range reports {
		reports[i] = webhook.HealthReport{Activation: 1, At: s.clock.Now().Add(time.Duration(i-n+1) * 300 * time.Millisecond), Error: failure.Status, Policy: webhook.PolicyDurable, Jitter: 0.5}
	}
	_, err := s.db.Webhooks().UpdateHealth(s.t.Context(), tenant, s.hook.ID, func(h webhook.Health) webhook.Health { return h.Observe(reports...) })
	s.must(err)
	if !s.health().Breaker.Open() {
		s.t.Fatal("the breaker is closed")
	}
}

func TestStream_ParksWhileTheBreakerIsOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	batch := s.records(3)
	if failed := s.Stream(t.Context(), batch); failed != "" {
		t.Fatalf("failed at %q", failed)
	}
	if posts, messages := len(s.posts), len(s.messages()); posts+messages > 0 {
		t.Errorf("got %d POSTs and %d messages, want only rows", posts, messages)
	}
	for _, r := range batch {
		row, err := s.db.Deliveries().Get(t.Context(), delivery.Key{Tenant: tenant, Webhook: 1, Event: r.Event.ID})
		s.must(err)
		if row.Status != delivery.StatusPending || row.Attempt != 0 || row.AttemptCount != 0 || !row.Parked || row.EventName != "contact.changed" {
			t.Errorf("got %+v, want it parked", row)
		}
		if net := row.SweepAt.Sub(s.clock.Now()); net < 40*time.Hour || net > 48*time.Hour {
			t.Errorf("the net is %v away, want 40 to 48 h", net)
		}
	}
	s.clock.Advance(30 * time.Second)
	if s.Stream(t.Context(), s.records(3)); len(s.posts) > 0 {
		t.Error("a probe was made in the fast lane")
	}
	if got := s.messages(); len(got) != 1 {
		t.Errorf("once the probe is due: got %d messages, want one", len(got))
	}
}

func TestStream_ParkingLeavesAnExistingRowUnchanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	s.finish(1, 1, waiting)
	before := s.row()
	s.clock.Advance(time.Second)
	s.Stream(t.Context(), []webhook.Record{{Event: s.event, Accepted: s.clock.Now().Add(-time.Minute), Sequence: "1"}})
	if diff := cmp.Diff(before, s.row()); diff != "" {
		t.Errorf("a redelivery changed the row (-before +after):\n%s", diff)
	}
}

func TestStream_EnqueuesWhatCannotBeParked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	s.faults["Park"] = webhook.ErrUnavailable
	if failed := s.Stream(t.Context(), s.records(2)); failed != "" {
		t.Errorf("failed at %q", failed)
	}
	if got := s.messages(); len(got) != 2 {
		t.Errorf("got %d messages, want 2", len(got))
	}
}

// A message while the webhook's breaker is open.
func TestQueue_Gate(t *testing.T) {
	t.Parallel()
	due := func(s *site) { s.clock.Advance(30 * time.Second) }
	for _, tt := range []struct {
		name    string
		prepare func(s *site)
		message [2]int
		done    bool
		posts   int
		row     string
		open    bool
	}{
		{name: "a first attempt is parked", message: [2]int{1, 1}, done: true, row: "pending 1.0 parked", open: true},
		{
			name: "so is a later one, and no attempt is used up", message: [2]int{1, 2}, prepare: func(s *site) { s.finish(1, 1, waiting); s.fail(10) },
			done: true, row: "pending 1.1 parked", open: true,
		},
		{
			name: "the probe is made when it is due, and its success closes the breaker", message: [2]int{1, 1}, prepare: due,
			done: true, posts: 1, row: "delivered 1.1",
		},
		{
			name: "a probe that fails has used an attempt, and the next step is twice as long", message: [2]int{1, 1},
			prepare: func(s *site) { due(s); s.answer = status(503) }, done: true, posts: 1, row: "pending 1.1 due in 5m0s", open: true,
		},
		{
			name: "a manual retry is made", message: [2]int{2, 1},
			prepare: func(s *site) { s.finish(1, 1, waiting); s.fail(10); s.newRound() }, done: true, posts: 1, row: "delivered 2.1",
		},
		{
			name: "an attempt whose consumer died is taken over", message: [2]int{1, 1},
			prepare: func(s *site) {
				s.lease(1, 1, time.Second)
				s.clock.Advance(2 * time.Second)
			},
			done: true, posts: 1, row: "delivered 1.1",
		},
		{
			name: "an attempt in progress is left to its consumer", message: [2]int{1, 1}, prepare: func(s *site) { s.lease(1, 1, time.Minute) },
			row: "pending 1.1 due in 1h0m0s", open: true,
		},
		{
			name: "a webhook that was started again begins with a closed breaker", message: [2]int{1, 1},
			prepare: func(s *site) { s.change(func(w *webhook.Webhook) { w.Activation = 2 }) }, done: true, posts: 1, row: "delivered 1.1",
		},
		{
			name: "deliveries of a stopped webhook are cancelled", message: [2]int{1, 1},
			prepare: func(s *site) { s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped }) }, done: true, row: "cancelled 1.0", open: true,
		},
		{
			name: "a message whose row cannot be parked is retried", message: [2]int{1, 1},
			prepare: func(s *site) { s.faults["Park"] = webhook.ErrUnavailable }, row: "none", open: true,
		},
		{
			name: "a message that cannot take the probe is retried", message: [2]int{1, 1},
			prepare: func(s *site) { due(s); s.faults["UpdateHealth"] = webhook.ErrUnavailable }, row: "none", open: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.fail(10)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			got := s.consume(s.attempt(tt.message[0], tt.message[1]))
			s.faults = map[string]error{}
			row := s.row()
			text := "none"
			if row.Exists() {
				switch text = fmt.Sprintf("%s %d.%d", row.Status, row.Round, row.Attempt); {
				case row.Parked:
					text += " parked"
				case !row.SweepAt.IsZero():
					text += " due in " + row.SweepAt.Sub(s.clock.Now()).Truncate(10*time.Second).String()
				}
			}
			if got != tt.done || len(s.posts) != tt.posts || text != tt.row || s.health().Under(s.hook.Activation).Breaker.Open() != tt.open {
				t.Errorf("got done %v, %d POSTs, row %q, open %v; want %v, %d, %q, %v",
					got, len(s.posts), text, s.health().Breaker.Open(), tt.done, tt.posts, tt.row, tt.open)
			}
		})
	}
}

func TestQueue_OneProbePerStepAndTheBacklogIsParked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail(10)
	s.clock.Advance(30 * time.Second)
	s.answer = status(503)
	var messages []delivery.Message
	for _, r := range s.records(10) {
		m := s.attempt(1, 1)
		m.Event = r.Event.ID
		messages = append(messages, m)
	}
	if failed := s.Queue(t.Context(), s.send(messages...)); len(failed) > 0 {
		t.Errorf("%d messages are not done", len(failed))
	}
	if len(s.posts) != 1 {
		t.Errorf("got %d POSTs, want only the probe", len(s.posts))
	}
	b := s.health().Breaker
	if wait := b.ProbeAt.Sub(s.clock.Now()); b.Step != time.Minute || b.ProbeBy != "" || wait < 54*time.Second || wait > 66*time.Second {
		t.Errorf("got %+v; want the next probe in a minute, and no probe in progress", b)
	}
}

// Ten failures that span two seconds open the breaker.
func TestQueue_FailuresOpenTheBreakerForTheRestOfTheBacklog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = status(503)
	var messages []delivery.Message
	for _, r := range s.records(40) {
		m := s.attempt(1, 1)
		m.Event = r.Event.ID
		messages = append(messages, m)
	}
	for batch := range chunks(s.send(messages...), 10) {
		if failed := s.Queue(t.Context(), batch); len(failed) > 0 {
			t.Errorf("%d messages are not done", len(failed))
		}
		s.clock.Advance(2 * time.Second)
	}
	// The first of the second batch opens it. The others of the batch have passed by then.
	if len(s.posts) != 20 {
		t.Errorf("got %d POSTs of 40, want those of two batches", len(s.posts))
	}
}

func chunks(all []delivery.Received, n int) func(func([]delivery.Received) bool) {
	return func(yield func([]delivery.Received) bool) {
		for len(all) > 0 {
			k := min(n, len(all))
			if !yield(all[:k]) {
				return
			}
			all = all[k:]
		}
	}
}

func TestQueue_HealthIsReadOncePerBatchAndCached(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	reads := 0
	s.before["Health"] = func() { reads++ }
	run := func() {
		var messages []delivery.Message
		for _, r := range s.records(10) {
			m := s.attempt(1, 1)
			m.Event = r.Event.ID
			messages = append(messages, m)
		}
		s.Queue(t.Context(), s.send(messages...))
	}
	run()
	run()
	if reads != 1 {
		t.Errorf("got %d reads of health for two batches within five seconds, want 1", reads)
	}
	s.clock.Advance(5 * time.Second)
	if run(); reads != 2 {
		t.Errorf("got %d reads after five seconds, want 2", reads)
	}
}
