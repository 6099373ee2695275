package statistics_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var caller = webhook.Principal{Tenant: "Default", Associate: webhook.Associate{ID: 5, Name: "Anna"}}

// bench is a Reader of a new embedded store.
type bench struct {
	*statistics.Reader
	db    *embedded.DB
	clock *webhooktest.Clock
}

func newBench(t *testing.T) *bench {
	t.Helper()
	clock := webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	random := webhooktest.Random(1)
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	registry := &webhook.Registry{Webhooks: db.Webhooks(), Now: clock.Now, Random: random}
	return &bench{&statistics.Reader{Registry: registry, Statistics: db.Statistics(), Backlog: db.Deliveries()}, db, clock}
}

// found creates webhooks directly in the store, of which those whose id is even fail.
// Every third belongs to an app.
func (r *bench) found(t *testing.T, n int32) {
	t.Helper()
	for id := int32(1); id <= n; id++ {
		w := webhook.Webhook{
			Tenant: caller.Tenant, ID: id, Name: fmt.Sprint("n", id), Events: []string{"a.b"}, TargetURL: "https://example.com/",
			State: webhook.StateActive, Revision: 1, Activation: 1,
		}
		if id%3 == 0 {
			w.App = "crm"
		}
		if err := r.Registry.Webhooks.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		report := webhook.HealthReport{Activation: 1, At: r.clock.Now()}
		if id%2 == 0 {
			report.Error = failure.Status
		}
		_, err := r.Registry.Webhooks.UpdateHealth(t.Context(), caller.Tenant, id, func(h webhook.Health) webhook.Health { return h.Observe(report) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReader_One(t *testing.T) {
	t.Parallel()
	r := newBench(t)
	r.found(t, 3)
	r.clock.Advance(31 * time.Minute)
	this := r.clock.Now().UTC().Truncate(time.Hour)
	for hoursAgo, attempts := range map[int]int64{0: 1, 2: 3, 23: 4, 24: 5} {
		hour := statistics.Hour{From: this.Add(-time.Duration(hoursAgo) * time.Hour), Attempts: attempts, ExpiresAt: this.Add(time.Hour)}
		if err := r.Statistics.Count(t.Context(), caller.Tenant, 2, hour); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.One(t.Context(), caller, 2)
	if err != nil || got.ID != 2 || got.Name != "n2" || got.Condition != statistics.ConditionFailing || len(got.Hours) != 24 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, hour := range got.Hours {
		want := map[int]int64{23: 1, 21: 3, 0: 4}[i]
		if hour.Attempts != want || !hour.From.Equal(this.Add(time.Duration(i-23)*time.Hour)) {
			t.Errorf("hour %d is %s with %d attempts, want %d", i, hour.From, hour.Attempts, want)
		}
	}
	crm := caller
	crm.App = "crm"
	for what, err := range map[string]error{
		"of another app":        func() error { _, err := r.One(t.Context(), crm, 2); return err }(),
		"of a missing webhook":  func() error { _, err := r.One(t.Context(), caller, 4); return err }(),
		"of another's tenant's": func() error { _, err := r.One(t.Context(), webhook.Principal{Tenant: "Other"}, 2); return err }(),
	} {
		if !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
	}
}

func ids(list []statistics.Stats) (ids []int32) {
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestReader_Of(t *testing.T) {
	t.Parallel()
	r := newBench(t)
	r.found(t, 6)
	crm := caller
	crm.App = "crm"
	for _, tt := range []struct {
		who  webhook.Principal
		ask  []int32
		want []int32
	}{
		{caller, []int32{5, 1, 99, 2}, []int32{5, 1, 2}},
		{crm, []int32{5, 6, 3, 99}, []int32{6, 3}},
		{webhook.Principal{Tenant: "Other"}, []int32{1}, nil},
		{caller, nil, nil},
	} {
		got, err := r.Of(t.Context(), tt.who, tt.ask)
		if diff := cmp.Diff(tt.want, ids(got)); diff != "" || err != nil {
			t.Errorf("%v for app %q: %v (-want +got):\n%s", tt.ask, tt.who.App, err, diff)
		}
	}
}

// counting counts the calls of stores.
type counting struct {
	webhook.Webhooks
	statistics.Store
	mu    sync.Mutex
	calls map[string]int
}

func (c *counting) count(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
}

func (c *counting) List(ctx context.Context, tenant webhook.Tenant, after int32, limit int) ([]webhook.Webhook, bool, error) {
	c.count("List")
	return c.Webhooks.List(ctx, tenant, after, limit)
}

func (c *counting) Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	c.count("Health")
	return c.Webhooks.Health(ctx, tenant, ids)
}

func (c *counting) Hours(ctx context.Context, tenant webhook.Tenant, id int32, from time.Time, limit int) ([]statistics.Hour, error) {
	c.count("Hours")
	return c.Store.Hours(ctx, tenant, id, from, limit)
}

// The pages of webhooks that fail show each of them once, to those who see it, and
// each costs the same number of calls at most, however many webhooks there are.
func TestReader_Failing(t *testing.T) {
	t.Parallel()
	r := newBench(t)
	stores := &counting{Webhooks: r.db.Webhooks(), Store: r.db.Statistics()}
	r.found(t, 330)
	r.Registry.Webhooks, r.Statistics = stores, stores
	for app, step := range map[string]int32{"": 2, "crm": 6, "other": 1000} {
		who := caller
		who.App = app
		var got, want []int32
		for id := step; id <= 330; id += step {
			want = append(want, id)
		}
		examined, after, calls := 0, int32(0), 0
		for more := true; more; more = after != 0 {
			stores.calls = map[string]int{}
			page, n, next, err := r.Failing(t.Context(), who, after)
			if err != nil {
				t.Fatal(err)
			}
			got, examined, after = append(got, ids(page)...), examined+n, next
			calls++
			if stores.calls["List"] != 1 || stores.calls["Health"] != 1 || stores.calls["Hours"] != len(page) || len(page) > statistics.MaxStats {
				t.Errorf("%d webhooks cost the calls %v", len(page), stores.calls)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("app %q (-want +got):\n%s", app, diff)
		}
		if seen := map[string]int{"": 330, "crm": 110}[app]; examined != seen || calls != 4 {
			t.Errorf("app %q: %d calls examined %d webhooks, want 4 and %d", app, calls, examined, seen)
		}
	}
}

// A page of webhooks that all fail ends at fifty, and the next one continues there.
func TestReader_Failing_OfWebhooksThatAllFail(t *testing.T) {
	t.Parallel()
	r := newBench(t)
	for id := int32(1); id <= 120; id++ {
		w := webhook.Webhook{Tenant: caller.Tenant, ID: id, Events: []string{"a.b"}, State: webhook.StateTooManyErrors, Revision: 1}
		if err := r.Registry.Webhooks.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	pages, after := []int{}, int32(0)
	for more := true; more; more = after != 0 {
		page, examined, next, err := r.Failing(t.Context(), caller, after)
		if err != nil || examined != len(page) || page[0].ID != after+1 {
			t.Fatalf("after %d: %d of %d, %v", after, len(page), examined, err)
		}
		pages, after = append(pages, len(page)), next
	}
	if diff := cmp.Diff([]int{50, 50, 20}, pages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
