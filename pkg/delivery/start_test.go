package delivery_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

func TestViewFresh(t *testing.T) {
	t.Parallel()
	viewed := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]bool{0: true, 3*time.Second - 1: true, 3 * time.Second: false} {
		if got := delivery.ViewFresh(viewed, viewed.Add(age)); got != want {
			t.Errorf("after %v: got %v, want %v", age, got, want)
		}
	}
}

func TestLeasedMayStart(t *testing.T) {
	t.Parallel()
	leased := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]bool{0: true, 8 * time.Second: true, 8*time.Second + 1: false} {
		if got := delivery.LeasedMayStart(leased, leased.Add(age), leased.Add(age)); got != want {
			t.Errorf("after %v: got %v, want %v", age, got, want)
		}
	}
	if delivery.LeasedMayStart(leased, leased.Add(-3*time.Second), leased) {
		t.Error("an attempt may start from a webhook read 3 s ago")
	}
}

func TestInvocation(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	bounded := delivery.Invocation{Began: began, Deadline: began.Add(time.Minute)}
	short := delivery.Invocation{Began: began, Deadline: began.Add(30 * time.Second)}
	endless := delivery.Invocation{Began: began}
	for _, tt := range []struct {
		name       string
		invocation delivery.Invocation
		at         time.Duration
		short      bool
		holds      bool // an attempt of 30 s
	}{
		{"at the start", bounded, 0, false, true},
		{"at the end of the window", bounded, 15 * time.Second, false, true},
		{"after the window", bounded, 15*time.Second + 1, true, true},
		{"a lease that ends with the invocation", bounded, 20 * time.Second, true, true},
		{"a lease that ends after the invocation", bounded, 20*time.Second + 1, true, false},
		{"less than the reserve before the deadline", short, 10*time.Second + 1, true, false},
		{"the reserve before the deadline", short, 10 * time.Second, false, false},
		{"no deadline", endless, 15 * time.Second, false, true},
		{"no deadline, after the window", endless, time.Hour, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := began.Add(tt.at)
			if got := tt.invocation.TimeShort(now); got != tt.short {
				t.Errorf("TimeShort: got %v, want %v", got, tt.short)
			}
			if got := tt.invocation.Holds(30*time.Second, now); got != tt.holds {
				t.Errorf("Holds: got %v, want %v", got, tt.holds)
			}
		})
	}
	for _, tt := range []struct {
		started int
		alone   bool
		at      time.Duration
		want    bool
	}{
		{31, false, 10 * time.Second, true},
		{32, false, time.Second, false},
		{32, false, 999 * time.Millisecond, true},
		{9999, false, 0, true},
		{9999, true, 10 * time.Second, true},
	} {
		if got := endless.Shares(tt.started, tt.alone, began.Add(tt.at)); got != tt.want {
			t.Errorf("Shares after %d starts and %v, alone: %v: got %v", tt.started, tt.at, tt.alone, got)
		}
	}
	if got := bounded.WaitUntil(); !got.Equal(began.Add(40 * time.Second)) {
		t.Errorf("WaitUntil: got %v", got)
	}
	if got := endless.WaitUntil(); !got.IsZero() {
		t.Errorf("WaitUntil without a deadline: got %v", got)
	}
}
