package statistics

import (
	"math"
	"slices"
	"time"
)

// HistogramBuckets is the number of buckets of a Histogram.
const HistogramBuckets = 52

// Histogram counts durations of whole milliseconds in fixed buckets, which stores
// can add to without reading them. A bucket is so narrow that the value that stands
// for it is within 20 % of all durations in it. Durations up to 3 ms have buckets of
// their own; the last bucket, from about eight days on, has no upper end. The zero
// Histogram is empty.
type Histogram [HistogramBuckets]int64

// bucket is a range of durations. Both are in milliseconds.
type bucket struct {
	last  int64 // the longest one in it; the shortest follows the bucket before
	shown int64 // stands for all of them
}

var buckets = func() (all [HistogramBuckets]bucket) {
	first := int64(0)
	for i := range all {
		shown := first * 6 / 5
		all[i] = bucket{last: shown * 5 / 4, shown: shown}
		first = all[i].last + 1
	}
	return all
}()

// Observe counts a duration; a negative one as 0.
func (h *Histogram) Observe(d time.Duration) {
	i, _ := slices.BinarySearchFunc(buckets[:], d.Milliseconds(), func(b bucket, ms int64) int { return int(b.last - ms) })
	h[min(i, HistogramBuckets-1)]++
}

// Add returns the sum of two histograms.
func (h Histogram) Add(other Histogram) Histogram {
	for i, n := range other {
		h[i] += n
	}
	return h
}

// Count returns how many durations were counted.
func (h Histogram) Count() (n int64) {
	for _, each := range h {
		n += each
	}
	return n
}

// Percentile returns the duration that a share of the counted ones, in (0, 1], does
// not exceed, within 20 %. ok is false if none were counted.
func (h Histogram) Percentile(share float64) (d time.Duration, ok bool) {
	rank := int64(math.Ceil(share * float64(h.Count())))
	for i, n := range h {
		if rank -= n; rank <= 0 && n > 0 {
			return time.Duration(buckets[i].shown) * time.Millisecond, true
		}
	}
	return 0, false
}
