package dynamo

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// An hour costs one write unit each time it is added to, however much it has: a
// thousand million in every bucket that attempts can reach.
func TestHour_FitsInOneWriteUnit(t *testing.T) {
	t.Parallel()
	const many = 1_234_567_891
	var hour statistics.Hour
	for ms := range int64(200_000) { // no attempt takes longer
		took := time.Duration(ms) * time.Millisecond
		for _, waited := range []time.Duration{0, time.Duration(ms) * took} {
			hour = hour.Add(statistics.HourOf(webhook.Result{At: tested, Duration: took}, tested.Add(-waited), 1, false, 33*24*time.Hour))
		}
	}
	reached := 0
	it := key(statisticsPK(webhook.Tenant(strings.Repeat("t", 64)), 2147483647), hourSK(hour.From))
	it.setExpiry(hour.ExpiresAt)
	for attribute, n := range counts(hour) {
		if n > 0 || attribute == attrFailed {
			it[attribute] = number(many)
			reached++
		}
	}
	if n := it.size(); n > writeUnit || reached != 3+30+statistics.HistogramBuckets {
		t.Errorf("%d attributes have %d bytes, want at most %d", reached, n, writeUnit)
	} else {
		t.Logf("%d attributes have %d bytes", reached, n)
	}
}
