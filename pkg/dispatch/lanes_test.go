package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// records returns n new events as records of the feed.
func (s *site) records(n int) (batch []webhook.Record) {
	s.t.Helper()
	for i := range n {
		s.clock.Advance(time.Millisecond)
		batch = append(batch, webhook.Record{Event: s.put("contact.changed"), Accepted: s.clock.Now(), Sequence: fmt.Sprint(i + 1)})
	}
	return batch
}

// observe adds reports to the webhook's health.
func (s *site) observe(reports ...webhook.HealthReport) {
	s.t.Helper()
	_, err := s.db.Webhooks().UpdateHealth(s.t.Context(), tenant, s.hook.ID, func(h webhook.Health) webhook.Health { return h.Observe(reports...) })
	s.must(err)
	s.clock.Advance(5 * time.Second) // what is cached of it is read again
}

// earn lets the webhook earn the fast lane.
func (s *site) earn() {
	s.t.Helper()
	s.observe(webhook.HealthReport{Activation: 1, At: s.clock.Now(), Duration: 10 * time.Millisecond})
}

// messages drains the queue of all visible messages.
func (s *site) messages() (all []delivery.Message) {
	s.t.Helper()
	for received := s.receive(); len(received) > 0; received = s.receive() {
		for _, r := range received {
			all = append(all, r.Message)
			s.must(s.db.Queue().Ack(s.t.Context(), []string{r.Receipt}))
		}
	}
	return all
}

// countWrites counts the writes of health from now on.
func (s *site) countWrites() *atomic.Int32 {
	var writes atomic.Int32
	s.before["UpdateHealth"] = func() { writes.Add(1) }
	return &writes
}

func cut(webhook.Post) webhook.Result { return webhook.Result{Error: failure.Timeout} }

func TestStream_ATargetThatIsTooSlowIsNotCalledAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.earn()
	s.answer = cut
	writes := s.countWrites()
	batch := s.records(30)
	if failed := s.Stream(t.Context(), batch); failed != "" {
		t.Fatalf("failed at %q: a slow target never fails a record", failed)
	}
	h := s.health()
	if h.FastTimeout.IsZero() || int(h.TotalCalls) != 1+len(s.posts) || h.TotalErrors != 0 {
		t.Errorf("got %+v after %d POSTs; want the timeout in health, every POST as a call, and no error", h, len(s.posts))
	}
	if n := writes.Load(); n > 2 {
		t.Errorf("health was written %d times; want the first timeout's write and at most one for the rest of the batch", n)
	}
	if len(s.posts) > 16 {
		t.Errorf("got %d POSTs, want only those in flight at the first timeout", len(s.posts))
	}
	got := s.messages()
	if len(got) != 30 {
		t.Fatalf("got %d messages, want 30: every delivery is enqueued with all its attempts", len(got))
	}
	for _, m := range got {
		if m.Round != 1 || m.Attempt != 1 {
			t.Errorf("got a message for %d.%d", m.Round, m.Attempt)
		}
	}
	if row, err := s.db.Deliveries().Get(t.Context(), delivery.Key{Tenant: tenant, Webhook: 1, Event: batch[0].Event.ID}); err == nil {
		t.Errorf("a row was written: %+v", row)
	}
	posts := len(s.posts)
	s.Stream(t.Context(), s.records(1))
	if len(s.posts) != posts {
		t.Error("the next batch called the target in the fast lane")
	}
}

func TestStream_AttemptsCutTogetherAreCallsInTwoWrites(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(webhook.Post) webhook.Result{"cut short": cut, "undecided": undecided} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.rotate("a")
			s.earn()
			const inFlight = 16
			var arrived sync.WaitGroup
			arrived.Add(inFlight)
			s.answer = func(p webhook.Post) webhook.Result {
				arrived.Done()
				arrived.Wait()
				return answer(p)
			}
			writes := s.countWrites()
			s.Stream(t.Context(), s.records(inFlight))
			if h := s.health(); h.TotalCalls != 1+inFlight || h.TotalErrors != 0 {
				t.Errorf("got %d calls and %d errors; want %d calls and no error", h.TotalCalls, h.TotalErrors, 1+inFlight)
			}
			if n := writes.Load(); n > 2 {
				t.Errorf("health was written %d times for %d attempts, want at most 2", n, inFlight)
			}
		})
	}
}

func TestStream_HealthIsWrittenBeforeTheSlowBatchEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.earn()
	other := s.create(webhook.Webhook{ID: 2, Events: []string{"contact.changed"}})
	slowKnown := make(chan struct{})
	s.answer = func(p webhook.Post) webhook.Result {
		if p.Webhook.ID != other.ID {
			return cut(p)
		}
		select {
		case <-slowKnown: // the batch is still making this attempt
		case <-time.After(10 * time.Second):
			s.t.Error("health was not written before the batch ended")
		}
		return webhook.Result{StatusCode: 200}
	}
	s.after = map[string]func(){"UpdateHealth": func() {
		if !s.health().FastTimeout.IsZero() {
			s.mu.Lock()
			defer s.mu.Unlock()
			select {
			case <-slowKnown:
			default:
				close(slowKnown)
			}
		}
	}}
	s.Stream(t.Context(), s.records(1))
}

func TestStream_A410SilencesTheWebhookAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.earn()
	s.answer = status(410)
	s.Stream(t.Context(), s.records(40))
	if w, err := s.db.Webhooks().Get(t.Context(), tenant, 1); err != nil || w.State != webhook.StateTooManyErrors {
		t.Errorf("the webhook is %v, %v", w.State, err)
	}
	if len(s.posts) > 16 || len(s.messages()) > 0 {
		t.Errorf("got %d POSTs and messages: want only the POSTs in flight at the first 410, and no messages", len(s.posts))
	}
}

// A webhook that could not be disabled is still active: none of its deliveries may
// be skipped as if it were silent.
func TestStream_A410ThatCannotBeWrittenSkipsNoDelivery(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.earn()
	s.answer = status(410)
	s.faults["Webhooks.Get"] = webhook.ErrUnavailable // the first step of disabling
	batch := s.records(40)
	if failed := s.Stream(t.Context(), batch); failed != "" {
		t.Fatalf("failed at %q", failed)
	}
	messages := len(s.messages())
	for _, r := range batch {
		s.event = r.Event
		if s.row().Exists() {
			messages++
		}
	}
	if messages != len(batch) {
		t.Errorf("%d of %d deliveries have a row or a message", messages, len(batch))
	}
}

func TestStream_EnqueuesWhatItHasNoTimeToMatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.clock.Set(time.Now()) // the clock of deadlines
	ctx, cancel := context.WithDeadline(t.Context(), s.clock.Now().Add(19*time.Second))
	defer cancel()
	batch := s.records(2)
	if failed := s.Stream(ctx, batch); failed != "" {
		t.Errorf("failed at %q", failed)
	}
	var got []string
	for _, m := range s.messages() {
		got = append(got, fmt.Sprintf("%s %s from %d to %d accepted %s", m.Kind, m.Event, m.From, m.To, m.Accepted.Format(time.StampMilli)))
	}
	var want []string
	for _, r := range batch {
		want = append(want, fmt.Sprintf("expand %s from 0 to 0 accepted %s", r.Event.ID, r.Accepted.Format(time.StampMilli)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.posts) > 0 {
		t.Error("an attempt was started without time to record it")
	}
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	fan := func(of delivery.Message) string {
		return fmt.Sprintf("%s %d-%d hops %d", of.Kind, of.From, of.To, of.Hops)
	}
	add := func(from, to int32) {
		for id := from; id <= to; id++ {
			s.create(webhook.Webhook{ID: id, Events: []string{"contact.changed"}})
		}
	}
	expand := func(n int) (got []string) {
		t.Helper()
		batch := s.records(1)
		s.clock.Advance(5 * time.Second) // so that all of it is enqueued
		if failed := s.Stream(t.Context(), batch); failed != "" {
			t.Fatalf("failed at %q", failed)
		}
		for _, m := range s.messages() {
			if m.Kind == delivery.MessageExpand {
				got = append(got, fan(m))
			}
		}
		return got
	}
	add(2, 100)
	if got := expand(100); len(got) > 0 {
		t.Errorf("100 webhooks: got %q, want their attempts", got)
	}
	add(101, 1203)
	if diff := cmp.Diff([]string{"expand 1-500 hops 0", "expand 501-1000 hops 0", "expand 1001-1203 hops 0"}, expand(1203)); diff != "" {
		t.Errorf("1,203 webhooks (-want +got):\n%s", diff)
	}
	of := s.records(1)[0]
	consume := func(m delivery.Message) (got []string) {
		t.Helper()
		m.Kind, m.Tenant, m.Event, m.Accepted = delivery.MessageExpand, tenant, of.Event.ID, of.Accepted
		if !s.consume(m) {
			t.Errorf("%s is not done", fan(m))
		}
		attempts := map[int32]int{}
		for _, m := range s.messages() {
			if m.Kind == delivery.MessageAttempt {
				attempts[m.Webhook]++
				continue
			}
			got = append(got, fan(m))
		}
		for id, n := range attempts {
			if n != 1 || id < 1001 || id > 1203 {
				t.Errorf("webhook %d got %d attempts", id, n)
			}
		}
		if len(attempts) > 0 {
			got = append(got, fmt.Sprintf("%d attempts", len(attempts)))
		}
		return got
	}
	if diff := cmp.Diff([]string{"203 attempts"}, consume(delivery.Message{From: 1001, To: 1203})); diff != "" {
		t.Errorf("a range (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"expand 1-500 hops 1", "expand 501-1000 hops 1", "expand 1001-1203 hops 1"}, consume(delivery.Message{})); diff != "" {
		t.Errorf("a whole event (-want +got):\n%s", diff)
	}
	if got := consume(delivery.Message{Hops: 8}); len(got) > 0 {
		t.Errorf("after 8 hops: got %q immediately", got)
	}
	s.clock.Advance(delivery.MaxDelay)
	if got := s.messages(); len(got) != 1 || got[0].Kind != delivery.MessageExpand || got[0].Hops != 0 || !got[0].Accepted.Equal(of.Accepted) {
		t.Errorf("after 8 hops and 15 minutes: got %+v", got)
	}
}

func TestExpand_AJobSkipsWebhooksActivatedAfterTheEvent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.clock.Set(s.event.At.Add(time.Millisecond))
	s.create(webhook.Webhook{ID: 2, Events: []string{"contact.changed"}})
	whole := delivery.ExpandMessage(s.event, s.event.At)
	whole.Missing = true
	ofJob := whole
	ofJob.Replay = "job"
	inRange := ofJob
	inRange.From, inRange.To = 1, 2
	for name, tt := range map[string]struct {
		message delivery.Message
		want    []int32
	}{
		"a job":                          {ofJob, []int32{1}},
		"a job's range":                  {inRange, []int32{1}},
		"records that Lambda gave up on": {whole, []int32{1, 2}},
	} {
		s.consume(tt.message)
		var got []int32
		for _, m := range s.messages() {
			got = append(got, m.Webhook)
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestExpand_OnlyMissingSkipsDeliveriesWithARow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for id := int32(2); id <= 40; id++ {
		s.create(webhook.Webhook{ID: id, Events: []string{"contact.changed"}})
	}
	m := delivery.Message{Kind: delivery.MessageExpand, Tenant: tenant, Event: s.event.ID, Accepted: s.clock.Now(), Missing: true}
	s.finish(1, 1, delivery.StatusDelivered) // webhook 1 has received it
	if !s.consume(m) {
		t.Error("the message is not done")
	}
	got := map[int32]bool{}
	for _, m := range s.messages() {
		got[m.Webhook] = true
	}
	if len(got) != 39 || got[1] {
		t.Errorf("got attempts for %d webhooks, the first among them: %v; want the other 39", len(got), got[1])
	}
	s.faults["Deliveries.Get"] = webhook.ErrUnavailable
	if s.consume(m) {
		t.Error("the message is done although rows cannot be read")
	}
}
