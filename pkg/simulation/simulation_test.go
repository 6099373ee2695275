package simulation_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seeds    = flag.Int("seeds", 0, "number of seeds to run; 0: 100, fewer under the race detector")
	from     = flag.Uint64("from", 1, "first seed")
	show     = flag.Bool("show", false, "print the trace of every run")
	failures = flag.Int("failures", 1, "stop after this many failed seeds")
)

// TestMain collects garbage less often: a run allocates much and keeps little.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSimulation runs every seed and checks the promises.
func TestSimulation(t *testing.T) {
	n := *seeds
	if n == 0 {
		n = 100
		if raceEnabled {
			n = 40
		}
	}
	began := time.Now()
	var (
		mu     sync.Mutex
		next   int
		failed []outcome
		total  outcome
	)
	total.duplicates = map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for {
					mu.Lock()
					seed := *from + uint64(next)
					if next == n || len(failed) >= *failures {
						mu.Unlock()
						return
					}
					next++
					mu.Unlock()
					out := play(t, seed, *show)
					mu.Lock()
					if len(out.violations) > 0 {
						failed = append(failed, out)
					} else if *show {
						fmt.Println(strings.Join(out.trace, "\n"))
					}
					total.steps += out.steps
					total.events += out.events
					total.attempts += out.attempts
					total.fast += out.fast
					total.faults += out.faults
					total.took += out.took
					for cause, n := range out.duplicates {
						total.duplicates[cause] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d seeds in %s: %d steps, %d faults, %d events, %d attempts (%d by the fast lane), %s of virtual time",
		next, time.Since(began).Round(time.Millisecond), total.steps, total.faults, total.events, total.attempts, total.fast, total.took.Round(time.Hour))
	for cause, n := range total.duplicates {
		t.Logf("explained duplicates: %d, %s", n, cause)
	}
	for _, out := range failed {
		again := play(t, out.seed, true)
		t.Errorf("seed %d breaks a promise:\n%s\n\nhow it came to that:\n%s\n\nevery step: make simulate SEEDS=1 FROM=%d TRACE=1",
			out.seed, strings.Join(out.violations, "\n"), strings.Join(again.story, "\n"), out.seed)
		if *show {
			fmt.Println(strings.Join(again.trace, "\n"))
		}
		if again.digest != out.digest {
			t.Errorf("seed %d did not repeat: the traces differ", out.seed)
		}
	}
}

// TestRepeats runs seeds twice, among them one with a hog. The traces must be identical,
// or a failing seed would be useless.
func TestRepeats(t *testing.T) {
	t.Parallel()
	const hog = 376
	chosen := []uint64{hog}
	for seed := range uint64(cmp.Or(*seeds, 20)) {
		chosen = append(chosen, seed+*from-1)
	}
	if raceEnabled && *seeds == 0 {
		chosen = chosen[1:6] // a hog takes half a minute
	}
	for _, seed := range chosen {
		a, b := play(t, seed, true), play(t, seed, true)
		if a.digest == b.digest {
			continue
		}
		for i := range a.trace {
			if i >= len(b.trace) || a.trace[i] != b.trace[i] {
				t.Fatalf("seed %d: traces differ at line %d:\n%s\nand\n%s", seed, i,
					strings.Join(a.trace[max(0, i-5):i+1], "\n"), strings.Join(b.trace[max(0, i-5):min(i+1, len(b.trace))], "\n"))
			}
		}
		t.Fatalf("seed %d: traces differ", seed)
	}
}
