package dispatch_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

const tenant = webhook.Tenant("Default")

// site is an Engine with a real store and queue, one webhook and one event, and a
// target that the test controls.
type site struct {
	*dispatch.Engine
	t     *testing.T
	db    *embedded.DB
	clock *webhooktest.Clock
	hook  webhook.Webhook
	event webhook.Event

	mu    sync.Mutex
	posts []webhook.Post
	// answer returns the result of a POST. nil: a success.
	answer func(webhook.Post) webhook.Result
	// faults holds the errors that calls return, by method.
	faults map[string]error
	// before runs when a method is called.
	before map[string]func()
	// after runs when a method returns.
	after map[string]func()
	// postponed holds the waits of postponed messages.
	postponed []time.Duration
	notices   webhooktest.Notices
	// repeatsChange has the store run each change of health twice, the second time
	// on what it has written.
	repeatsChange bool
	// overtaken is what another process does, once, after the store has run a change
	// and before it writes the result: it runs the change again.
	overtaken func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	clock := webhooktest.NewClock(start)
	random := webhooktest.Random(1)
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{t: t, db: db, clock: clock, faults: map[string]error{}, before: map[string]func(){}}
	s.Engine = s.engine(random)
	s.hook = s.create(webhook.Webhook{ID: 1, Events: []string{"contact.changed"}})
	s.event = s.put("contact.changed")
	clock.Advance(time.Minute)
	return s
}

// engine returns another consumer of the same store and queue.
func (s *site) engine(random io.Reader) *dispatch.Engine {
	return dispatch.New(dispatch.Config{
		Webhooks: faultyWebhooks{s.db.Webhooks(), s}, Events: faultyEvents{s.db.Events(), s},
		Statistics: faultyStatistics{s.db.Statistics(), s}, Deliveries: faultyRows{s.db.Deliveries(), s}, Secrets: faultySecrets{s.db.Secrets(), s},
		Sender: target{s}, Messages: faultyQueue{s.db.Queue(), s}, Visibility: faultyQueue{s.db.Queue(), s},
		DeadLetters: s.db.DeadLetters(), Notices: &s.notices, Logger: webhooktest.Logger(s.t), Now: s.clock.Now, Random: random,
		Policy: webhook.PolicyDurable, EventLife: 30 * 24 * time.Hour, RowLife: 33 * 24 * time.Hour,
	})
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// create stores an active webhook.
func (s *site) create(w webhook.Webhook) webhook.Webhook {
	s.t.Helper()
	w.Tenant, w.TargetURL, w.State, w.Revision, w.Activation = tenant, "https://example.com/in", webhook.StateActive, 1, 1
	w.ActivatedAt = s.clock.Now()
	s.must(s.db.Webhooks().Create(s.t.Context(), w))
	return w
}

// change saves the webhook.
func (s *site) change(how func(*webhook.Webhook)) {
	s.t.Helper()
	w, err := s.db.Webhooks().Get(s.t.Context(), tenant, s.hook.ID)
	s.must(err)
	how(&w)
	w.Revision++
	s.must(s.db.Webhooks().Update(s.t.Context(), w, webhook.Change{}))
	s.hook = w
}

func (s *site) put(name string) webhook.Event {
	s.t.Helper()
	id, err := webhook.NewEventID(s.clock.Now(), webhooktest.Random(uint64(len(name))))
	s.must(err)
	e := webhook.Event{Tenant: tenant, ID: id, Name: name, PrimaryKey: 7, At: s.clock.Now()}
	s.must(s.db.Events().Put(s.t.Context(), e))
	return e
}

func (s *site) key() delivery.Key {
	return delivery.Key{Tenant: tenant, Webhook: s.hook.ID, Event: s.event.ID}
}

// attempt returns the message for an attempt of the delivery.
func (s *site) attempt(round, attempt int) delivery.Message {
	return delivery.Message{Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: s.hook.ID, Event: s.event.ID, Round: round, Attempt: attempt}
}

// lease leases an attempt to another consumer.
func (s *site) lease(round, attempt int, d time.Duration) {
	s.t.Helper()
	now := s.clock.Now()
	_, err := s.db.Deliveries().Lease(s.t.Context(), delivery.Lease{
		Key: s.key(), Round: round, Attempt: attempt, Token: fmt.Sprintf("other %d", now.UnixNano()), Now: now, Until: now.Add(d), SweepAt: now.Add(time.Hour),
	})
	s.must(err)
}

// finish records an attempt that failed or was delivered.
func (s *site) finish(round, attempt int, status delivery.Status) {
	s.t.Helper()
	now := s.clock.Now()
	_, err := s.db.Deliveries().Lease(s.t.Context(), delivery.Lease{
		Key: s.key(), Round: round, Attempt: attempt, Token: "done", Now: now, Until: now.Add(time.Minute), SweepAt: now.Add(time.Hour),
	})
	s.must(err)
	outcome := delivery.Outcome{Attempt: delivery.Attempt{Number: attempt, At: now}, Status: status}
	if status == delivery.StatusPending {
		outcome.Attempt.Error, outcome.Attempt.StatusCode = failure.Status, 500
		outcome.NextAt, outcome.SweepAt = now, now.Add(5*time.Minute)
	}
	_, err = s.db.Deliveries().Finish(s.t.Context(), delivery.Finish{
		Key: s.key(), Round: round, Attempt: attempt, Token: "done", Now: now, ExpiresAt: now.Add(time.Hour), Outcome: outcome,
	})
	s.must(err)
}

func (s *site) newRound() {
	s.t.Helper()
	now := s.clock.Now()
	_, err := s.db.Deliveries().StartRound(s.t.Context(), delivery.StartRound{Key: s.key(), Seen: s.row().Status, Now: now, Due: now, SweepAt: now.Add(5 * time.Minute)})
	s.must(err)
}

func (s *site) row() delivery.Row {
	s.t.Helper()
	row, err := s.db.Deliveries().Get(s.t.Context(), s.key())
	if err != nil {
		return delivery.Row{}
	}
	return row
}

func (s *site) health() webhook.Health {
	s.t.Helper()
	found, err := s.db.Webhooks().Health(s.t.Context(), tenant, []int32{s.hook.ID})
	s.must(err)
	return found[s.hook.ID]
}

// send enqueues messages without the engine, and receives them.
func (s *site) send(messages ...delivery.Message) []delivery.Received {
	s.t.Helper()
	var out []delivery.Outgoing
	for _, m := range messages {
		out = append(out, delivery.Outgoing{Message: m})
	}
	_, err := s.db.Queue().Send(s.t.Context(), out)
	s.must(err)
	return s.receive()
}

func (s *site) receive() []delivery.Received {
	s.t.Helper()
	received, err := s.db.Queue().Receive(s.t.Context(), 100)
	s.must(err)
	return received
}

// consume sends one message, has the engine consume it, and reports whether it is
// done. Other messages in the queue are dropped.
func (s *site) consume(m delivery.Message) (done bool) {
	s.t.Helper()
	var others []string
	for _, r := range s.receive() {
		others = append(others, r.Receipt)
	}
	s.must(s.db.Queue().Ack(s.t.Context(), others))
	received := s.send(m)
	if len(received) != 1 {
		s.t.Fatalf("received %d messages, want only the one that was sent", len(received))
	}
	failed := s.Queue(s.t.Context(), received)
	if len(failed) > 0 {
		if !slices.Equal(failed, []string{received[0].ID}) {
			s.t.Fatalf("got %q as not done, and the batch is %q", failed, received[0].ID)
		}
		return false
	}
	s.must(s.db.Queue().Ack(s.t.Context(), []string{received[0].Receipt}))
	return true
}

// queued returns the messages that wait in the queue, with their delays.
func (s *site) queued() (waiting []string) {
	s.t.Helper()
	began := s.clock.Now()
	for s.clock.Now().Sub(began) <= delivery.MaxDelay {
		for _, r := range s.receive() {
			m := r.Message
			text := string(m.Kind)
			if m.Kind == delivery.MessageAttempt {
				text = fmt.Sprintf("attempt %d.%d hops %d", m.Round, m.Attempt, m.Hops)
			}
			waiting = append(waiting, fmt.Sprintf("%s in %s", text, s.clock.Now().Sub(began)))
			s.must(s.db.Queue().Ack(s.t.Context(), []string{r.Receipt}))
		}
		s.clock.Advance(time.Second)
	}
	return waiting
}

// at is called at the start of each method, and returns the error to return.
func (s *site) at(method string) error {
	s.mu.Lock()
	err, before := s.faults[method], s.before[method]
	s.mu.Unlock()
	if before != nil {
		before()
	}
	return err
}

// target is the webhook's target.
type target struct{ *site }

func (t target) Send(_ context.Context, p webhook.Post) webhook.Result {
	t.mu.Lock()
	t.posts = append(t.posts, p)
	answer := t.answer
	t.mu.Unlock()
	result := webhook.Result{StatusCode: 200}
	if answer != nil {
		result = answer(p)
	}
	if result.At.IsZero() {
		result.At = t.clock.Now()
	}
	return result
}

type faultyStatistics struct {
	embedded.Statistics
	s *site
}

func (f faultyStatistics) Count(ctx context.Context, tenant webhook.Tenant, id int32, hour statistics.Hour) error {
	if err := f.s.at("Count"); err != nil {
		return err
	}
	return f.Statistics.Count(ctx, tenant, id, hour)
}

type faultyWebhooks struct {
	embedded.Webhooks
	s *site
}

func (f faultyWebhooks) Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	if err := f.s.at("Webhooks.Get"); err != nil {
		return webhook.Webhook{}, err
	}
	return f.Webhooks.Get(ctx, tenant, id)
}

func (f faultyWebhooks) Epoch(ctx context.Context, tenant webhook.Tenant) (int64, error) {
	if err := f.s.at("Epoch"); err != nil {
		return 0, err
	}
	return f.Webhooks.Epoch(ctx, tenant)
}

func (f faultyWebhooks) UpdateHealth(ctx context.Context, tenant webhook.Tenant, id int32, change func(webhook.Health) webhook.Health) (webhook.Health, error) {
	if err := f.s.at("UpdateHealth"); err != nil {
		return webhook.Health{}, err
	}
	if overtaken := f.s.overtaken; overtaken != nil {
		f.s.overtaken = nil
		found, _ := f.Webhooks.Health(ctx, tenant, []int32{id})
		change(found[id])
		overtaken()
	}
	h, err := f.Webhooks.UpdateHealth(ctx, tenant, id, change)
	if f.s.repeatsChange && err == nil {
		h, err = f.Webhooks.UpdateHealth(ctx, tenant, id, func(h webhook.Health) webhook.Health { change(h); return h })
	}
	if after := f.s.after["UpdateHealth"]; after != nil {
		after()
	}
	return h, err
}

func (f faultyWebhooks) Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	if err := f.s.at("Health"); err != nil {
		return nil, err
	}
	return f.Webhooks.Health(ctx, tenant, ids)
}

type faultyEvents struct {
	embedded.Events
	s *site
}

func (f faultyEvents) Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error) {
	if err := f.s.at("Events.Get"); err != nil {
		return webhook.Event{}, err
	}
	return f.Events.Get(ctx, tenant, id)
}

type faultyRows struct {
	embedded.Deliveries
	s *site
}

func (f faultyRows) Lease(ctx context.Context, l delivery.Lease) (delivery.Row, error) {
	if err := f.s.at("Lease"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.Lease(ctx, l)
}

func (f faultyRows) PutResponse(ctx context.Context, r delivery.FailureResponse) error {
	if err := f.s.at("PutResponse"); err != nil {
		return err
	}
	return f.Deliveries.PutResponse(ctx, r)
}

func (f faultyRows) Finish(ctx context.Context, c delivery.Finish) (delivery.Row, error) {
	if err := f.s.at("Finish"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.Finish(ctx, c)
}

func (f faultyRows) RecordFirst(ctx context.Context, r delivery.RecordFirst) (delivery.Row, error) {
	if err := f.s.at("RecordFirst"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.RecordFirst(ctx, r)
}

func (f faultyRows) MarkDelivered(ctx context.Context, m delivery.MarkDelivered) (delivery.Row, error) {
	if err := f.s.at("MarkDelivered"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.MarkDelivered(ctx, m)
}

func (f faultyRows) End(ctx context.Context, e delivery.End) (delivery.Row, error) {
	if err := f.s.at("End"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.End(ctx, e)
}

func (f faultyRows) MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error) {
	if err := f.s.at("MakeDue"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.MakeDue(ctx, m)
}

func (f faultyRows) Get(ctx context.Context, key delivery.Key) (delivery.Row, error) {
	if err := f.s.at("Deliveries.Get"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.Get(ctx, key)
}

func (f faultyRows) Yield(ctx context.Context, y delivery.Yield) (delivery.Row, error) {
	if err := f.s.at("Yield"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.Yield(ctx, y)
}

func (f faultyRows) Park(ctx context.Context, p delivery.Park) (delivery.Row, error) {
	if err := f.s.at("Park"); err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.Park(ctx, p)
}

func (f faultyRows) Timer(ctx context.Context, key webhook.Key) (delivery.Timer, error) {
	if err := f.s.at("Timer"); err != nil {
		return delivery.Timer{}, err
	}
	return f.Deliveries.Timer(ctx, key)
}

func (f faultyRows) SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error) {
	if err := f.s.at("SetTimer"); err != nil {
		return delivery.Timer{}, err
	}
	return f.Deliveries.SetTimer(ctx, t)
}

type faultySecrets struct {
	embedded.Secrets
	s *site
}

func (f faultySecrets) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	if err := f.s.at("Secrets.Read"); err != nil {
		return webhook.SecretDocument{}, err
	}
	return f.Secrets.Read(ctx, ref)
}

type faultyQueue struct {
	embedded.Queue
	s *site
}

func (f faultyQueue) Send(ctx context.Context, messages []delivery.Outgoing) ([]int, error) {
	if err := f.s.at("Send"); err != nil {
		return nil, err
	}
	return f.Queue.Send(ctx, messages)
}

func (f faultyQueue) Postpone(ctx context.Context, r delivery.Received, delay time.Duration) error {
	f.s.mu.Lock()
	f.s.postponed = append(f.s.postponed, delay)
	f.s.mu.Unlock()
	return f.Queue.Postpone(ctx, r, delay)
}
