package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestTimer_VisitsOfAnOpenBreaker(t *testing.T) {
	t.Parallel()
	now := waitStart
	timer := delivery.Timer{Key: webhook.Key{Tenant: "Default", ID: 7}, Version: 3, EmptySince: now.Add(-time.Hour), Width: 64}
	open := func(probeAt, probeUntil time.Duration) webhook.Breaker {
		b := webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: now.Add(probeAt)}
		if probeUntil != 0 {
			b.ProbeBy, b.ProbeUntil = "p", now.Add(probeUntil)
		}
		return b
	}
	for _, tt := range []struct {
		name    string
		breaker webhook.Breaker
		probe   bool
		delay   time.Duration
		next    time.Duration
	}{
		{"the probe is overdue", open(-time.Hour, 0), true, 0, 55 * time.Second},
		{"the probe is due within the minute", open(40*time.Second, 0), true, 40 * time.Second, 95 * time.Second},
		{"a probe whose process is presumed dead, and the next one is due", open(0, -time.Second), true, 0, 55 * time.Second},
		{"a probe is under way", open(0, 30*time.Second), false, 0, 30 * time.Second},
		{"the probe is due later", open(10*time.Minute, 0), false, 0, 9 * time.Minute},
		{"the probe is due much later", open(50*time.Minute, 0), false, 0, 15 * time.Minute},
	} {
		if got := delivery.ProbeSoon(tt.breaker, now); got != tt.probe {
			t.Errorf("%s: probe %v, want %v", tt.name, got, tt.probe)
		}
		next := timer.Waits(tt.breaker, now)
		if tt.probe {
			var out []delivery.Outgoing
			next, out = timer.Probes(tt.breaker, now)
			if diff := cmp.Diff([]delivery.Outgoing{{Message: delivery.ProbeMessage(timer.Key), Delay: tt.delay}}, out); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		if want := (delivery.Timer{Key: timer.Key, Version: 3, DueAt: now.Add(tt.next)}); next != want {
			t.Errorf("%s: got %+v, due in %v; want %+v", tt.name, next, next.DueAt.Sub(now), want)
		}
	}
}

func TestTimer_VisitsWithRowsToDrain(t *testing.T) {
	t.Parallel()
	now := waitStart
	for _, tt := range []struct{ width, waiting, drains, wide, next int }{
		{0, 1, 1, 16, 32},
		{0, 16, 1, 16, 32},
		{0, 17, 2, 16, 32},
		{0, 192, 12, 16, 32},
		{0, 900, 12, 16, 32},
		{128, 257, 3, 128, 256},
		{256, 900, 4, 256, 256},
		{256, delivery.WaitingCounted, 12, 256, 256},
	} {
		timer := delivery.Timer{Key: webhook.Key{Tenant: "Default", ID: 7}, Version: 3, EmptySince: now, Width: tt.width}
		next, out := timer.Drains(tt.waiting, now)
		if len(out) != tt.drains || next.Width != tt.next || !next.EmptySince.IsZero() || next.DueAt.Sub(now) != 55*time.Second {
			t.Errorf("width %d, %d waiting: %d drains, next %+v; want %d and width %d", tt.width, tt.waiting, len(out), next, tt.drains, tt.next)
		}
		for i, o := range out {
			want := delivery.Outgoing{Message: delivery.DrainMessage(timer.Key, i%8, tt.wide), Delay: time.Duration(i) * 5 * time.Second}
			if diff := cmp.Diff(want, o); diff != "" {
				t.Errorf("drain %d (-want +got):\n%s", i, diff)
			}
		}
	}
}

func TestTimer_VisitsWithNothingToDrain(t *testing.T) {
	t.Parallel()
	now := waitStart
	timer := delivery.Timer{Key: webhook.Key{Tenant: "Default", ID: 7}, Version: 3, Width: 256}
	first := timer.Empty(now)
	if want := (delivery.Timer{Key: timer.Key, Version: 3, DueAt: now.Add(5 * time.Minute), EmptySince: now}); first != want {
		t.Errorf("first look: got %+v, want %+v", first, want)
	}
	for after, want := range map[time.Duration]bool{0: false, 5*time.Minute - 1: false, 5 * time.Minute: true} {
		if got := first.Removable(now.Add(after)); got != want {
			t.Errorf("a look %v later: removable %v, want %v", after, got, want)
		}
	}
	if again := first.Empty(now.Add(time.Minute)); again != first {
		t.Errorf("a look in between: got %+v, want %+v", again, first)
	}
	open := timer.EmptyOpen(now)
	if open.DueAt.Sub(now) != 55*time.Second || !open.EmptySince.Equal(now) {
		t.Errorf("with an open breaker: got %+v", open)
	}
	if later := open.EmptyOpen(now.Add(5 * time.Minute)); later.DueAt.Sub(now) != 20*time.Minute || !later.EmptySince.Equal(now) {
		t.Errorf("with a breaker open for long: got %+v", later)
	}
	if pulled, write := open.Ensured(timer.Key, now.Add(time.Minute)); !write || pulled.DueAt.Sub(now) != time.Minute {
		t.Errorf("a row that is parked then: write %v, %+v; want the timer due at once", write, pulled)
	}
}
