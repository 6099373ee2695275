package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// reservoir is an Engine with one webhook and its parked rows, in a bubble. Calls of the
// store take 5 ms of the bubble's time, and a send 15 ms. The rows are in memory, since
// there may be a million, and change by the transitions of package delivery.
type reservoir struct {
	*dispatch.Engine
	t    *testing.T
	ctx  context.Context // ends with the test
	life sync.WaitGroup

	mu      sync.Mutex
	hook    webhook.Webhook // Revision 0: deleted
	health  webhook.Health
	rows    map[webhook.EventID]delivery.Row // those that have changed
	parked  [delivery.ParkedPartitions]partition
	counts  map[webhook.EventID]int // of attempts, when the row was parked
	timer   delivery.Timer
	gone    map[webhook.EventID]bool // events
	writes  map[string]int           // by method
	held    map[string]time.Duration // of receipts that were postponed
	answer  func(webhook.Post) webhook.Result
	before  func(method string) error
	posts   map[webhook.EventID]int
	posted  []time.Time
	flight  int
	crowd   int // the most POSTs at once
	receipt int
}

// partition lists rows that were parked once, in order. Those before low are not now.
type partition struct {
	ids []webhook.EventID
	low int
}

// inReservoir runs a test in a bubble.
func inReservoir(t *testing.T, rows int, test func(r *reservoir)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fillReservoir(t, rows, test) })
}

func fillReservoir(t *testing.T, rows int, test func(r *reservoir)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	now := time.Now()
	r := &reservoir{
		t: t, ctx: ctx, rows: map[webhook.EventID]delivery.Row{}, counts: map[webhook.EventID]int{}, gone: map[webhook.EventID]bool{},
		writes: map[string]int{}, held: map[string]time.Duration{}, posts: map[webhook.EventID]int{},
		hook: webhook.Webhook{
			Tenant: tenant, ID: 1, Events: []string{"contact.changed"}, TargetURL: "https://example.com/in", State: webhook.StateActive,
			Revision: 1, Activation: 1, ActivatedAt: now,
		},
		timer: delivery.Timer{Key: webhook.Key{Tenant: tenant, ID: 1}, DueAt: now.Add(time.Minute), Version: 1},
	}
	for i := range rows {
		id := eventID(i)
		p := &r.parked[id.Partition(delivery.ParkedPartitions)]
		p.ids = append(p.ids, id)
	}
	random := webhooktest.Random(1)
	r.Engine = dispatch.New(dispatch.Config{
		Webhooks: poolWebhooks{r}, Events: poolEvents{r}, Deliveries: poolRows{r}, Statistics: poolStatistics{r}, Secrets: nil,
		Sender: r, Messages: poolQueue{r}, Visibility: r, DeadLetters: nil, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Random: random,
		Policy: webhook.PolicyDurable, EventLife: 30 * 24 * time.Hour, RowLife: 33 * 24 * time.Hour,
	})
	test(r)
	cancel()
	r.life.Wait()
}

// sent returns how many POSTs were made.
func (r *reservoir) sent() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.posted)
}

// calls returns how often each method was called.
func (r *reservoir) calls() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.writes)
}

// call is the time of one call of the store.
func (r *reservoir) call(method string) error {
	time.Sleep(5 * time.Millisecond)
	r.mu.Lock()
	r.writes[method]++
	before := r.before
	r.mu.Unlock()
	if before != nil {
		return before(method)
	}
	return nil
}

// row returns a row. mu must be held.
func (r *reservoir) row(id webhook.EventID) delivery.Row {
	if row, changed := r.rows[id]; changed {
		return row
	}
	p := r.parked[id.Partition(delivery.ParkedPartitions)]
	if _, found := slices.BinarySearch(p.ids, id); !found {
		return delivery.Row{}
	}
	return delivery.Row{
		Key: delivery.Key{Tenant: tenant, Webhook: 1, Event: id}, Status: delivery.StatusPending, Round: 1, Parked: true, AttemptCount: r.counts[id],
		Attempt: r.counts[id],
	}
}

func (r *reservoir) status(id webhook.EventID) delivery.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.row(id)
}

// transition applies a transition, as one conditional write.
func (r *reservoir) transition(ctx context.Context, method string, key delivery.Key, apply func(delivery.Row) (delivery.Row, bool)) (delivery.Row, error) {
	if err := r.call(method); err != nil {
		return delivery.Row{}, err
	}
	if ctx.Err() != nil {
		return delivery.Row{}, webhook.ErrUnavailable
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.row(key.Event)
	row, ok := apply(was)
	if !ok {
		return row, delivery.ErrRefused
	}
	r.rows[key.Event] = row
	if p := &r.parked[key.Event.Partition(delivery.ParkedPartitions)]; row.Parked {
		at, found := slices.BinarySearch(p.ids, key.Event)
		if !found {
			p.ids = slices.Insert(p.ids, at, key.Event)
		}
		p.low = min(p.low, at)
	}
	return row, nil
}

// waiting counts the rows in a status.
func (r *reservoir) waiting(status delivery.Status) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parked {
		for _, id := range p.ids {
			if r.row(id).Status == status {
				n++
			}
		}
	}
	return n
}

// breaks opens the breaker, whose probe is due after a while.
func (r *reservoir) breaks(probeIn time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health.Activation, r.health.FailingSince = 1, time.Now().Add(-time.Hour)
	r.health.Breaker = webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: time.Now().Add(probeIn)}
}

func (r *reservoir) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health.Breaker.Open()
}

// Send is the queue's.
func (p poolQueue) Send(_ context.Context, messages []delivery.Outgoing) ([]int, error) {
	time.Sleep(15 * time.Millisecond)
	for _, m := range messages {
		p.r.deliver(m.Message, m.Delay)
	}
	return nil, nil
}

type poolQueue struct{ r *reservoir }

// deliver has the engine consume a message after a delay, until it is done.
func (r *reservoir) deliver(m delivery.Message, delay time.Duration) {
	r.life.Go(func() {
		for receives := 1; r.sleep(delay); receives++ {
			r.mu.Lock()
			r.receipt++
			receipt := fmt.Sprint(r.receipt)
			r.mu.Unlock()
			if len(r.Queue(r.ctx, []delivery.Received{{ID: receipt, Receipt: receipt, Receives: receives, Message: m}})) == 0 {
				return
			}
			r.mu.Lock()
			delay = 15 * time.Minute
			if held, ok := r.held[receipt]; ok {
				delay = held
			}
			r.mu.Unlock()
		}
	})
}

// sleep returns false if the test has ended.
func (r *reservoir) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// sweep visits the timer and sends the messages of rows that are due, each minute.
func (r *reservoir) sweep() {
	r.life.Go(func() {
		for r.sleep(time.Minute) {
			r.visit()
			r.mu.Lock()
			var due []delivery.Message
			for id, row := range r.rows {
				if row.Status == delivery.StatusPending && !row.SweepAt.After(time.Now()) {
					attempt := row.Attempt
					if row.LeaseBy == "" {
						attempt++
					}
					due = append(due, delivery.AttemptMessage(row.Key, row.Round, attempt, row.Replay))
					row.SweepAt = row.SweepAt.Add(10 * time.Minute)
					r.rows[id] = row
				}
			}
			r.mu.Unlock()
			for _, m := range due {
				r.deliver(m, 0)
			}
		}
	})
}

// visit does what a visit of the timer does.
func (r *reservoir) visit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, now, key := r.health.Under(r.hook.Activation).Breaker, time.Now(), r.timer.Key
	if r.timer.Version == 0 || r.timer.DueAt.After(now) {
		return
	}
	r.timer = r.timer.Claimed(now)
	r.timer.Version++
	switch {
	case r.hook.Revision == 0:
	case r.hook.State == webhook.StateActive && b.Open():
		if !b.Probing(now) && b.ProbeAt.Before(now.Add(time.Minute)) {
			r.deliver(delivery.ProbeMessage(key), max(0, b.ProbeAt.Sub(now)).Truncate(time.Second)+time.Second)
		}
	default:
		r.timer.Width = min(max(2*r.timer.Width, 16), 256)
		for i := range 12 {
			r.deliver(delivery.DrainMessage(key, i%delivery.ParkedPartitions, r.timer.Width), time.Duration(i)*5*time.Second)
		}
	}
}

// Send is the target.
func (r *reservoir) Send(ctx context.Context, p webhook.Post) webhook.Result {
	now := time.Now()
	r.mu.Lock()
	r.posts[p.Event.ID]++
	r.posted = append(r.posted, now)
	r.flight++
	r.crowd = max(r.crowd, r.flight)
	answer := r.answer
	r.mu.Unlock()
	result := answer(p)
	r.mu.Lock()
	r.flight--
	r.mu.Unlock()
	if ctx.Err() != nil {
		result = webhook.Result{Error: failure.Timeout, Interrupted: true}
	}
	result.At, result.Duration = now, time.Since(now)
	return result
}

// accepting is a target that responds in 50 ms and accepts 2,000 POSTs a second.
func accepting() func(webhook.Post) webhook.Result {
	var mu sync.Mutex
	var free time.Time
	return func(webhook.Post) webhook.Result {
		mu.Lock()
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		wait := free.Sub(now)
		if wait > 250*time.Millisecond {
			mu.Unlock()
			return webhook.Result{StatusCode: 429, Error: failure.Status}
		}
		free = free.Add(time.Second / 2000)
		mu.Unlock()
		time.Sleep(50*time.Millisecond + wait)
		return webhook.Result{StatusCode: 200}
	}
}

// refusing is a target that fails.
func refusing(webhook.Post) webhook.Result {
	time.Sleep(50 * time.Millisecond)
	return webhook.Result{StatusCode: 503, Error: failure.Status}
}

// answers changes the target.
func (r *reservoir) answers(with func(webhook.Post) webhook.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = with
}

func (r *reservoir) Postpone(_ context.Context, m delivery.Received, delay time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[m.Receipt] = delay
	return nil
}

type poolStatistics struct{ r *reservoir }

func (p poolStatistics) Count(context.Context, webhook.Tenant, int32, statistics.Hour) error {
	return p.r.call("Count")
}

type poolEvents struct{ r *reservoir }

func (p poolEvents) Get(_ context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error) {
	if err := p.r.call("Events.Get"); err != nil {
		return webhook.Event{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.gone[id] {
		return webhook.Event{}, webhook.ErrNotFound
	}
	return webhook.Event{Tenant: tenant, ID: id, Name: "contact.changed"}, nil
}

type poolWebhooks struct{ r *reservoir }

func (p poolWebhooks) Get(context.Context, webhook.Tenant, int32) (webhook.Webhook, error) {
	if err := p.r.call("Webhooks.Get"); err != nil {
		return webhook.Webhook{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.hook.Revision == 0 {
		return webhook.Webhook{}, webhook.ErrNotFound
	}
	return p.r.hook, nil
}

func (p poolWebhooks) Update(_ context.Context, w webhook.Webhook, _ webhook.Change, _ ...webhook.Event) error {
	if err := p.r.call("Webhooks.Update"); err != nil {
		return err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.hook.Revision != w.Revision-1 {
		return webhook.ErrConflict
	}
	p.r.hook = w
	return nil
}

func (p poolWebhooks) Epoch(context.Context, webhook.Tenant) (int64, error) { return 1, nil }

func (p poolWebhooks) Subscribed(context.Context, webhook.Tenant, string, func(webhook.Webhook)) error {
	return nil
}

func (p poolWebhooks) Health(_ context.Context, _ webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	if err := p.r.call("Health"); err != nil {
		return nil, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	return map[int32]webhook.Health{ids[0]: p.r.health}, nil
}

func (p poolWebhooks) CurrentHealth(context.Context, webhook.Key) (webhook.Health, error) {
	if err := p.r.call("CurrentHealth"); err != nil {
		return webhook.Health{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	return p.r.health, nil
}

func (p poolWebhooks) UpdateHealth(_ context.Context, _ webhook.Tenant, _ int32, change func(webhook.Health) webhook.Health) (webhook.Health, error) {
	if err := p.r.call("UpdateHealth"); err != nil {
		return webhook.Health{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	version := p.r.health.Version
	p.r.health = change(p.r.health)
	p.r.health.Version = version + 1
	return p.r.health, nil
}

type poolRows struct{ r *reservoir }

func (p poolRows) Lease(ctx context.Context, l delivery.Lease) (delivery.Row, error) {
	return p.r.transition(ctx, "Lease", l.Key, l.Apply)
}

func (p poolRows) Finish(ctx context.Context, f delivery.Finish) (delivery.Row, error) {
	return p.r.transition(ctx, "Finish", f.Key, f.Apply)
}

func (p poolRows) RecordFirst(ctx context.Context, f delivery.RecordFirst) (delivery.Row, error) {
	return p.r.transition(ctx, "RecordFirst", f.Key, f.Apply)
}

func (p poolRows) MarkDelivered(ctx context.Context, m delivery.MarkDelivered) (delivery.Row, error) {
	return p.r.transition(ctx, "MarkDelivered", m.Key, m.Apply)
}

func (p poolRows) End(ctx context.Context, e delivery.End) (delivery.Row, error) {
	return p.r.transition(ctx, "End", e.Key, e.Apply)
}

func (p poolRows) MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error) {
	return p.r.transition(ctx, "MakeDue", m.Key, m.Apply)
}

func (p poolRows) Park(ctx context.Context, k delivery.Park) (delivery.Row, error) {
	return p.r.transition(ctx, "Park", k.Key, k.Apply)
}

func (p poolRows) Yield(ctx context.Context, k delivery.Yield) (delivery.Row, error) {
	return p.r.transition(ctx, "Yield", k.Key, k.Apply)
}

func (p poolRows) Get(_ context.Context, key delivery.Key) (delivery.Row, error) {
	row := p.r.status(key.Event)
	if !row.Exists() {
		return row, webhook.ErrNotFound
	}
	return row, p.r.call("Deliveries.Get")
}

func (p poolRows) PutResponse(context.Context, delivery.FailureResponse) error {
	return p.r.call("PutResponse")
}

func (p poolRows) Parked(ctx context.Context, _ webhook.Key, at int, after webhook.EventID, limit int) (found []delivery.ParkedRow, err error) {
	if err := p.r.call("Parked"); err != nil || ctx.Err() != nil {
		return nil, webhook.ErrUnavailable
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	part := &p.r.parked[at]
	for part.low < len(part.ids) && !p.r.row(part.ids[part.low]).Parked {
		part.low++
	}
	from, exact := slices.BinarySearch(part.ids, after)
	if exact {
		from++
	}
	for _, id := range part.ids[max(from, part.low):] {
		row := p.r.row(id)
		if !row.Parked {
			continue
		}
		if found = append(found, delivery.ParkedRow{Key: row.Key, Round: row.Round, Attempt: row.Attempt, AttemptCount: row.AttemptCount, Replay: row.Replay}); len(found) == limit {
			break
		}
	}
	return found, nil
}

func (p poolRows) Timer(context.Context, webhook.Key) (delivery.Timer, error) {
	if err := p.r.call("Timer"); err != nil {
		return delivery.Timer{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.timer.Version == 0 {
		return delivery.Timer{}, webhook.ErrNotFound
	}
	return p.r.timer, nil
}

func (p poolRows) SetTimer(_ context.Context, t delivery.Timer) (delivery.Timer, error) {
	if err := p.r.call("SetTimer"); err != nil {
		return delivery.Timer{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.timer.Version != t.Version {
		return p.r.timer, delivery.ErrRefused
	}
	t.Version++
	p.r.timer = t
	return t, nil
}

func (p poolRows) PullTimer(_ context.Context, _ webhook.Key, now time.Time) error {
	if err := p.r.call("PullTimer"); err != nil {
		return err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.timer.Version > 0 && p.r.timer.DueAt.After(now) {
		p.r.timer.DueAt = now
		p.r.timer.Version++
	}
	return nil
}
