package sweep_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// isDown is a breaker whose next probe is far away.
func isDown(now time.Time) webhook.Breaker {
	return webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: now.Add(50 * time.Minute)}
}

// The local run sets no deadline. The store is so slow that the minute is over before
// all rows are parked.
func TestRun_EndsAndParksARowOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(t)
		b.call = 500 * time.Millisecond
		b.down("Dead", 1, isDown(time.Now()))
		keys := b.add("Dead", 1, 4_000, time.Now())
		for range 3 {
			began := time.Now()
			_ = b.Run(t.Context()) // reports the deadline
			if took := time.Since(began); took > 51*time.Second {
				t.Errorf("the run took %v", took)
			}
		}
		if b.defers["Dead/1"] != 4_000 || b.claims["Dead/1"] != 0 {
			t.Errorf("%d of 4,000 rows were parked, %d claimed", b.defers["Dead/1"], b.claims["Dead/1"])
		}
		for _, key := range keys {
			if b.moves[key] != 1 {
				t.Fatalf("a row was written %d times", b.moves[key])
			}
		}
	})
}

// What waits behind a breaker is written when it is parked, and never again: the writes
// of a day are those of the webhook's timer.
func TestRun_WaitingCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(t)
		const rows = 500
		b.down("Dead", 1, isDown(time.Now()))
		b.add("Dead", 1, rows, time.Now())
		b.queue.got = func(m delivery.Message) {
			if m.Limit == 1 { // the probe fails
				_, err := b.hooks.UpdateHealth(t.Context(), m.Tenant, m.Webhook, func(h webhook.Health) webhook.Health {
					h.Breaker.ProbeAt = time.Now().Add(time.Hour)
					return h
				})
				if err != nil {
					t.Error(err)
				}
			}
		}
		if err := b.minutes(2); err != nil || b.writes < rows {
			t.Fatalf("%d writes for %d rows, %v", b.writes, rows, err)
		}
		parked := b.writes
		const hours = 24
		if err := b.minutes(hours * 60); err != nil {
			t.Error(err)
		}
		if perHour := (b.writes - parked) / hours; perHour > 14 {
			t.Errorf("%d writes an hour while %d rows wait, want those of a few visits", perHour, rows)
		}
		if probes := len(b.queue.drains); probes < hours || probes > hours+1 {
			t.Errorf("%d drains in %d hours, want one probe each", probes, hours)
		}
	})
}

func TestRun_ABacklogDelaysOnlyItsOwnWebhook(t *testing.T) {
	t.Parallel()
	type hog struct {
		tenant webhook.Tenant
		id     int32
		rows   int
		due    time.Duration
		open   bool
	}
	tests := map[string][]hog{
		"four webhooks with a backlog of more than a minute": {{"Hog", 16, 3_000, 0, false}, {"Hog", 17, 3_000, 0, false}, {"Hog", 18, 3_000, 0, false}, {"Hog", 19, 3_000, 0, false}},
		"an old backlog":                         {{"Hog", 16, 12_000, -time.Hour, false}},
		"a dead target's rows":                   {{"Dead", 1, 12_000, 0, true}},
		"rows of its own tenant's dead target":   {{"Live", 2, 12_000, 0, true}},
		"rows of its own tenant's other targets": {{"Live", 2, 6_000, 0, false}, {"Live", 3, 6_000, -3 * time.Minute, false}},
	}
	for name, hogs := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, now := newBacklog(t), time.Now()
				b.call = 250 * time.Millisecond // a Run processes fewer than 5,760 rows
				for _, h := range hogs {
					b.add(h.tenant, h.id, h.rows, now.Add(h.due))
					if h.open {
						b.down(h.tenant, h.id, isDown(now))
					}
				}
				due := now.Add(10 * time.Second)
				b.add("Live", 1, 200, due)
				_ = b.minutes(2)
				if first, sent := b.first["Live/1"]; !sent || first.Sub(due) > 30*time.Second || b.claims["Live/1"] != 200 {
					t.Errorf("sent %d of the other webhook's 200 rows, from %v after they were due", b.claims["Live/1"], first.Sub(due))
				}
				if got := sum(b.claims) + sum(b.defers); got > 12_000 {
					t.Errorf("%d rows were processed: there was no backlog", got)
				}
			})
		})
	}
}

// A tenth of a minute's rows takes a tenth of the time: 50,000 due rows are sent in a
// minute, whether they belong to one webhook or to many tenants.
func TestRun_Sends50000RowsAMinute(t *testing.T) {
	t.Parallel()
	const rows = 5_000
	for _, tt := range []struct {
		name             string
		tenants, perHook int
		due              time.Duration
	}{
		{"one webhook", 1, rows, 0},
		{"one webhook, late", 1, rows, -time.Hour},
		{"a thousand tenants", 1_000, rows / 1_000, 0},
		{"a thousand tenants, late", 1_000, rows / 1_000, -time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, now := newBacklog(t), time.Now()
				for n := range tt.tenants {
					b.add(webhook.Tenant(fmt.Sprintf("C%d", n)), 1, tt.perHook, now.Add(tt.due))
				}
				took, err := b.minute()
				if err != nil {
					t.Error(err)
				}
				if got := sum(b.claims); got != rows || took > 6*time.Second {
					t.Errorf("sent %d of %d rows in %v, want all within a tenth of a minute", got, rows, took)
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
					b, now := newBacklog(t), time.Now()
					for _, key := range b.add("Bad", 1, n, now) {
						spoil(b)[key] = true
					}
					b.add("Live", 17, 50, now.Add(time.Second))
					err := b.minutes(1)
					if b.claims["Live/17"] != 50 {
						t.Errorf("sent %d of the 50 rows behind them", b.claims["Live/17"])
					}
					if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d due rows skipped", n)) {
						t.Errorf("got %v, want the number of rows", err)
					}
					if err := b.minutes(9); err == nil {
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

// Rows are due for minutes to come, and so are timers.
func TestRun_EveryStageMakesProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(t)
		b.call = time.Second
		b.add("Hog", 1, 5_000, time.Now())
		for id := range int32(4_000) {
			b.appoint("Hog", id+1, time.Now())
		}
		const minutes = 6
		_ = b.minutes(minutes)
		for stage, want := range map[string]int{"jobs": minutes, "intents": minutes, "dead letters": minutes, "redrive": 2} {
			if b.asked[stage] != want {
				t.Errorf("%s: %d times in %d minutes, want %d", stage, b.asked[stage], minutes, want)
			}
		}
		if visits := strings.Count(b.log.String(), "visited=0"); visits > 0 || b.claims["Hog/1"] < minutes*900 {
			t.Errorf("%d rows claimed in %d minutes, %d minutes without visits", b.claims["Hog/1"], minutes, visits)
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
			b := newBacklog(t)
			b.DeadLetters = hanging{b.others, panics}
			b.add("Live", 1, 1, time.Now())
			if err := b.minutes(1); err == nil || !strings.Contains(err.Error(), "dead letters: ") {
				t.Errorf("panics: %v: got %v, want an error that names the stage", panics, err)
			}
			if b.claims["Live/1"] != 1 || b.asked["jobs"] != 1 || b.asked["intents"] != 1 || b.asked["redrive"] != 1 {
				t.Errorf("panics: %v: %d rows sent, %v", panics, b.claims["Live/1"], b.asked)
			}
		})
	}
}

// Rows whose own time is in the next minute are not parked yet, and not sent.
func TestRun_ParksARowWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(t)
		b.down("Dead", 1, isDown(time.Now()))
		b.add("Dead", 1, 1, time.Now().Add(50*time.Second))
		for minute, want := range []int{0, 1, 1} {
			if err := b.minutes(1); err != nil || b.defers["Dead/1"] != want || b.claims["Dead/1"] != 0 {
				t.Errorf("minute %d: %d parked, %d claimed, %v", minute, b.defers["Dead/1"], b.claims["Dead/1"], err)
			}
		}
	})
}

// appoint creates a timer.
func (b *backlog) appoint(tenant webhook.Tenant, id int32, at time.Time) {
	b.t.Helper()
	if _, err := b.Deliveries.SetTimer(b.t.Context(), delivery.Timer{Key: webhook.Key{Tenant: tenant, ID: id}, DueAt: at}); err != nil {
		b.t.Fatal(err)
	}
}

// allDown creates n webhooks with an open breaker, each with a row that waits and a timer
// that is due.
func (b *backlog) allDown(n int32, probeIn time.Duration) {
	b.t.Helper()
	now := time.Now()
	for id := range n {
		b.down("Dead", id+1, webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: now.Add(probeIn)})
		b.appoint("Dead", id+1, now)
		_, err := b.Park(b.t.Context(), delivery.Park{
			Key: delivery.Key{Tenant: "Dead", Webhook: id + 1, Event: eventID(1)}, Round: 1, Attempt: 1, Now: now, Net: now.Add(40 * time.Hour),
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// A tenth of 10,000 timers takes a tenth of a minute at most.
func TestRun_VisitsTheTimersOfManyOpenBreakersInAMinute(t *testing.T) {
	t.Parallel()
	for _, call := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond} {
		for name, probeIn := range map[string]time.Duration{"later": 50 * time.Minute, "now": 0} {
			t.Run(fmt.Sprint("calls take ", call, ", probes are due ", name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b, now := newBacklog(t), time.Now()
					b.call = call
					const timers = 1_000
					b.allDown(timers, probeIn)
					b.add("Live", 1, 10, now)
					took, err := b.minute()
					if err != nil || took > 6*time.Second {
						t.Errorf("the run took %v, %v", took, err)
					}
					want, probes := fmt.Sprintf("timers=%d visited=%d", timers, timers), timers
					if probeIn > 0 {
						probes = 0
					}
					if !strings.Contains(b.log.String(), want) || len(b.queue.drains) != probes || b.claims["Live/1"] != 10 {
						t.Errorf("%d drains, %d other rows, and the log does not say %s:\n%s", len(b.queue.drains), b.claims["Live/1"], want, b.log.String())
					}
				})
			})
		}
	}
}

// One read of each shard finds fresh rows and old ones, unless the shard has more than a
// page.
func TestRun_ReadsAShardOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		old, fresh, pages int
	}{
		{"nothing is due", 0, 0, delivery.DueShards},
		{"old and fresh rows", 400, 400, delivery.DueShards},
		{"a page of old rows in each shard", 3000, 10, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBacklog(t)
				began := time.Now()
				b.add("Old", 1, tt.old, began)
				time.Sleep(time.Hour)
				b.add("Live", 1, tt.fresh, time.Now().Add(-time.Second))
				if err := b.minutes(1); err != nil {
					t.Fatal(err)
				}
				if b.claims["Old/1"] != tt.old || b.claims["Live/1"] != tt.fresh {
					t.Errorf("claimed %v, want all", b.claims)
				}
				if tt.pages > 0 && b.pages != tt.pages {
					t.Errorf("read %d pages, want %d", b.pages, tt.pages)
				}
			})
		})
	}
}
