package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// pace is how long calls take, in virtual time.
type pace struct{ call time.Duration }

func (p *pace) wait(ctx context.Context) error {
	time.Sleep(p.call)
	return ctx.Err()
}

// slowRows is the DynamoDB store of deliveries whose calls take time. It counts the
// writes.
type slowRows struct {
	*dynamo.Deliveries
	*pace

	mu      sync.Mutex
	claims  map[string]int // by webhook
	defers  map[string]int
	first   map[string]time.Time // write
	last    map[string]time.Time // write
	writes  int
	pages   int // of due rows
	moves   map[delivery.Key]int
	bad     map[delivery.Key]bool // cannot be claimed
	damaged map[delivery.Key]bool // cannot be decoded
}

func who(k delivery.Key) string { return fmt.Sprintf("%s/%d", k.Tenant, k.Webhook) }

func (s *slowRows) Due(ctx context.Context, shard int, before time.Time, after delivery.DueRow, limit int) ([]delivery.DueRow, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.pages++
	s.mu.Unlock()
	var due []delivery.DueRow
	var broken webhook.UnreadableError
	for len(due) < limit {
		page, err := s.Deliveries.Due(ctx, shard, before, after, limit)
		if err != nil || len(page) == 0 {
			return due, errors.Join(err, broken.Err())
		}
		for _, d := range page {
			if after = d; s.spoilt(s.damaged, d.Key) {
				broken.Add(who(d.Key)+string(d.Event), errors.New("attribute next_at"))
			} else if due = append(due, d); len(due) == limit {
				break
			}
		}
	}
	return due, broken.Err()
}

func (s *slowRows) spoilt(keys map[delivery.Key]bool, key delivery.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return keys[key]
}

// write makes a write of a row and counts it.
func (s *slowRows) write(ctx context.Context, key delivery.Key, counts map[string]int, do func() (delivery.Row, error)) (delivery.Row, error) {
	if err := s.wait(ctx); err != nil {
		return delivery.Row{}, err
	}
	if s.spoilt(s.bad, key) {
		return delivery.Row{}, errors.New("attribute attempts")
	}
	row, err := do()
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writes++
		s.moves[key]++
		if counts[who(key)]++; counts[who(key)] == 1 {
			s.first[who(key)] = time.Now()
		}
		s.last[who(key)] = time.Now()
	}
	return row, err
}

func (s *slowRows) Claim(ctx context.Context, c delivery.Claim) (delivery.Row, error) {
	return s.write(ctx, c.Key, s.claims, func() (delivery.Row, error) { return s.Deliveries.Claim(ctx, c) })
}

func (s *slowRows) Defer(ctx context.Context, d delivery.Defer) (delivery.Row, error) {
	return s.write(ctx, d.Key, s.defers, func() (delivery.Row, error) { return s.Deliveries.Defer(ctx, d) })
}

func (s *slowRows) Timer(ctx context.Context, key webhook.Key) (delivery.Timer, error) {
	if err := s.wait(ctx); err != nil {
		return delivery.Timer{}, err
	}
	return s.Deliveries.Timer(ctx, key)
}

func (s *slowRows) SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error) {
	if err := s.wait(ctx); err != nil {
		return delivery.Timer{}, err
	}
	s.mu.Lock()
	s.writes++
	s.mu.Unlock()
	return s.Deliveries.SetTimer(ctx, t)
}

func (s *slowRows) DueTimers(ctx context.Context, shard int, before time.Time, after delivery.DueTimer, limit int) ([]delivery.DueTimer, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Deliveries.DueTimers(ctx, shard, before, after, limit)
}

func (s *slowRows) Waiting(ctx context.Context, key webhook.Key, limit int) (int, error) {
	if err := s.wait(ctx); err != nil {
		return 0, err
	}
	return s.Deliveries.Waiting(ctx, key, limit)
}

// slowHooks is the DynamoDB store of webhooks whose calls take time.
type slowHooks struct {
	*dynamo.Webhooks
	*pace
	asked func(ctx context.Context, what string) error
}

func (s *slowHooks) Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	if err := s.wait(ctx); err != nil {
		return webhook.Webhook{}, err
	}
	return s.Webhooks.Get(ctx, tenant, id)
}

func (s *slowHooks) Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Webhooks.Health(ctx, tenant, ids)
}

func (s *slowHooks) CurrentHealth(ctx context.Context, key webhook.Key) (webhook.Health, error) {
	if err := s.wait(ctx); err != nil {
		return webhook.Health{}, err
	}
	return s.Webhooks.CurrentHealth(ctx, key)
}

func (s *slowHooks) Intents(ctx context.Context, before time.Time, limit int) ([]webhook.Intent, error) {
	if err := s.asked(ctx, "intents"); err != nil {
		return nil, err
	}
	return s.Webhooks.Intents(ctx, before, limit)
}

// slowQueue takes 15 ms for ten messages, as the queue's adapter does, and keeps the
// drains.
type slowQueue struct {
	mu     sync.Mutex
	drains []delivery.Outgoing
	got    func(delivery.Message)
}

func (q *slowQueue) Send(ctx context.Context, out []delivery.Outgoing) ([]int, error) {
	time.Sleep(time.Duration((len(out)+9)/10) * 15 * time.Millisecond)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range out {
		if o.Message.Kind == delivery.MessageDrain {
			q.drains = append(q.drains, o)
		}
		if q.got != nil {
			q.got(o.Message)
		}
	}
	return nil, ctx.Err()
}

// others implements the other stages. They have nothing to do, and count how often they
// ran.
type others struct {
	mu    sync.Mutex
	asked map[string]int
}

func (o *others) ask(ctx context.Context, what string) error {
	time.Sleep(5 * time.Millisecond)
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[what]++
	return nil
}

func (o *others) Running(ctx context.Context, _ int) ([]job.Job, error) {
	return nil, o.ask(ctx, "jobs")
}
func (o *others) Update(context.Context, job.Job) error { return nil }

func (o *others) Receive(ctx context.Context, _ int) ([]delivery.Received, error) {
	return nil, o.ask(ctx, "dead letters")
}
func (o *others) Bury(context.Context, []byte) error { return nil }

func (o *others) List(ctx context.Context, _ string, _ int) ([]string, error) {
	return nil, o.ask(ctx, "redrive")
}
func (o *others) Open(context.Context, string) ([]webhook.Record, error) { return nil, nil }
func (o *others) Remove(context.Context, string) error                   { return nil }

// backlog is a sweep over slow parts. It must be made in a bubble of testing/synctest.
type backlog struct {
	*slowRows
	*others
	t     testing.TB
	hooks *slowHooks
	queue *slowQueue
	log   bytes.Buffer
	*sweep.Sweeper
}

func newBacklog(t testing.TB) *backlog {
	t.Helper()
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	db := memdb.New(memdb.Config{Now: time.Now, Tables: []memdb.Table{
		{Name: "webhooks", PK: pk, SK: sk},
		{Name: "deliveries", PK: pk, SK: sk, Indexes: []memdb.Index{{
			Name: "due", PK: memdb.Attribute{Name: "due_shard", Type: types.ScalarAttributeTypeN},
			SK:         memdb.Attribute{Name: "sweep_at", Type: types.ScalarAttributeTypeN},
			Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
		}, {
			Name: "parked", PK: pk, SK: memdb.Attribute{Name: "parked"},
			Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
		}}},
	}})
	store := dynamo.New(db, dynamo.Tables{Webhooks: "webhooks", Deliveries: "deliveries"}, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)})
	p, o := &pace{5 * time.Millisecond}, &others{asked: map[string]int{}}
	b := &backlog{
		slowRows: &slowRows{
			Deliveries: store.Deliveries(), pace: p, claims: map[string]int{}, defers: map[string]int{}, first: map[string]time.Time{}, last: map[string]time.Time{},
			moves: map[delivery.Key]int{}, bad: map[delivery.Key]bool{}, damaged: map[delivery.Key]bool{},
		},
		others: o, t: t, hooks: &slowHooks{store.Webhooks(), p, o.ask}, queue: &slowQueue{},
	}
	b.Sweeper = b.sweeper(&b.log)
	return b
}

// sweeper returns another Sweeper over the same parts, with a log of its own.
func (b *backlog) sweeper(log *bytes.Buffer) *sweep.Sweeper {
	return sweep.New(sweep.Config{
		Deliveries: b.slowRows, Webhooks: b.hooks, Messages: b.queue, DeadLetters: b.others, Failures: b.others, Jobs: b.others,
		Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now, RowLife: 33 * 24 * time.Hour,
	})
}

// add creates n rows of a webhook that are due from a time on.
func (b *backlog) add(tenant webhook.Tenant, id int32, n int, at time.Time) (keys []delivery.Key) {
	b.t.Helper()
	for i := range n {
		key := delivery.Key{Tenant: tenant, Webhook: id, Event: eventID(i)}
		due := at.Add(time.Duration(i) * time.Millisecond / 10)
		_, err := b.RecordFirst(b.t.Context(), delivery.RecordFirst{Key: key, Now: at, Outcome: delivery.Outcome{
			Attempt: delivery.Attempt{Number: 1, At: at}, Status: delivery.StatusPending, NextAt: due, SweepAt: due,
		}})
		if err != nil {
			b.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// down creates a webhook with an open breaker.
func (b *backlog) down(tenant webhook.Tenant, id int32, is webhook.Breaker) {
	b.t.Helper()
	now := time.Now()
	err := b.hooks.Create(b.t.Context(), webhook.Webhook{
		Tenant: tenant, ID: id, Events: []string{"a.b"}, TargetURL: "https://example.com/", State: webhook.StateActive, Revision: 1, Activation: 1, Registered: now,
	})
	if err == nil {
		_, err = b.hooks.UpdateHealth(b.t.Context(), tenant, id, func(h webhook.Health) webhook.Health {
			h = h.Under(1)
			h.Breaker = is
			return h
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// minute runs once as SweepFunction does, and returns the error and how long it took.
func (b *backlog) minute() (took time.Duration, err error) {
	b.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithDeadline(b.t.Context(), began.Add(55*time.Second)) // the template's timeout
	err = b.Run(ctx)
	cancel()
	if took = time.Since(began); took > 50*time.Second {
		b.t.Errorf("a run took %v", took)
	}
	time.Sleep(time.Until(began.Add(time.Minute)))
	return took, err
}

// minutes runs n times and returns the last error.
func (b *backlog) minutes(n int) (err error) {
	b.t.Helper()
	for range n {
		_, err = b.minute()
	}
	return err
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
