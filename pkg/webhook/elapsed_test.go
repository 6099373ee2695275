package webhook_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestElapsed(t *testing.T) {
	a := time.Now()
	b := a.Add(time.Minute)
	for _, c := range []struct {
		name string
		b    time.Time
		want time.Duration
	}{
		{"both clocks ran", b, time.Minute},
		{"the monotonic clock stopped", webhooktest.Thawed(b, time.Minute), time.Minute},
		{"the wall clock was set back", webhooktest.Thawed(a, -time.Minute), time.Minute},
		{"no monotonic reading", b.Round(0), time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := webhook.Elapsed(a, c.b); got != c.want {
				t.Errorf("Elapsed = %v, want %v", got, c.want)
			}
		})
	}
	if thawed := webhooktest.Thawed(b, time.Minute); thawed.Sub(a) != 0 {
		t.Errorf("the monotonic clock advanced by %v during a freeze, want 0", thawed.Sub(a))
	}
}
