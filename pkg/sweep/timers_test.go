package sweep_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// waitFor creates webhook 1 and its timer, due now, and parks n rows.
func (s *site) waitFor(n int) {
	s.t.Helper()
	s.create("")
	_, err := s.db.Deliveries().SetTimer(s.t.Context(), delivery.Timer{Key: first, DueAt: s.clock.Now()})
	s.must(err)
	s.park(n)
}

var first = webhook.Key{Tenant: tenant, ID: 1}

func (s *site) park(n int) {
	s.t.Helper()
	now := s.clock.Now()
	for i := range n {
		_, err := s.db.Deliveries().Park(s.t.Context(), delivery.Park{Key: key(1, i), Round: 1, Attempt: 1, Now: now, Net: now.Add(44 * time.Hour)})
		s.must(err)
	}
}

func (s *site) breaker(is webhook.Breaker) {
	s.t.Helper()
	_, err := s.db.Webhooks().UpdateHealth(s.t.Context(), tenant, 1, func(h webhook.Health) webhook.Health {
		h = h.Under(1)
		h.Breaker = is
		return h
	})
	s.must(err)
}

func (s *site) change(how func(*webhook.Webhook)) {
	s.t.Helper()
	w, err := s.db.Webhooks().Get(s.t.Context(), tenant, 1)
	s.must(err)
	how(&w)
	w.Revision++
	s.must(s.db.Webhooks().Update(s.t.Context(), w, webhook.Change{}))
}

// drains receives the drains that are visible within d: partition, limit, width and
// delay of each.
func (s *site) drains(d time.Duration) (all []string) {
	s.t.Helper()
	now := s.clock.Now()
	defer s.clock.Set(now)
	for s.clock.Now().Sub(now) <= d {
		received, err := s.db.Queue().Receive(s.t.Context(), 1000)
		s.must(err)
		for _, r := range received {
			s.must(s.db.Queue().Ack(s.t.Context(), []string{r.Receipt}))
			m := r.Message
			all = append(all, fmt.Sprintf("%s w%d p%d limit %d width %d in %v", m.Kind, m.Webhook, m.Partition, m.Limit, m.Width, s.clock.Now().Sub(now)))
		}
		s.clock.Advance(time.Second)
	}
	return all
}

// wantTimer checks when the timer is due; a negative time means that there is none.
func (s *site) wantTimer(in time.Duration) delivery.Timer {
	s.t.Helper()
	timer, err := s.db.Deliveries().Timer(s.t.Context(), first)
	if errors.Is(err, webhook.ErrNotFound) != (in < 0) || err == nil && timer.DueAt.Sub(s.clock.Now()) != in {
		s.t.Errorf("the timer is due in %v, %v; want %v", timer.DueAt.Sub(s.clock.Now()), err, in)
	}
	return timer
}

func TestTimers_TheProbeOfAnOpenBreaker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		rows    int
		probeAt time.Duration
		probing time.Duration
		sent    []string
		next    time.Duration
	}{
		{"overdue", 1, -time.Hour, 0, []string{"drain w1 p0 limit 1 width 1 in 0s"}, 55 * time.Second},
		{"due soon", 1, 42 * time.Second, 0, []string{"drain w1 p0 limit 1 width 1 in 42s"}, 97 * time.Second},
		{"due later", 1, 10 * time.Minute, 0, nil, 9 * time.Minute},
		{"due much later", 1, time.Hour, 0, nil, 15 * time.Minute},
		{"under way", 1, 2 * time.Minute, 40 * time.Second, nil, 40 * time.Second},
		{"due, and nothing waits", 0, 0, 0, nil, 55 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.waitFor(tt.rows)
			b := webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: start.Add(tt.probeAt)}
			if tt.probing > 0 {
				b.ProbeBy, b.ProbeUntil = "p", start.Add(tt.probing)
			}
			s.breaker(b)
			s.sweep()
			if got := s.drains(2 * time.Minute); !slices.Equal(got, tt.sent) {
				t.Errorf("sent %q, want %q", got, tt.sent)
			}
			s.wantTimer(tt.next)
		})
	}
}

// The width doubles each minute while the rows are drained, and a webhook that is not
// Active, or whose breaker belongs to an older activation, is drained too.
func TestTimers_Drains(t *testing.T) {
	t.Parallel()
	open := webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: start.Add(time.Hour)}
	for name, prepare := range map[string]func(s *site){
		"a closed breaker":  func(*site) {},
		"a stopped webhook": func(s *site) { s.breaker(open); s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped }) },
		"a disabled webhook": func(s *site) {
			s.breaker(open)
			s.change(func(w *webhook.Webhook) { w.State = webhook.StateTooManyErrors })
		},
		"a restarted webhook": func(s *site) { s.breaker(open); s.change(func(w *webhook.Webhook) { w.Activation = 2 }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.waitFor(100)
			prepare(s)
			for _, want := range []struct{ drains, width int }{{7, 16}, {4, 32}, {2, 64}, {1, 128}, {1, 256}, {1, 256}} {
				s.sweep()
				got := s.drains(time.Minute)
				for i, d := range got {
					if want := fmt.Sprintf("drain w1 p%d limit 0 width %d in %v", i%8, want.width, time.Duration(5*i)*time.Second); d != want {
						t.Errorf("got %s, want %s", d, want)
					}
				}
				if len(got) != want.drains {
					t.Errorf("width %d: %d drains, want %d", want.width, len(got), want.drains)
				}
				s.wantTimer(55 * time.Second)
				s.clock.Advance(time.Minute)
			}
			if log := s.log.String(); strings.Count(log, "timers=1 visited=1 waiting=100") != 6 {
				t.Errorf("the log does not say what waits:\n%s", log)
			}
		})
	}
}

func TestTimers_AreRemovedAfterTwoLooks(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]struct {
		do   func(s *site)
		kept bool
	}{
		"nothing happens":     {do: func(*site) {}},
		"a pull":              {do: func(s *site) { s.must(s.db.Deliveries().PullTimer(s.t.Context(), first, s.clock.Now())); s.sweep() }},
		"a row is parked":     {do: func(s *site) { s.park(1) }, kept: true},
		"a timer is ensured":  {do: func(s *site) { s.ensure() }, kept: true},
		"the breaker opens":   {do: func(s *site) { s.breaker(webhook.Breaker{Step: time.Hour, ProbeAt: start.Add(time.Hour)}) }, kept: true},
		"the index lags, and": {do: func(s *site) { s.clock.Advance(time.Minute); s.park(1) }, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.waitFor(0)
			s.sweep()
			s.wantTimer(5 * time.Minute)
			s.clock.Advance(time.Minute)
			between.do(s)
			s.clock.Set(start.Add(5*time.Minute - time.Second))
			s.sweep()
			if _, err := s.db.Deliveries().Timer(t.Context(), first); err != nil {
				t.Errorf("before the second look: %v", err)
			}
			s.clock.Set(start.Add(5 * time.Minute))
			s.sweep()
			if _, err := s.db.Deliveries().Timer(t.Context(), first); errors.Is(err, webhook.ErrNotFound) == between.kept || err != nil && !between.kept && !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("after the second look: %v, want it kept: %v", err, between.kept)
			}
		})
	}
}

// ensure does what a consumer does that is about to park a row.
func (s *site) ensure() {
	s.t.Helper()
	timer, err := s.db.Deliveries().Timer(s.t.Context(), first)
	s.must(err)
	timer, write := timer.Ensured(first, s.clock.Now())
	if !write {
		s.t.Error("the timer is not marked empty")
	}
	_, err = s.db.Deliveries().SetTimer(s.t.Context(), timer)
	s.must(err)
}

func TestTimers_OfADeletedWebhookAreRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.waitFor(3)
	s.must(s.db.Webhooks().Delete(t.Context(), tenant, 1, 1, webhook.Change{}))
	s.sweep()
	s.wantTimer(-1)
	if got := s.drains(time.Minute); len(got) > 0 || !s.row(key(1, 1)).Parked {
		t.Errorf("sent %q, and the row is parked: %v; want the rows left to expire", got, s.row(key(1, 1)).Parked)
	}
}

// A fault costs a timer a minute, and the others nothing.
func TestTimers_AFaultySendIsRepeated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.waitFor(3)
	s.faults["Send"] = webhook.ErrUnavailable
	if err := s.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) || !strings.Contains(err.Error(), "1 timers skipped") {
		t.Errorf("got %v, want the fault", err)
	}
	s.wantTimer(time.Minute)
	delete(s.faults, "Send")
	s.clock.Advance(time.Minute)
	s.sweep()
	if got := s.drains(time.Minute); len(got) != 1 {
		t.Errorf("sent %q, want a drain", got)
	}
}

// Timers that are pulled during the visit are due again, in the next Run.
func TestTimers_AreVisitedOnceInARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(t)
		const timers = 800 // two pages of each shard
		b.allDown(timers, 0)
		time.Sleep(time.Minute)
		began := time.Now()
		b.queue.got = func(m delivery.Message) { // pulled as of the beginning: the walk meets it again
			if err := b.PullTimer(t.Context(), webhook.Key{Tenant: m.Tenant, ID: m.Webhook}, began); err != nil {
				t.Error(err)
			}
		}
		if err := b.minutes(1); err != nil || len(b.queue.drains) != timers {
			t.Errorf("%d probes for %d timers, %v", len(b.queue.drains), timers, err)
		}
	})
}

func TestTimers_TwoSweepsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(t)
		const timers = 300
		b.allDown(timers, 0)
		var both sync.WaitGroup
		for _, s := range []*sweep.Sweeper{b.Sweeper, b.sweeper(new(bytes.Buffer))} {
			both.Go(func() {
				if err := s.Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if len(b.queue.drains) != timers {
			t.Errorf("%d probes for %d timers", len(b.queue.drains), timers)
		}
	})
}
