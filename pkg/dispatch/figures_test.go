package dispatch_test

import (
	"flag"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

var figures = flag.Bool("figures", false, "measure the figures of drains that make bench prints")

// TestFigures prints one line per figure: what is measured, rows a minute of virtual time
// from the first POST to the last, processor time per row, and a note, separated by tabs.
// Calls of the store take 5 ms and a batch of sends 15 ms. The rows are in memory, so the
// processor time is that of all but the store's calls and HTTP.
func TestFigures(t *testing.T) {
	if !*figures {
		t.Skip("-figures measures them")
	}
	const rows = 1_000_000
	inReservoir(t, rows, func(r *reservoir) {
		r.answers(accepting())
		r.breaks(90 * time.Second)
		began, cpu := time.Now(), processorTime(t)
		r.sweep()
		for r.waiting(delivery.StatusPending) > 0 && time.Since(began) < time.Hour {
			r.sleep(10 * time.Second)
		}
		cpu = processorTime(t) - cpu
		took := r.posted[r.sent()-1].Sub(r.posted[0])
		r.once(rows)
		fmt.Printf("figure\t%s\t%.0f\t%d\tall %v after the first POST (goal 20 min), %.2f leases and %.2f writes a row; one process\n",
			"1,000,000 waiting rows, a target that answers in 50 ms and accepts 2,000 a second",
			rows/took.Minutes(), cpu.Nanoseconds()/rows, took.Round(time.Second),
			float64(r.calls()["Lease"])/rows, float64(r.calls()["Lease"]+r.calls()["Finish"]+r.calls()["MakeDue"]+r.calls()["Park"])/rows)
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
