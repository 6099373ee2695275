package replay_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func (b *bench) worker() *replay.Worker {
	return &replay.Worker{
		Webhooks: b.db.Webhooks(), Events: b.db.Events(), Deliveries: b.db.Deliveries(), Messages: b.db.Queue(), Now: b.clock.Now, RowLife: rowLife,
	}
}

func (b *bench) replays() *replay.Replays {
	return &replay.Replays{
		Webhooks: &webhook.Registry{Webhooks: b.db.Webhooks()}, Jobs: b.db.Jobs(), Slice: b.worker().Slice, Logger: slog.New(slog.DiscardHandler),
		Now: b.clock.Now, Random: b.random, EventLife: eventLife,
	}
}

// minute does one minute's work on the jobs, as the sweep does.
func (b *bench) minute(t *testing.T) {
	t.Helper()
	runner := job.Runner{Jobs: b.db.Jobs(), Slices: map[job.Kind]job.Slice{job.Replay: b.worker().Slice}, Logger: slog.New(slog.DiscardHandler), Now: b.clock.Now}
	jobs, err := runner.Running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runner.Run(t.Context(), jobs, 30*time.Second, func(_ context.Context, _ string, err error) { t.Error(err) })
}

// begin begins a replay of the last hour.
func (b *bench) begin(t *testing.T, plan replay.Plan) replay.View {
	t.Helper()
	plan.From = b.clock.Now().Add(-time.Hour)
	v, err := b.replays().Begin(t.Context(), owner, 1, plan)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *bench) view(t *testing.T, id string) replay.View {
	t.Helper()
	v, err := b.replays().Get(t.Context(), owner, 1, id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// history stores ten events of each kind: delivered, failed, cancelled, pending and
// missing, of two names; and events that the webhook is not subscribed to.
func (b *bench) history(t *testing.T) map[replay.Reason][]webhook.EventID {
	t.Helper()
	b.subscribe(t, "a.*")
	b.clock.Advance(time.Second)
	ids := map[replay.Reason][]webhook.EventID{}
	for i := range 10 {
		for _, status := range []delivery.Status{delivery.StatusDelivered, delivery.StatusFailed, delivery.StatusCancelled, delivery.StatusPending, ""} {
			b.clock.Advance(time.Millisecond)
			e := b.event(t, []string{"a.b", "a.c"}[i%2])
			reason := map[delivery.Status]replay.Reason{delivery.StatusDelivered: replay.Delivered, delivery.StatusFailed: replay.Failed, delivery.StatusCancelled: replay.Cancelled, "": replay.Missing}[status]
			ids[reason] = append(ids[reason], e.ID)
			switch status {
			case "":
			case delivery.StatusCancelled:
				key := delivery.Key{Tenant: "Default", Webhook: 1, Event: e.ID}
				if _, err := b.db.Deliveries().End(t.Context(), delivery.End{Key: key, Round: 1, Status: status, Now: b.clock.Now(), Seed: delivery.NewSeed(e, "", nil, b.clock.Now().Add(rowLife))}); err != nil {
					t.Fatal(err)
				}
			default:
				b.deliver(t, e, status)
			}
		}
		b.event(t, "other")
	}
	b.clock.Advance(2 * time.Minute)
	return ids
}

// Events that the webhook leaves out now are not missing; what failed was for it.
func TestReplay_MissingIsWhatTheWebhookTakesNow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.history(t)
	w, err := b.db.Webhooks().Get(t.Context(), "Default", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Revision++
	w.Options.Filter = []byte(`{"Event":["a.c"]}`)
	if err := b.db.Webhooks().Update(t.Context(), w, webhook.Change{}); err != nil {
		t.Fatal(err)
	}
	v := b.begin(t, replay.Plan{DryRun: true})
	want := []replay.Count{{"a.b", "Cancelled", 5}, {"a.b", "Failed", 5}, {"a.c", "Cancelled", 5}, {"a.c", "Failed", 5}, {"a.c", "Missing", 5}}
	if diff := cmp.Diff(want, v.Counts); v.Job.Status != job.Done || diff != "" {
		t.Errorf("it is %s, of %d missing (-want +got):\n%s", v.Job.Status, len(ids[replay.Missing]), diff)
	}
}

func TestReplay_SendsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plan    replay.Plan
		reasons []replay.Reason
		counts  []replay.Count
	}{
		"by default what failed or is missing": {
			replay.Plan{},
			[]replay.Reason{replay.Failed, replay.Cancelled, replay.Missing},
			[]replay.Count{{"a.b", "Cancelled", 5}, {"a.b", "Failed", 5}, {"a.b", "Missing", 5}, {"a.c", "Cancelled", 5}, {"a.c", "Failed", 5}, {"a.c", "Missing", 5}},
		},
		"what failed": {
			replay.Plan{Only: []replay.Reason{replay.Failed}},
			[]replay.Reason{replay.Failed, replay.Cancelled},
			[]replay.Count{{"a.b", "Cancelled", 5}, {"a.b", "Failed", 5}, {"a.c", "Cancelled", 5}, {"a.c", "Failed", 5}},
		},
		"what is missing": {
			replay.Plan{Only: []replay.Reason{replay.Missing}}, []replay.Reason{replay.Missing}, []replay.Count{{"a.b", "Missing", 5}, {"a.c", "Missing", 5}},
		},
		"what was delivered": {
			replay.Plan{Only: []replay.Reason{replay.Delivered}}, []replay.Reason{replay.Delivered}, []replay.Count{{"a.b", "Delivered", 5}, {"a.c", "Delivered", 5}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			ids := b.history(t)
			tt.plan.DryRun = true
			dry := b.begin(t, tt.plan)
			if diff := cmp.Diff(tt.counts, dry.Counts); dry.Job.Status != job.Done || dry.Job.Processed != 0 || diff != "" {
				t.Errorf("a dry run is %s with %d rounds (-want +got):\n%s", dry.Job.Status, dry.Job.Processed, diff)
			}
			tt.plan.DryRun = false
			begun := b.begin(t, tt.plan)
			b.minute(t)
			v := b.view(t, begun.Job.ID)
			want := map[webhook.EventID]bool{}
			for _, reason := range tt.reasons {
				for _, id := range ids[reason] {
					want[id] = true
				}
			}
			if diff := cmp.Diff(tt.counts, v.Counts); v.Job.Status != job.Done || v.Job.Processed != len(want) || diff != "" {
				t.Errorf("it is %s with %d rounds (-want +got):\n%s", v.Job.Status, v.Job.Processed, diff)
			}
			b.clock.Advance(time.Minute)
			got := map[webhook.EventID]bool{}
			for _, m := range b.sent(t) {
				row, err := b.db.Deliveries().Get(t.Context(), m.Key())
				if err != nil || m.Replay != v.Job.ID || m.Attempt != 1 || row.Round != m.Round || !row.Waiting() || row.Replay != m.Replay || row.EventName == "" {
					t.Errorf("got message %+v for row %+v, %v", m, row, err)
				}
				if got[m.Event] {
					t.Errorf("%s is sent twice", m.Event)
				}
				got[m.Event] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReplay_TakesFilters(t *testing.T) {
	t.Parallel()
	seven, eight := int32(7), int32(8)
	for name, tt := range map[string]struct {
		plan replay.Plan
		want int
	}{
		"by name":            {replay.Plan{Events: []string{"A.B"}}, 15},
		"by pattern":         {replay.Plan{Events: []string{"x", "a.*"}}, 30},
		"by another pattern": {replay.Plan{Events: []string{"b.*"}}, 0},
		"by entity":          {replay.Plan{Entity: "A"}, 30},
		"by another entity":  {replay.Plan{Entity: "b"}, 0},
		"by primary key":     {replay.Plan{PrimaryKey: &seven}, 30},
		"by another one":     {replay.Plan{PrimaryKey: &eight}, 0},
		"by key":             {replay.Plan{Key: "k"}, 0},
		"deliveries by name": {replay.Plan{Events: []string{"a.b"}, Only: []replay.Reason{replay.Failed}}, 10},
		"deliveries by key":  {replay.Plan{Key: "k", Only: []replay.Reason{replay.Failed}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.history(t)
			tt.plan.DryRun = true
			n := 0
			for _, c := range b.begin(t, tt.plan).Counts {
				n += c.Count
			}
			if n != tt.want {
				t.Errorf("%d are selected, want %d", n, tt.want)
			}
		})
	}
}

// A sweep that dies before the cursor moved repeats its slice: no round begins twice,
// and what was begun is counted.
func TestReplay_ASliceIsRepeatable(t *testing.T) {
	t.Parallel()
	for _, only := range [][]replay.Reason{nil, {replay.Failed}} {
		b := newBench(t)
		b.history(t)
		v := b.begin(t, replay.Plan{Only: only})
		for range 3 { // the job is not stored
			if _, err := b.worker().Slice(t.Context(), v.Job); err != nil {
				t.Fatal(err)
			}
		}
		b.minute(t)
		want := 30
		if only != nil {
			want = 20
		}
		if got := b.view(t, v.Job.ID); got.Job.Status != job.Done || got.Job.Processed != want {
			t.Errorf("it is %s with %d rounds, want %d", got.Job.Status, got.Job.Processed, want)
		}
		b.clock.Advance(time.Minute)
		for _, m := range b.sent(t) {
			if row, err := b.db.Deliveries().Get(t.Context(), m.Key()); err != nil || row.Round > 2 || row.Round != m.Round {
				t.Errorf("round %d, %v", row.Round, err)
			}
		}
	}
}

// The rate is kept by the times at which rounds are due, whatever the sweep does.
func TestReplay_KeepsItsRate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.subscribe(t, "a.*")
	for range 400 {
		b.deliver(t, b.event(t, "a.b"), delivery.StatusFailed)
	}
	b.clock.Advance(time.Hour - time.Second)
	v := b.begin(t, replay.Plan{Only: []replay.Reason{replay.Failed}, MaxPerSecond: 2})
	started := b.clock.Now()
	due := map[time.Duration]int{}
	for range 4 {
		b.minute(t)
		b.minute(t) // another sweep adds nothing
		b.clock.Advance(time.Minute)
	}
	rows, err := b.db.Deliveries().List(t.Context(), "Default", 1, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Round == 2 {
			due[row.NextAt.Sub(started).Truncate(time.Second)]++
			if !row.SweepAt.Equal(row.NextAt.Add(5 * time.Minute)) {
				t.Errorf("due at %s, swept at %s", row.NextAt, row.SweepAt)
			}
		}
	}
	if len(due) != 200 {
		t.Errorf("rounds are due in %d seconds, want 200", len(due))
	}
	for at, n := range due {
		if n != 2 {
			t.Errorf("%d rounds are due at %s, want 2", n, at)
		}
	}
	if got := b.view(t, v.Job.ID); got.Job.Status != job.Done || got.Remaining != 0 {
		t.Errorf("got %+v", got)
	}
}

// A slow target gets what keeps eight attempts in flight, and one whose breaker is open
// one attempt per step, which may be the probe.
func TestReplay_SparesTheTarget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.subscribe(t, "a.*")
	for range 1000 {
		b.deliver(t, b.event(t, "a.b"), delivery.StatusFailed)
	}
	b.clock.Advance(2 * time.Minute)
	observe := func(reports ...webhook.HealthReport) {
		t.Helper()
		_, err := b.db.Webhooks().UpdateHealth(t.Context(), "Default", 1, func(h webhook.Health) webhook.Health { return h.Observe(reports...) })
		if err != nil {
			t.Fatal(err)
		}
	}
	v := b.begin(t, replay.Plan{Only: []replay.Reason{replay.Failed}})
	for i := range 10 {
		at := b.clock.Now().Add(time.Duration(i-9) * time.Second)
		observe(webhook.HealthReport{Activation: 1, At: at, Duration: 8 * time.Second, Error: failure.Status, Jitter: 0.5})
	}
	opened := b.clock.Now().Add(8*time.Second + 30*time.Second)
	for range 2 { // the second one finds a probe that is not made
		b.minute(t)
		rows, err := b.db.Deliveries().Log(t.Context(), delivery.LogQuery{Tenant: "Default", Webhook: 1, Filter: delivery.Filter{Status: delivery.StatusPending}, Limit: 10, Examine: 1000})
		if err != nil || len(rows.Deliveries) != 2 || !rows.Deliveries[0].NextAt.Equal(opened) {
			t.Fatalf("behind an open breaker begin %+v, %v; want one at each step of 30 s from %s", rows.Deliveries, err, opened)
		}
	}
	b.clock.Advance(time.Second)
	observe(webhook.HealthReport{Activation: 1, At: b.clock.Now(), Duration: 8 * time.Second})
	b.clock.Advance(time.Minute)
	b.minute(t)
	if got := b.view(t, v.Job.ID); got.Job.Processed != 102 {
		t.Errorf("%d rounds begin, want two and one a second in the next minute and a half, a slice at a time", got.Job.Processed)
	}
}

func TestReplay_EndsWithItsWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.history(t)
	v := b.begin(t, replay.Plan{})
	b.stop(t)
	b.minute(t)
	if got := b.view(t, v.Job.ID); got.Job.Status != job.Failed || got.Job.Reason != "the webhook is Stopped" || got.Job.Processed != 0 {
		t.Errorf("stopped: got %+v", got.Job)
	}
	j := v.Job
	j.Webhook = 2
	if after, err := b.worker().Slice(t.Context(), j); err != nil || after.Status != job.Failed || after.Reason != "the webhook was deleted" {
		t.Errorf("deleted: got %+v, %v", after, err)
	}
	var inactive *replay.InactiveError
	if _, err := b.replays().Begin(t.Context(), owner, 1, replay.Plan{From: b.clock.Now().Add(-time.Hour)}); !errors.As(err, &inactive) {
		t.Errorf("a replay of a stopped webhook: got %v", err)
	}
}

func TestReplay_OneAtATime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.history(t)
	first := b.begin(t, replay.Plan{})
	var busy *job.BusyError
	if _, err := b.replays().Begin(t.Context(), owner, 1, replay.Plan{From: b.clock.Now().Add(-time.Hour)}); !errors.As(err, &busy) || busy.Running != first.Job.ID {
		t.Errorf("got %v", err)
	}
	if v, err := b.replays().Cancel(t.Context(), owner, 1, first.Job.ID); err != nil || v.Job.Status != job.Cancelled {
		t.Errorf("got %+v, %v", v, err)
	}
	b.minute(t)
	if len(b.sent(t)) != 0 {
		t.Error("a cancelled replay sends")
	}
	b.clock.Advance(time.Millisecond)
	second := b.begin(t, replay.Plan{DryRun: true})
	list, err := b.replays().List(t.Context(), owner, 1)
	if err != nil || len(list) != 2 || list[0].Job.ID != second.Job.ID || list[1].Job.ID != first.Job.ID {
		t.Errorf("got %+v, %v", list, err)
	}
	for name, ask := range map[string]func() error{
		"an unknown replay": func() error {
			_, err := b.replays().Get(t.Context(), owner, 1, string(webhook.FirstEventID(b.clock.Now())))
			return err
		},
		"no id":              func() error { _, err := b.replays().Get(t.Context(), owner, 1, "x"); return err },
		"of another webhook": func() error { _, err := b.replays().Get(t.Context(), owner, 2, first.Job.ID); return err },
		"of another tenant": func() error {
			_, err := b.replays().Get(t.Context(), webhook.Principal{Tenant: "Other"}, 1, first.Job.ID)
			return err
		},
		"cancelled by others": func() error {
			_, err := b.replays().Cancel(t.Context(), webhook.Principal{Tenant: "Other"}, 1, first.Job.ID)
			return err
		},
	} {
		if err := ask(); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestReplay_RefusesPlans(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.subscribe(t, "a.b")
	now := b.clock.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, tt := range map[string]struct {
		plan replay.Plan
		text string
	}{
		"no From":           {replay.Plan{}, "From is required"},
		"a young To":        {replay.Plan{From: ago(time.Hour), To: ago(30 * time.Second)}, "To must be at least a minute ago"},
		"From after To":     {replay.Plan{From: ago(time.Hour), To: ago(2 * time.Hour)}, "From must be before To"},
		"a wrong pattern":   {replay.Plan{From: ago(time.Hour), Events: []string{"a", "*b"}}, "Events[1] must be the name of an event"},
		"an unknown reason": {replay.Plan{From: ago(time.Hour), Only: []replay.Reason{"Everything"}}, "Only[0] must be Failed, Missing or Delivered"},
		"too fast":          {replay.Plan{From: ago(time.Hour), MaxPerSecond: 501}, "MaxPerSecond must be from 1 to 500"},
		"a long key":        {replay.Plan{From: ago(time.Hour), Key: strings.Repeat("k", 257)}, "Key must be at most 256 bytes"},
	} {
		if _, err := b.replays().Begin(t.Context(), owner, 1, tt.plan); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, want %q", name, err, tt.text)
		}
	}
	v, err := b.replays().Begin(t.Context(), owner, 1, replay.Plan{From: ago(2 * eventLife)})
	if err != nil || !v.Job.From.Equal(ago(eventLife)) || !v.Job.To.Equal(ago(time.Minute)) {
		t.Errorf("a period that begins before anything is kept: got %+v, %v", v.Job, err)
	}
}
