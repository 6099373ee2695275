package sweep_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

const tenant = webhook.Tenant("Default")

// site is a Sweeper on a real store and queue.
type site struct {
	*sweep.Sweeper
	t     *testing.T
	db    *embedded.DB
	clock *webhooktest.Clock
	log   bytes.Buffer
	// logger writes to log: one for all sweepers, since a buffer takes one writer at a time.
	logger *slog.Logger
	// notices are what was told to operators.
	notices webhooktest.Notices
	// faults are errors to inject, by method.
	faults map[string]error
	// before runs before the End of a row.
	before func()
	// beforeTimer runs before each write of a timer.
	beforeTimer func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, clock: webhooktest.NewClock(start), faults: map[string]error{}}
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: s.clock.Now, Random: webhooktest.Random(1)})
	s.must(err)
	t.Cleanup(func() { s.must(db.Close()) })
	s.db, s.logger = db, slog.New(slog.NewTextHandler(&s.log, nil))
	s.Sweeper = s.sweeper()
	return s
}

// sweeper returns another Sweeper on the same store and queue.
func (s *site) sweeper() *sweep.Sweeper {
	return sweep.New(sweep.Config{
		Deliveries: faultyRows{s.db.Deliveries(), s}, Webhooks: faultyWebhooks{s.db.Webhooks(), s}, Secrets: faultySecrets{s.db.Secrets(), s},
		Events: s.db.Events(), Messages: faultyQueue{s.db.Queue(), s}, DeadLetters: s.db.DeadLetters(), Notices: &s.notices,
		Logger: s.logger, Now: s.clock.Now, RowLife: 33 * 24 * time.Hour,
	})
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) sweep() {
	s.t.Helper()
	s.must(s.Run(s.t.Context()))
}

func key(hook int32, n int) delivery.Key {
	return delivery.Key{Tenant: tenant, Webhook: hook, Event: webhook.EventID(fmt.Sprintf("019000%02x-0000-7000-8000-00000000%04x", hook, n))}
}

// due creates a row that waits for its second attempt and is due after d.
func (s *site) due(k delivery.Key, d time.Duration) {
	s.t.Helper()
	now := s.clock.Now()
	_, err := s.db.Deliveries().RecordFirst(s.t.Context(), delivery.RecordFirst{Key: k, Now: now, Outcome: delivery.Outcome{
		Attempt: delivery.Attempt{Number: 1, At: now}, Status: delivery.StatusPending, NextAt: now.Add(d), SweepAt: now.Add(d),
	}})
	s.must(err)
}

func (s *site) lease(k delivery.Key, round, attempt int, d time.Duration) {
	s.t.Helper()
	now := s.clock.Now()
	_, err := s.db.Deliveries().Lease(s.t.Context(), delivery.Lease{
		Key: k, Round: round, Attempt: attempt, Token: "t", Now: now, Until: now.Add(d), SweepAt: now.Add(d),
	})
	s.must(err)
}

func (s *site) row(k delivery.Key) delivery.Row {
	s.t.Helper()
	row, err := s.db.Deliveries().Get(s.t.Context(), k)
	s.must(err)
	return row
}

// sent receives all messages that are visible now or within d.
func (s *site) sent(d time.Duration) (messages []string) {
	s.t.Helper()
	now := s.clock.Now()
	defer s.clock.Set(now)
	for s.clock.Now().Sub(now) <= d {
		received, err := s.db.Queue().Receive(s.t.Context(), 1000)
		s.must(err)
		for _, r := range received {
			s.must(s.db.Queue().Ack(s.t.Context(), []string{r.Receipt}))
			m := r.Message
			text := fmt.Sprintf("%s w%d", m.Kind, m.Webhook)
			if m.Kind == delivery.MessageAttempt {
				text += fmt.Sprintf(" %d.%d", m.Round, m.Attempt)
			}
			if m.Hops > 0 {
				text += fmt.Sprintf(" hops %d", m.Hops)
			}
			messages = append(messages, fmt.Sprintf("%s in %v", text, s.clock.Now().Sub(now)))
		}
		s.clock.Advance(time.Second)
	}
	slices.Sort(messages)
	return messages
}

func (s *site) wantSent(d time.Duration, want ...string) {
	s.t.Helper()
	if got := s.sent(d); !slices.Equal(got, want) {
		s.t.Errorf("sent %q, want %q", got, want)
	}
}

func (s *site) wantDue(k delivery.Key, at time.Time, resends int) {
	s.t.Helper()
	if row := s.row(k); !row.SweepAt.Equal(at) || row.Resends != resends {
		s.t.Errorf("the row is due in %v after %d resends, want %v after %d", row.SweepAt.Sub(s.clock.Now()), row.Resends, at.Sub(s.clock.Now()), resends)
	}
}

type faultyRows struct {
	embedded.Deliveries
	s *site
}

func (f faultyRows) Due(ctx context.Context, shard int, before time.Time, after delivery.DueRow, limit int) ([]delivery.DueRow, error) {
	if err := f.s.faults[fmt.Sprint("Due ", shard)]; err != nil {
		return nil, err
	}
	return f.Deliveries.Due(ctx, shard, before, after, limit)
}

func (f faultyRows) Claim(ctx context.Context, c delivery.Claim) (delivery.Row, error) {
	if err := f.s.faults[fmt.Sprint("Claim ", c.Key.Event)]; err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.Claim(ctx, c)
}

func (f faultyRows) End(ctx context.Context, e delivery.End) (delivery.Row, error) {
	if f.s.before != nil {
		f.s.before()
	}
	return f.Deliveries.End(ctx, e)
}

func (f faultyRows) SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error) {
	if f.s.beforeTimer != nil {
		f.s.beforeTimer()
	}
	return f.Deliveries.SetTimer(ctx, t)
}

func (f faultyRows) MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error) {
	if err := f.s.faults["MakeDue"]; err != nil {
		return delivery.Row{}, err
	}
	return f.Deliveries.MakeDue(ctx, m)
}

type faultyWebhooks struct {
	embedded.Webhooks
	s *site
}

func (f faultyWebhooks) Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	if err := f.s.faults["Get"]; err != nil {
		return webhook.Webhook{}, err
	}
	return f.Webhooks.Get(ctx, tenant, id)
}

type faultySecrets struct {
	embedded.Secrets
	s *site
}

func (f faultySecrets) Delete(ctx context.Context, name string) error {
	if err := cmp.Or(f.s.faults["Delete"], f.s.faults["Delete "+name]); err != nil {
		return err
	}
	return f.Secrets.Delete(ctx, name)
}

type faultyQueue struct {
	embedded.Queue
	s *site
}

func (f faultyQueue) Send(ctx context.Context, messages []delivery.Outgoing) ([]int, error) {
	if err := f.s.faults["Send"]; err != nil {
		return nil, err
	}
	return f.Queue.Send(ctx, messages)
}

func TestSweep_SendsWhatIsDueWithinAMinuteToTheSecond(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	s.due(key(2, 1), 59*time.Second)
	s.due(key(3, 1), 61*time.Second)
	s.due(key(4, 1), 24*time.Hour)
	s.sweep()
	s.wantSent(2*time.Minute, "attempt w1 1.2 in 0s", "attempt w2 1.2 in 59s")
	s.wantDue(key(1, 1), start.Add(5*time.Minute), 1)
	s.wantDue(key(2, 1), start.Add(59*time.Second+5*time.Minute), 1)
	s.wantDue(key(3, 1), start.Add(61*time.Second), 0)
}

func TestSweep_LeavesRowsThatHaveEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	_, err := s.db.Deliveries().End(t.Context(), delivery.End{Key: key(1, 1), Round: 1, Status: delivery.StatusCancelled, Now: start})
	s.must(err)
	s.sweep()
	s.wantSent(time.Minute)
}

// A row under a lease, live or not, gets a message for the leased attempt,
// since its holder may be dead. Any other row gets one for its next attempt.
func TestSweep_AsksForTheAttemptThatTheRowWaitsFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.lease(key(1, 1), 1, 1, time.Minute)
	s.lease(key(2, 1), 1, 1, time.Second)
	s.due(key(3, 1), 2*time.Second)
	_, err := s.db.Deliveries().StartRound(t.Context(), delivery.StartRound{Key: key(4, 1), Now: start, Due: start, SweepAt: start.Add(2 * time.Second)})
	s.must(err)
	s.clock.Advance(3 * time.Second)
	s.sweep()
	s.wantSent(time.Minute, "attempt w1 1.1 in 0s", "attempt w2 1.1 in 0s", "attempt w3 1.2 in 0s", "attempt w4 1.1 in 0s")
}

// A message that is never processed is resent at growing intervals; the eighth
// raises an alarm.
func TestSweep_ResendsAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must(s.db.Events().Put(t.Context(), webhook.Event{Tenant: tenant, ID: key(1, 1).Event, Name: "contact.changed", At: start}))
	s.due(key(1, 1), 0)
	for n, want := range []time.Duration{
		5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 80 * time.Minute, 160 * time.Minute,
		320 * time.Minute, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour,
	} {
		s.clock.Advance(3 * time.Second)
		s.log.Reset()
		s.sweep()
		s.wantSent(time.Minute, "attempt w1 1.2 in 0s")
		if !strings.Contains(s.log.String(), `msg="sweep ended" count=1 late_ms=3000 net=0`) {
			t.Errorf("the log does not say how late the delivery is:\n%s", s.log.String())
		}
		s.wantDue(key(1, 1), s.clock.Now().Add(want), n+1)
		if alarmed := strings.Contains(s.log.String(), "level=ERROR"); alarmed != (n+1 >= 8) {
			t.Errorf("after %d messages: alarm %v", n+1, alarmed)
		}
		s.sweep()
		s.wantSent(time.Minute) // not before its time
		s.clock.Set(s.row(key(1, 1)).SweepAt)
	}
}

// A row whose event is gone can never be delivered, so it expires.
func TestSweep_ARowWithoutAnEventExpiresInsteadOfItsEighthMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	for range 7 {
		s.sweep()
		s.wantSent(time.Minute, "attempt w1 1.2 in 0s")
		s.clock.Set(s.row(key(1, 1)).SweepAt)
	}
	s.sweep()
	s.wantSent(time.Minute)
	if row := s.row(key(1, 1)); row.Status != delivery.StatusExpired || row.Reason == "" {
		t.Errorf("the row is %s (%q), want expired and a reason", row.Status, row.Reason)
	}
}

func TestSweep_AnAttemptResetsTheInterval(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	for range 3 {
		s.sweep()
		s.clock.Set(s.row(key(1, 1)).SweepAt)
	}
	s.lease(key(1, 1), 1, 2, time.Minute)
	now := s.clock.Now()
	_, err := s.db.Deliveries().Finish(t.Context(), delivery.Finish{Key: key(1, 1), Round: 1, Attempt: 2, Token: "t", Now: now, ExpiresAt: now.Add(time.Hour), Outcome: delivery.Outcome{
		Attempt: delivery.Attempt{Number: 2}, Status: delivery.StatusPending, NextAt: now, SweepAt: now,
	}})
	s.must(err)
	s.sweep()
	s.wantDue(key(1, 1), now.Add(5*time.Minute), 1)
}

func TestSweep_TwoAtOnceSendOneMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range 50 {
		s.due(key(1, n), 0)
	}
	failed := make(chan error)
	for range 2 {
		go func() { failed <- s.sweeper().Run(t.Context()) }()
	}
	s.must(errors.Join(<-failed, <-failed))
	if got := s.sent(0); len(got) != 50 {
		t.Errorf("%d messages for 50 rows", len(got))
	}
}

// laggingRows is an index that shows rows as they were a minute ago.
type laggingRows struct {
	embedded.Deliveries
	shown []delivery.DueRow
}

func (l *laggingRows) Due(context.Context, int, time.Time, delivery.DueRow, int) ([]delivery.DueRow, error) {
	return l.shown, nil
}

func TestSweep_AnIndexThatLagsSendsNothingTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	shown, err := s.db.Deliveries().Due(t.Context(), delivery.DueShard(key(1, 1)), start, delivery.DueRow{}, 10)
	s.must(err)
	lagging := s.sweeper()
	lagging.Deliveries = &laggingRows{s.db.Deliveries(), shown}
	for range 3 {
		s.must(lagging.Run(t.Context()))
	}
	s.wantSent(time.Minute, "attempt w1 1.2 in 0s")
}

func TestSweep_AllPagesOfAllShards(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range 250 {
		s.due(key(1, n), 0)
	}
	for hook := range int32(20) {
		s.due(key(hook+2, 1), 0)
	}
	s.sweep()
	if got := s.sent(0); len(got) != 270 {
		t.Errorf("%d messages, want 270: an hour's outage is worked off", len(got))
	}
}

func TestSweep_AFaultInOneShardLeavesTheOthersDone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := key(2, 1)
	for n := 2; delivery.DueShard(other) == delivery.DueShard(key(1, 1)); n++ {
		other = key(2, n)
	}
	s.due(key(1, 1), 0)
	s.due(other, 0)
	s.faults[fmt.Sprint("Due ", delivery.DueShard(key(1, 1)))] = webhook.ErrUnavailable
	if err := s.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v, want the fault", err)
	}
	s.wantSent(time.Minute, "attempt w2 1.2 in 0s")
}

// A claimed row's message is sent even if the next claim fails.
func TestSweep_AFaultBetweenClaimsLosesNoMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	s.due(key(1, 2), time.Second)
	s.faults[fmt.Sprint("Claim ", key(1, 2).Event)] = webhook.ErrUnavailable
	if err := s.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v, want the fault", err)
	}
	s.wantSent(time.Minute, "attempt w1 1.2 in 0s")
	s.wantDue(key(1, 2), start.Add(time.Second), 0)
}

// Claim first, message second: a lost message is resent, and none goes out
// unclaimed.
func TestSweep_ALostMessageIsResent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	s.faults["Send"] = webhook.ErrUnavailable
	if err := s.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v, want the fault", err)
	}
	s.wantDue(key(1, 1), start.Add(5*time.Minute), 1)
	delete(s.faults, "Send")
	s.clock.Advance(5 * time.Minute)
	s.sweep()
	s.wantSent(time.Minute, "attempt w1 1.2 in 0s")
}

func TestSweep_StopsBeforeItsTimeout(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.due(key(1, 1), 0)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(9*time.Second))
	defer cancel()
	_ = s.Run(ctx) // reports the deadline, or nothing
	s.wantSent(time.Minute)
	s.wantDue(key(1, 1), start, 0)
}

// bury puts a message into the dead-letter queue.
func (s *site) bury(m delivery.Message) {
	s.t.Helper()
	s.must(s.db.DeadLetters().Bury(s.t.Context(), []byte(delivery.EncodeMessage(m))))
}

func (s *site) letters() (bodies []string) {
	s.t.Helper()
	s.clock.Advance(time.Minute) // received messages stay hidden for a while
	letters, err := s.db.DeadLetters().Receive(s.t.Context(), 1000)
	s.must(err)
	for _, l := range letters {
		bodies = append(bodies, l.Undecodable+string(l.Message.Kind))
	}
	return bodies
}

func attempt(k delivery.Key, round, n int) delivery.Message {
	return delivery.Message{Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: k.Webhook, Event: k.Event, Round: round, Attempt: n, Hops: 5}
}

func TestSweep_DrainsTheDeadLetters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(s *site)
		letter  delivery.Message
		sent    []string
		row     string
	}{
		{name: "a first attempt becomes a row, and the row a message", letter: attempt(key(1, 1), 1, 1), sent: []string{"attempt w1 1.1 in 0s"}, row: "pending 1.0"},
		{name: "a later attempt without a row", letter: attempt(key(1, 1), 2, 3), sent: []string{"attempt w1 2.3 in 0s"}, row: "pending 2.2"},
		{
			name: "a row before the attempt is swept now", letter: attempt(key(1, 1), 1, 2), sent: []string{"attempt w1 1.2 in 0s"}, row: "pending 1.1",
			prepare: func(s *site) {
				s.due(key(1, 1), 0)
				s.sweep()
				s.sent(0)
			},
		},
		{
			name: "a row whose attempt is over waits for the next one's time", letter: attempt(key(1, 1), 1, 1), row: "pending 1.1",
			prepare: func(s *site) { s.due(key(1, 1), 5*time.Hour) },
		},
		{
			name: "a row whose attempt is leased is asked for that very attempt", letter: attempt(key(1, 1), 1, 1), sent: []string{"attempt w1 1.1 in 0s"}, row: "pending 1.1",
			prepare: func(s *site) { s.lease(key(1, 1), 1, 1, 30*time.Hour) },
		},
		{
			name: "a row of a later round stays", letter: attempt(key(1, 1), 1, 2), row: "pending 2.0",
			prepare: func(s *site) {
				s.due(key(1, 1), time.Hour)
				_, err := s.db.Deliveries().StartRound(s.t.Context(), delivery.StartRound{Key: key(1, 1), Seen: delivery.StatusPending, Now: start, Due: start, SweepAt: start.Add(time.Hour)})
				s.must(err)
			},
		},
		{
			name: "a delivered row stays", letter: attempt(key(1, 1), 1, 1), row: "delivered 1.1",
			prepare: func(s *site) {
				_, err := s.db.Deliveries().MarkDelivered(s.t.Context(), delivery.MarkDelivered{Key: key(1, 1), Round: 1, Now: start, Attempt: delivery.Attempt{Number: 1}})
				s.must(err)
			},
		},
		{
			name:   "an expand is sent again, late and with its hops forgotten",
			letter: delivery.Message{Kind: delivery.MessageExpand, Tenant: tenant, Event: key(1, 1).Event, Accepted: start, Hops: 7},
			sent:   []string{"expand w0 in 15m0s"},
		},
		{
			name:   "a record is sent again",
			letter: delivery.Message{Kind: delivery.MessageRecord, Tenant: tenant, Webhook: 1, Event: key(1, 1).Event, Round: 1, Success: &delivery.Attempt{Number: 1}, Hops: 2},
			sent:   []string{"record w1 in 15m0s"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			s.bury(tt.letter)
			s.sweep()
			s.sweep() // the first run may have walked the rows already
			s.wantSent(delivery.MaxDelay, tt.sent...)
			if left := s.letters(); len(left) != 0 {
				t.Errorf("left among the dead letters: %q", left)
			}
			row, _ := s.db.Deliveries().Get(t.Context(), key(1, 1))
			if got := fmt.Sprintf("%s %d.%d", row.Status, row.Round, row.Attempt); row.Exists() && got != tt.row || row.Exists() != (tt.row != "") {
				t.Errorf("the row is %q, want %q", got, tt.row)
			}
		})
	}
}

func TestSweep_DrainsAllPagesAndLeavesUnreadableLetters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must(s.db.DeadLetters().Bury(t.Context(), []byte("{")))
	for n := range 35 {
		s.bury(attempt(key(1, n), 1, 1))
	}
	s.sweep()
	s.sweep() // the first run may have walked the rows already
	if got := s.sent(0); len(got) != 35 {
		t.Errorf("%d messages, want 35", len(got))
	}
	if left := s.letters(); !slices.Equal(left, []string{"{"}) {
		t.Errorf("left among the dead letters: %q, want the unreadable ones", left)
	}
}

// A dead letter is removed only after its content is stored elsewhere.
func TestSweep_ADeadLetterIsNeverTheOnlyCopyThatIsRemoved(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]delivery.Message{
		"MakeDue": attempt(key(1, 1), 1, 1),
		"Send":    {Kind: delivery.MessageExpand, Tenant: tenant, Event: key(1, 1).Event},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.due(key(2, 1), 0)
			s.bury(m)
			s.faults[name] = webhook.ErrUnavailable
			if err := s.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
				t.Errorf("got %v, want the fault", err)
			}
			if left := s.letters(); !slices.Equal(left, []string{string(m.Kind)}) {
				t.Errorf("left among the dead letters: %q, want the message", left)
			}
			if s.row(key(2, 1)).Resends != 1 {
				t.Error("a fault with the dead letters kept the rows from being sent")
			}
		})
	}
}

func TestSweep_DeletesSecretsThatACrashLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(s *site, secret string)
		age     time.Duration
		fault   string
		secret  bool // still exists
		intent  bool
	}{
		{name: "a secret whose webhook was never created", age: time.Hour + time.Second},
		{
			name: "a secret that its webhook uses", age: time.Hour + time.Second, secret: true,
			prepare: func(s *site, secret string) { s.create(secret) },
		},
		{
			name: "a secret whose webhook uses another", age: time.Hour + time.Second,
			prepare: func(s *site, _ string) { s.create("another") },
		},
		{name: "a young intent: its creator may still be working", age: 59 * time.Minute, secret: true, intent: true},
		{name: "the webhook cannot be read", age: 2 * time.Hour, fault: "Get", secret: true, intent: true},
		{name: "the secret cannot be deleted", age: 2 * time.Hour, fault: "Delete", secret: true, intent: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			name, err := s.db.Secrets().Name(tenant, 1)
			s.must(err)
			s.must(s.db.Webhooks().PutIntent(t.Context(), webhook.Intent{Secret: name, Tenant: tenant, Webhook: 1, At: start}))
			ref, err := s.db.Secrets().Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret("ea")})
			s.must(err)
			if tt.prepare != nil {
				tt.prepare(s, name)
			}
			s.clock.Advance(tt.age)
			if tt.fault != "" {
				s.faults[tt.fault] = webhook.ErrUnavailable
			}
			if err := s.Run(t.Context()); errors.Is(err, webhook.ErrUnavailable) != (tt.fault != "") {
				t.Errorf("got %v", err)
			}
			if _, err := s.db.Secrets().Read(t.Context(), ref); (err == nil) != tt.secret {
				t.Errorf("secret: %v, want it to exist: %v", err, tt.secret)
			}
			intents, err := s.db.Webhooks().Intents(t.Context(), s.clock.Now().Add(time.Hour), 10)
			s.must(err)
			if (len(intents) > 0) != tt.intent {
				t.Errorf("%d intents, want one: %v", len(intents), tt.intent)
			}
		})
	}
}

func (s *site) create(secret string) {
	s.t.Helper()
	s.must(s.db.Webhooks().Create(s.t.Context(), webhook.Webhook{
		Tenant: tenant, ID: 1, Events: []string{"*"}, State: webhook.StateActive, Revision: 1, Activation: 1,
		Secret: webhook.SecretRef{Name: secret, Version: "v", Signed: true},
	}))
}
