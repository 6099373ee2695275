package sweep_test

import (
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var figures = flag.Bool("figures", false, "measure the figures of the sweep that make bench prints")

// TestFigures prints one line per figure: what is measured, items a minute of virtual
// time, processor time per item, and a note, separated by tabs. Calls of the store take
// 5 ms and a call of the queue with ten messages 15 ms; the store is DynamoDB's on tables
// in memory, so the processor time is that of all but the SDK's calls.
func TestFigures(t *testing.T) {
	if !*figures {
		t.Skip("-figures measures them")
	}
	measure := func(what string, minutes int, prepare func(b *backlog), note func(b *backlog) (items int, text string)) {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBacklog(t)
				prepare(b)
				began, busy := processorTime(t), time.Duration(0)
				for range minutes {
					took, err := b.minute()
					if busy += took; err != nil && !strings.Contains(err.Error(), "deadline") {
						t.Error(err)
					}
				}
				cpu := processorTime(t) - began
				items, text := note(b)
				fmt.Printf("figure\t%s\t%.0f\t%d\t%s\n", what, float64(items)/busy.Minutes(), cpu.Nanoseconds()/int64(max(items, 1)), text)
			})
		})
	}
	sent := func(b *backlog) (int, string) { return sum(b.claims), "goal 50,000 a minute at 250 µs of CPU" }
	measure("50,000 due rows of one webhook", 1, func(b *backlog) { b.add("C", 1, 50_000, time.Now()) }, sent)
	measure("50,000 due rows of 10,000 tenants", 1, func(b *backlog) {
		for n := range 10_000 {
			b.add(webhook.Tenant(fmt.Sprintf("C%d", n)), 1, 5, time.Now())
		}
	}, sent)
	var due time.Time
	measure("four webhooks with 50,000 due rows each, next to one with 1,000", 1, func(b *backlog) {
		now := time.Now()
		for id := range int32(4) {
			b.add("Hog", id+1, 50_000, now)
		}
		due = now
		b.add("Live", 1, 1_000, due)
	}, func(b *backlog) (int, string) {
		return sum(b.claims), fmt.Sprintf("the thousand were sent %v to %v after they were due (goal 90 s)",
			b.first["Live/1"].Sub(due).Round(time.Millisecond), b.last["Live/1"].Sub(due).Round(time.Millisecond))
	})
	measure("10,000 timers of open breakers, with a probe each", 1, func(b *backlog) { b.allDown(10_000, 0) }, func(b *backlog) (int, string) {
		return len(b.queue.drains), "goal: all within a minute"
	})
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
