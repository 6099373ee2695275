package statistics_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
)

// Every duration that can occur is shown within 20 % of what it was: all up to
// 100 s, and a sample of those up to a week.
func TestHistogram_ShowsADurationWithinAFifth(t *testing.T) {
	t.Parallel()
	const longest = int64(7 * 24 * time.Hour / time.Millisecond)
	for ms := int64(0); ms <= longest; ms += 1 + max(0, ms-100_000)/1000 {
		var h statistics.Histogram
		h.Observe(time.Duration(ms) * time.Millisecond)
		got, ok := h.Percentile(0.95)
		if shown := got.Milliseconds(); !ok || 5*shown < 4*ms || 5*shown > 6*ms {
			t.Fatalf("%d ms is shown as %d ms", ms, shown)
		}
	}
}

func TestHistogram_PercentilesOfMany(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := 1; n < 300; n++ {
		var first, second statistics.Histogram
		all := make([]int64, n)
		for i := range all {
			all[i] = int64(rnd.ExpFloat64() * 400)
			if i%2 == 0 {
				first.Observe(time.Duration(all[i]) * time.Millisecond)
			} else {
				second.Observe(time.Duration(all[i]) * time.Millisecond)
			}
		}
		slices.Sort(all)
		h := first.Add(second)
		if h.Count() != int64(n) {
			t.Fatalf("%d of %d are counted", h.Count(), n)
		}
		for share, want := range map[float64]int64{0.5: all[(n+1)/2-1], 0.95: all[(19*n+19)/20-1], 1: all[n-1]} {
			got, ok := h.Percentile(share)
			if shown := got.Milliseconds(); !ok || 5*shown < 4*want || 5*shown > 6*want {
				t.Errorf("of %d, the percentile %v is %d ms, want %d within 20 %%", n, share, shown, want)
			}
		}
	}
}

func TestHistogram_Ends(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		observed []time.Duration
		want     string
	}{
		{nil, "0s false"},
		{[]time.Duration{-time.Second}, "0s true"},
		{[]time.Duration{999 * time.Microsecond}, "0s true"},
		{[]time.Duration{100 * 365 * 24 * time.Hour}, "231h45m25.411s true"},
	} {
		var h statistics.Histogram
		for _, d := range tt.observed {
			h.Observe(d)
		}
		got, ok := h.Percentile(0.5)
		if text := fmt.Sprint(got, " ", ok); text != tt.want {
			t.Errorf("%v: got %s, want %s", tt.observed, text, tt.want)
		}
	}
}
