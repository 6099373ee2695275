package replay_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A webhook created with a time gets the events since then that it has not got: also one
// that was dispatched while the webhook was being stored, and none twice.
func TestSince_NoEventFallsInBetween(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.event(t, "a.b") // too old
	b.clock.Advance(time.Hour)
	since := b.clock.Now()
	want := map[webhook.EventID]bool{}
	for range 3 {
		want[b.event(t, "a.b").ID] = true
		b.event(t, "x.y")
		b.clock.Advance(time.Minute)
	}
	r := b.replays()
	r.Founder = b.db.Webhooks()
	draft := webhook.Draft{Name: "w", Events: []string{"a.*"}, TargetURL: "https://example.com/"}
	stored, err := r.Since(slow{b.db.Webhooks(), func() {
		// Accepted after the activation, and dispatched before the webhook is stored.
		b.clock.Advance(9 * time.Second)
		want[b.event(t, "a.b").ID] = true
	}}, owner, draft, since)
	if err != nil {
		t.Fatal(err)
	}
	registry := &webhook.Registry{Webhooks: stored, Secrets: b.db.Secrets(), Now: b.clock.Now, Random: b.random}
	w, err := registry.Create(t.Context(), owner, draft)
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Second)
	b.deliver(t, b.event(t, "a.b"), delivery.StatusDelivered) // live traffic
	b.minute(t)
	views, err := b.replays().List(t.Context(), owner, w.ID)
	if err != nil || len(views) != 1 || views[0].Job.Processed != 0 {
		t.Fatalf("at once: got %+v, %v", views, err)
	}
	b.clock.Advance(85 * time.Second)
	b.minute(t)
	v := b.view(t, views[0].Job.ID)
	if diff := cmp.Diff([]replay.Count{{"a.b", "Missing", 4}}, v.Counts); v.Job.Status != job.Done || diff != "" {
		t.Errorf("it is %s (-want +got):\n%s", v.Job.Status, diff)
	}
	b.clock.Advance(time.Minute)
	got := map[webhook.EventID]bool{}
	for _, m := range b.sent(t) {
		got[m.Event] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// slow is a store that something happens in front of.
type slow struct {
	webhook.Webhooks
	first func()
}

func (s slow) HasRoom(ctx context.Context, tenant webhook.Tenant) error {
	s.first()
	return s.Webhooks.HasRoom(ctx, tenant)
}
