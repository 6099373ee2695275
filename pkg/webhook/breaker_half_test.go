package webhook_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A target that fails a random half of 200 attempts a second for ten minutes never
// opens its breaker, although consumers report a failure at once, with the successes
// that they hold, and a success only after a second.
func TestBreaker_HalfAFailureIsNotAnOutage(t *testing.T) {
	t.Parallel()
	const attempts, perCall = 200 * 600, 10
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 9))
		type ended struct {
			call   int
			end    time.Time
			report webhook.HealthReport
		}
		all := make([]ended, attempts)
		for i := range all {
			at := breakerStart.Add(time.Duration(i) * 5 * time.Millisecond)
			took := time.Duration(1+random.IntN(500)) * time.Millisecond
			r := webhook.HealthReport{Activation: 1, At: at, Duration: took, Policy: webhook.PolicyDurable, Jitter: random.Float64()}
			if random.IntN(2) == 0 {
				r.Error = failure.Status
			}
			all[i] = ended{i / perCall, at.Add(took), r}
		}
		slices.SortFunc(all, func(a, b ended) int { return a.end.Compare(b.end) })
		var h webhook.Health
		held := map[int][]webhook.HealthReport{} // successes, by call
		write := func(call int) {
			h = h.Observe(held[call]...)
			delete(held, call)
		}
		var waiting []ended // the first success that a call holds, in order of time
		for _, e := range all {
			for len(waiting) > 0 && !waiting[0].end.Add(time.Second).After(e.end) {
				write(waiting[0].call)
				waiting = waiting[1:]
			}
			if len(held[e.call]) == 0 {
				waiting = append(waiting, e)
			}
			held[e.call] = append(held[e.call], e.report)
			if e.report.Error != failure.None {
				write(e.call)
			}
			if h.Breaker.Open() {
				t.Fatalf("seed %d: the breaker opened %v after the start: %+v", seed, e.end.Sub(breakerStart), h)
			}
		}
	}
}
