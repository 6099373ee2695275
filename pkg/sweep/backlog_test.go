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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// slowRows is an in-memory index of due rows whose calls take virtual time. A
// walk sees the index as it was when its first page was read.
type slowRows struct {
	call time.Duration

	mu      sync.Mutex
	shards  [delivery.DueShards][]*slowRow
	walks   [delivery.DueShards][]delivery.DueRow
	rows    map[delivery.Key]*slowRow
	claims  map[string]int // by webhook
	defers  map[string]int
	first   map[string]time.Time // claim
	bad     map[delivery.Key]bool
	damaged map[delivery.Key]bool
}

type slowRow struct {
	delivery.DueRow
	moves int
}

func inOrder(a, b delivery.DueRow) int {
	return cmp.Or(a.SweepAt.Compare(b.SweepAt), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Webhook, b.Webhook), cmp.Compare(a.Event, b.Event))
}

func who(k delivery.Key) string { return fmt.Sprintf("%s/%d", k.Tenant, k.Webhook) }

func newSlowRows() *slowRows {
	return &slowRows{
		call: 5 * time.Millisecond, rows: map[delivery.Key]*slowRow{}, claims: map[string]int{}, defers: map[string]int{},
		first: map[string]time.Time{}, bad: map[delivery.Key]bool{}, damaged: map[delivery.Key]bool{},
	}
}

// add creates n rows of a webhook that are due at a given time.
func (s *slowRows) add(tenant webhook.Tenant, id int32, n int, at time.Time) (keys []delivery.Key) {
	for i := range n {
		key := delivery.Key{Tenant: tenant, Webhook: id, Event: webhook.EventID(fmt.Sprintf("%08d", i))}
		r := &slowRow{DueRow: delivery.DueRow{Key: key, SweepAt: at.Add(time.Duration(i) * time.Microsecond), NextAt: at}}
		s.rows[key] = r
		shard := delivery.DueShard(key)
		s.shards[shard] = append(s.shards[shard], r)
		keys = append(keys, key)
	}
	return keys
}

func (s *slowRows) Due(ctx context.Context, shard int, until time.Time, after delivery.DueRow, limit int) (due []delivery.DueRow, err error) {
	time.Sleep(s.call)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := 0
	if after == (delivery.DueRow{}) {
		walk := s.walks[shard][:0]
		for _, r := range s.shards[shard] {
			walk = append(walk, r.DueRow)
		}
		slices.SortFunc(walk, inOrder)
		s.walks[shard] = walk
	} else {
		at, found := slices.BinarySearchFunc(s.walks[shard], after, inOrder)
		if from = at; found {
			from++
		}
	}
	var broken webhook.UnreadableError
	for _, d := range s.walks[shard][from:] {
		if len(due) == limit || d.SweepAt.After(until) {
			break
		}
		if s.damaged[d.Key] {
			broken.Add(who(d.Key)+string(d.Event), errors.New("attribute next_at"))
			continue
		}
		due = append(due, d)
	}
	return due, broken.Err()
}

func (s *slowRows) move(ctx context.Context, key delivery.Key, to time.Time, counts map[string]int) (delivery.Row, error) {
	time.Sleep(s.call)
	if err := ctx.Err(); err != nil {
		return delivery.Row{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad[key] {
		return delivery.Row{}, errors.New("attribute attempts")
	}
	r := s.rows[key]
	r.SweepAt = to
	r.moves++
	counts[who(key)]++
	return delivery.Row{Key: key, Status: delivery.StatusPending, Round: 1, NextAt: r.NextAt}, nil
}

func (s *slowRows) Claim(ctx context.Context, c delivery.Claim) (delivery.Row, error) {
	row, err := s.move(ctx, c.Key, c.Next, s.claims)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, before := s.first[who(c.Key)]; err == nil && !before {
		s.first[who(c.Key)] = time.Now()
	}
	return row, err
}

func (s *slowRows) Defer(ctx context.Context, d delivery.Defer) (delivery.Row, error) {
	return s.move(ctx, d.Key, d.Until, s.defers)
}

func (s *slowRows) MakeDue(context.Context, delivery.MakeDue) (delivery.Row, error) {
	return delivery.Row{}, nil
}

func (s *slowRows) End(context.Context, delivery.End) (delivery.Row, error) {
	return delivery.Row{}, nil
}

// slowQueue takes 15 ms per Send.
type slowQueue struct{}

func (slowQueue) Send(ctx context.Context, _ []delivery.Outgoing) ([]int, error) {
	time.Sleep(15 * time.Millisecond)
	return nil, ctx.Err()
}

// others implements the other stages. They have nothing to do, and count how
// often they ran.
type others struct {
	mu    sync.Mutex
	asked map[string]int
	open  map[string]webhook.Breaker // by webhook
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

func (o *others) Get(_ context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	return webhook.Webhook{Tenant: tenant, ID: id, State: webhook.StateActive, Activation: 1}, nil
}

func (o *others) Health(_ context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	time.Sleep(5 * time.Millisecond)
	found := map[int32]webhook.Health{}
	for _, id := range ids {
		if b, ok := o.open[fmt.Sprintf("%s/%d", tenant, id)]; ok {
			found[id] = webhook.Health{Activation: 1, Breaker: b}
		}
	}
	return found, nil
}

func (o *others) Intents(ctx context.Context, _ time.Time, _ int) ([]webhook.Intent, error) {
	return nil, o.ask(ctx, "intents")
}
func (o *others) RemoveIntent(context.Context, webhook.Intent) error { return nil }

func (o *others) List(ctx context.Context, _ string, _ int) ([]string, error) {
	return nil, o.ask(ctx, "redrive")
}
func (o *others) Open(context.Context, string) ([]webhook.Record, error) { return nil, nil }
func (o *others) Remove(context.Context, string) error                   { return nil }

// backlog is a sweep over slow parts.
type backlog struct {
	*slowRows
	*others
	log bytes.Buffer
	*sweep.Sweeper
}

func newBacklog() *backlog {
	b := &backlog{slowRows: newSlowRows(), others: &others{asked: map[string]int{}, open: map[string]webhook.Breaker{}}}
	b.Sweeper = sweep.New(sweep.Config{
		Deliveries: b.slowRows, Webhooks: b.others, Messages: slowQueue{}, DeadLetters: b.others, Failures: b.others, Jobs: b.others,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Now: time.Now, RowLife: 33 * 24 * time.Hour,
	})
	return b
}

// minutes runs n times as SweepFunction does and returns the last error.
func (b *backlog) minutes(t *testing.T, n int) (err error) {
	t.Helper()
	for range n {
		began := time.Now()
		ctx, cancel := context.WithDeadline(t.Context(), began.Add(55*time.Second)) // the template's timeout
		err = b.Run(ctx)
		cancel()
		if took := time.Since(began); took > 50*time.Second {
			t.Errorf("a run took %v", took)
		}
		time.Sleep(time.Until(began.Add(time.Minute)))
	}
	return err
}

// The local run sets no deadline. The store is so slow that deferring all rows
// takes longer than the minute after which they are due again.
func TestRun_EndsAlthoughItsRowsAreDueAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog()
		b.call = 50 * time.Millisecond
		began := time.Now()
		keys := b.add("Dead", 1, 20_000, began)
		b.open["Dead/1"] = webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: began, ProbeBy: "p", ProbeUntil: began.Add(time.Hour)}
		_ = b.Run(t.Context()) // reports the deadline
		if took := time.Since(began); took > 50*time.Second {
			t.Errorf("the run took %v", took)
		}
		if b.defers["Dead/1"] < 10_000 {
			t.Errorf("%d of 20,000 rows were deferred", b.defers["Dead/1"])
		}
		for _, key := range keys {
			if moves := b.rows[key].moves; moves > 1 {
				t.Fatalf("one run deferred a row %d times", moves)
			}
		}
	})
}

func TestRun_ABacklogDelaysOnlyItsOwnWebhook(t *testing.T) {
	t.Parallel()
	type hog struct {
		tenant webhook.Tenant
		id     int32
		rows   int
		open   bool
	}
	tests := map[string][]hog{
		"four webhooks with 30,000 rows":        {{"Hog", 16, 30_000, false}, {"Hog", 17, 30_000, false}, {"Hog", 18, 30_000, false}, {"Hog", 19, 30_000, false}},
		"a dead target's 50,000 parked rows":    {{"Dead", 1, 50_000, true}},
		"its own tenant's dead target's 50,000": {{"Live", 2, 50_000, true}},
		"20,000 rows, of a slow store's":        {{"Hog", 1, 20_000, false}},
	}
	for name, hogs := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, now := newBacklog(), time.Now()
				for _, h := range hogs {
					b.add(h.tenant, h.id, h.rows, now)
					if h.open || len(hogs) == 1 {
						b.call = 50 * time.Millisecond // processing all of them takes minutes
					}
					if h.open {
						b.open[fmt.Sprintf("%s/%d", h.tenant, h.id)] = webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: now.Add(50 * time.Minute)}
					}
				}
				due := now.Add(10 * time.Second)
				b.add("Live", 1, 1, due)
				_ = b.minutes(t, 2)
				if first, sent := b.first["Live/1"]; !sent || first.Sub(due) > 30*time.Second {
					t.Errorf("sent the other webhook's row: %v, %v after it was due", sent, first.Sub(due))
				}
			})
		})
	}
}

func TestRun_IsAsFastForManyTenantsAsForOne(t *testing.T) {
	t.Parallel()
	for name, spread := range map[string]int32{"webhook 1 of each": 1, "ids from 1 to 16": 16} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, now := newBacklog(), time.Now()
				for n := range int32(300) {
					b.add(webhook.Tenant(fmt.Sprintf("C%d", n)), n%spread+1, 100, now)
				}
				if err := b.minutes(t, 1); err != nil {
					t.Error(err)
				}
				sum := 0
				for _, n := range b.claims {
					sum += n
				}
				if sum != 30_000 {
					t.Errorf("%d of 30,000 rows were sent in a minute", sum)
				}
			})
		})
	}
}

// 250 rows are more than a page.
func TestRun_SkipsFaultyRows(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*backlog) map[delivery.Key]bool{
		"cannot be claimed": func(b *backlog) map[delivery.Key]bool { return b.bad },
		"cannot be decoded": func(b *backlog) map[delivery.Key]bool { return b.damaged },
	} {
		for _, n := range []int{1, 2000} {
			t.Run(fmt.Sprint(n, " that ", name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b, now := newBacklog(), time.Now()
					for _, key := range b.add("Bad", 1, n, now) {
						spoil(b)[key] = true
					}
					b.add("Live", 17, 50, now.Add(time.Second))
					err := b.minutes(t, 1)
					if b.claims["Live/17"] != 50 {
						t.Errorf("sent %d of the 50 rows behind them", b.claims["Live/17"])
					}
					if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d due rows skipped", n)) {
						t.Errorf("got %v, want the number of rows", err)
					}
					if err := b.minutes(t, 9); err == nil {
						t.Error("the rows are no longer reported")
					}
					if lines := strings.Count(b.log.String(), "item skipped"); lines > 100 || n == 1 && lines != 1 {
						t.Errorf("%d log lines for %d rows in ten minutes", lines, n)
					}
				})
			})
		}
	}
}

func TestRun_AProbeThatCannotBeClaimedGoesToAnotherRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, now := newBacklog(), time.Now()
		keys := b.add("Dead", 1, 100, now)
		b.open["Dead/1"] = webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: now}
		for _, key := range keys[:90] {
			b.bad[key] = true
		}
		_ = b.minutes(t, 1)
		if b.claims["Dead/1"] != 1 || b.defers["Dead/1"] != 9 {
			t.Errorf("%d rows sent and %d deferred, want 1 (the probe) and 9", b.claims["Dead/1"], b.defers["Dead/1"])
		}
	})
}

func TestRun_EveryStageMakesProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog()
		b.call = 50 * time.Millisecond
		b.add("Hog", 1, 60_000, time.Now())
		const minutes = 6
		_ = b.minutes(t, minutes)
		for stage, want := range map[string]int{"jobs": minutes, "intents": minutes, "dead letters": minutes, "redrive": 2} {
			if b.asked[stage] != want {
				t.Errorf("%s: %d times in %d minutes, want %d", stage, b.asked[stage], minutes, want)
			}
		}
	})
}

// hanging is a stage that never returns, or panics.
type hanging struct {
	*others
	panics bool
}

func (h hanging) Receive(ctx context.Context, _ int) ([]delivery.Received, error) {
	if h.panics {
		panic("half way")
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestRun_AHangingOrPanickingStageDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBacklog()
			b.DeadLetters = hanging{b.others, panics}
			b.add("Live", 1, 1, time.Now())
			if err := b.minutes(t, 1); err == nil || !strings.Contains(err.Error(), "dead letters: ") {
				t.Errorf("panics: %v: got %v, want an error that names the stage", panics, err)
			}
			if b.claims["Live/1"] != 1 || b.asked["jobs"] != 1 || b.asked["intents"] != 1 || b.asked["redrive"] != 1 {
				t.Errorf("panics: %v: %d rows sent, %v", panics, b.claims["Live/1"], b.asked)
			}
		})
	}
}
