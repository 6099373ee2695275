package tenancy_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// leaving is a store with two tenants that have items of every kind.
type leaving struct {
	t     *testing.T
	db    *embedded.DB
	clock *webhooktest.Clock
	admin *tenancy.Administration
	made  int // sources
	*tenancy.Deletion
}

func newLeaving(t *testing.T) *leaving {
	t.Helper()
	clock := webhooktest.NewClock(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	registry := &webhook.Registry{Webhooks: db.Webhooks(), Secrets: db.Secrets(), Events: db.Events(), Now: clock.Now, Random: rand.Reader, EventLife: time.Hour, SkipTargetCheck: true}
	l := &leaving{
		t: t, db: db, clock: clock,
		admin:    &tenancy.Administration{Tenants: db.Tenants(), Credentials: db.Credentials(), Jobs: db.Jobs(), Now: clock.Now, Random: rand.Reader},
		Deletion: &tenancy.Deletion{Registry: registry, Tenants: db.Tenants(), Credentials: db.Credentials(), Erasure: db.Erasure()},
	}
	l.Sources = &source.Registry{
		Sources: db.Sources(), Secrets: db.Secrets(), Intents: db.Webhooks(), Now: clock.Now, Random: rand.Reader,
		TenantExists: func(context.Context, webhook.Tenant) error { return nil }, // checked before the tenant was marked
	}
	for _, tenant := range []webhook.Tenant{"Leaves", "Stays"} {
		l.must(l.admin.CreateTenant(t.Context(), tenant))
		_, _, err := l.admin.Issue(t.Context(), tenant, tenancy.NewCredential{Kind: tenancy.KindTicket, User: "anna", Scopes: []webhook.Scope{webhook.ScopeEvents}})
		l.must(err)
		_, _, err = l.admin.Issue(t.Context(), tenant, tenancy.NewCredential{
			Kind: tenancy.KindTicket, User: "publisher", Scopes: []webhook.Scope{webhook.ScopeEvents}, Tenants: []webhook.Tenant{"Leaves", "Stays"},
		})
		l.must(err)
		for range 12 {
			l.add(tenant)
		}
	}
	return l
}

func (l *leaving) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// add adds a relay, a webhook with a secret and a timer, an event, its delivery, one that
// is parked, and statistics.
func (l *leaving) add(tenant webhook.Tenant) {
	l.t.Helper()
	secret := webhook.NewSecret("secret")
	l.made++
	_, err := l.Sources.(*source.Registry).Create(l.t.Context(), "admin", source.Draft{Secret: &secret, Source: source.Source{
		Name: fmt.Sprint("relay-", l.made), Kind: source.KindRelay, Tenant: tenant, Relay: &source.Relay{Protocol: source.ProtocolStandard},
	}})
	l.must(err)
	draft := webhook.Draft{Events: []string{"a.b"}, TargetURL: "https://example.com/", Secret: &secret}
	w, err := l.Registry.Create(l.t.Context(), webhook.Principal{Tenant: tenant}, draft)
	l.must(err)
	_, err = l.Registry.Save(l.t.Context(), webhook.Principal{Tenant: tenant}, w.ID, func(webhook.Webhook) (webhook.Draft, error) { return draft, nil })
	l.must(err)
	id, err := webhook.NewEventID(l.clock.Now(), rand.Reader)
	l.must(err)
	expires := l.clock.Now().Add(24 * time.Hour)
	l.must(l.db.Events().Put(l.t.Context(), webhook.Event{Tenant: tenant, ID: id, Name: "a.b", At: l.clock.Now(), ExpiresAt: expires}))
	_, err = l.db.Deliveries().RecordFirst(l.t.Context(), delivery.RecordFirst{
		Key: delivery.Key{Tenant: tenant, Webhook: w.ID, Event: id}, Now: l.clock.Now(), Seed: delivery.Seed{EventName: "a.b", ExpiresAt: expires},
		Outcome: delivery.Outcome{
			Attempt: delivery.Attempt{Number: 1, At: l.clock.Now(), Error: failure.Status, StatusCode: 500}, Status: delivery.StatusPending,
			NextAt: l.clock.Now(), SweepAt: l.clock.Now(),
		},
	})
	l.must(err)
	parked := delivery.Key{Tenant: tenant, Webhook: w.ID, Event: webhook.FirstEventID(l.clock.Now())}
	_, err = l.db.Deliveries().SetTimer(l.t.Context(), delivery.Timer{Key: webhook.Key{Tenant: tenant, ID: w.ID}, DueAt: l.clock.Now()})
	l.must(err)
	_, err = l.db.Deliveries().Park(l.t.Context(), delivery.Park{Key: parked, Round: 1, Attempt: 1, Now: l.clock.Now(), Net: l.clock.Now(), Seed: delivery.Seed{ExpiresAt: expires}})
	l.must(err)
	hour := statistics.Hour{From: l.clock.Now().Truncate(time.Hour), Attempts: 1, ExpiresAt: expires}
	l.must(l.db.Statistics().Count(l.t.Context(), tenant, w.ID, hour))
}

// has counts a tenant's items.
func (l *leaving) has(tenant webhook.Tenant) (n int) {
	l.t.Helper()
	ctx := l.t.Context()
	webhooks, _, err := l.db.Webhooks().List(ctx, tenant, 0, 100)
	l.must(err)
	events, err := l.db.Events().List(ctx, tenant, webhook.FirstEventID(l.clock.Now().AddDate(0, 0, -1)), webhook.FirstEventID(l.clock.Now().AddDate(0, 0, 1)), 100)
	l.must(err)
	credentials, err := l.db.Credentials().List(ctx, tenant, "", 100)
	l.must(err)
	for shard := range delivery.DueShards {
		due, err := l.db.Deliveries().DueTimers(ctx, shard, l.clock.Now(), delivery.DueTimer{}, 100)
		l.must(err)
		for _, timer := range due {
			if timer.Key.Tenant == tenant {
				n++
			}
		}
	}
	for id := int32(1); id < 30; id++ {
		waiting, err := l.db.Deliveries().Waiting(ctx, webhook.Key{Tenant: tenant, ID: id}, 100)
		l.must(err)
		if _, err := l.db.Deliveries().Timer(ctx, webhook.Key{Tenant: tenant, ID: id}); !errors.Is(err, webhook.ErrNotFound) {
			l.must(err)
			n++
		}
		rows, err := l.db.Deliveries().List(ctx, tenant, id, "", 100)
		l.must(err)
		history, err := l.db.Webhooks().History(ctx, tenant, id, 0, 100)
		l.must(err)
		hours, err := l.db.Statistics().Hours(ctx, tenant, id, time.Time{}, 100)
		l.must(err)
		n += len(rows) + waiting + len(history) + len(hours)
	}
	subscribed, err := storetest.Subscribed(ctx, l.db.Webhooks(), tenant, "a.b")
	l.must(err)
	sources, err := l.db.Sources().List(ctx)
	l.must(err)
	for _, s := range sources {
		if s.Tenant == tenant {
			n++
		}
	}
	return n + len(webhooks) + len(events) + len(credentials) + len(subscribed)
}

// run runs slices until the job ends, each of them twice, as after a sweep that
// ended before it stored the job. It calls before ahead of each slice.
func (l *leaving) run(id string, before func(job.Job)) job.Job {
	l.t.Helper()
	for range 500 {
		j, err := l.db.Jobs().Get(l.t.Context(), id)
		l.must(err)
		if j.Status != job.Running {
			return j
		}
		before(j)
		_, err = l.Slice(l.t.Context(), j)
		next, again := l.Slice(l.t.Context(), j)
		if errors.Is(err, job.ErrNotYet) && errors.Is(again, job.ErrNotYet) {
			l.clock.Advance(time.Minute)
			continue
		}
		l.must(errors.Join(err, again))
		next.Revision = j.Revision
		l.must(l.db.Jobs().Update(l.t.Context(), next.Next(l.clock.Now())))
	}
	l.t.Fatal("the job does not end")
	return job.Job{}
}

func TestDeletion_LeavesNothing(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	had := l.has("Stays")
	if had != l.has("Leaves") || had < 48 {
		t.Fatalf("they have %d and %d things", had, l.has("Leaves"))
	}
	id, err := l.admin.DeleteTenant(t.Context(), webhook.Associate{}, "Leaves")
	l.must(err)
	late := false
	ended := l.run(id, func(j job.Job) {
		if j.Cursor == "rest/1" && !late { // a call that started before the tenant was marked
			late = true
			l.add("Leaves")
		}
	})
	if ended.Status != job.Done || !late || ended.Processed == 0 {
		t.Errorf("got %+v", ended)
	}
	if n := l.has("Leaves"); n != 0 {
		t.Errorf("%d things are left", n)
	}
	if n := l.has("Stays"); n != had {
		t.Errorf("the other tenant has %d things, had %d", n, had)
	}
	if _, err := l.db.Tenants().Get(t.Context(), "Leaves"); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("the tenant: got %v", err)
	}
	secrets, err := l.db.Webhooks().Intents(t.Context(), l.clock.Now().Add(time.Hour), 100)
	if err != nil || len(secrets) != 0 {
		t.Errorf("%d secrets may be left, %v", len(secrets), err)
	}
}

func TestDeletion_TouchesOnlyItsOwnTenant(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	had := l.has("Stays")
	for name, mark := range map[string]string{"not marked": "", "marked by another job": "another"} {
		if mark != "" {
			_, err := l.db.Tenants().BeginDelete(t.Context(), "Stays", mark)
			l.must(err)
		}
		j, err := job.New(job.DeleteTenant, "Stays", webhook.Associate{}, l.clock.Now(), rand.Reader)
		l.must(err)
		l.must(l.db.Jobs().Create(t.Context(), j))
		if ended := l.run(j.ID, func(job.Job) {}); ended.Status != job.Failed || ended.Reason == "" {
			t.Errorf("%s: got %+v", name, ended)
		}
		if n := l.has("Stays"); n != had {
			t.Errorf("%s: it has %d things, had %d", name, n, had)
		}
	}
}

// damagedCredentials is a store with an item that cannot be decoded.
type damagedCredentials struct{ tenancy.Credentials }

func (d damagedCredentials) List(ctx context.Context, tenant webhook.Tenant, after string, limit int) ([]tenancy.Credential, error) {
	page, err := d.Credentials.List(ctx, tenant, after, limit)
	return page, errors.Join(err, &webhook.UnreadableError{Count: 1, Items: []string{"credential x"}, Cause: errors.New("no JSON")})
}

type damagedSources struct{ tenancy.Sources }

func (d damagedSources) DeleteTenant(ctx context.Context, tenant webhook.Tenant, limit int) (int, error) {
	n, err := d.Sources.DeleteTenant(ctx, tenant, limit)
	return n, errors.Join(err, &webhook.UnreadableError{Count: 1, Items: []string{"source x"}, Cause: errors.New("no JSON")})
}

type damagedWebhooks struct{ webhook.Webhooks }

func (d damagedWebhooks) List(ctx context.Context, tenant webhook.Tenant, after int32, limit int) ([]webhook.Webhook, bool, error) {
	page, more, err := d.Webhooks.List(ctx, tenant, after, limit)
	return page, more, errors.Join(err, &webhook.UnreadableError{Count: 1, Items: []string{"webhook x"}, Cause: errors.New("no JSON")})
}

func TestDeletion_ContinuesPastUnreadableItems(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func(l *leaving){
		"credential x": func(l *leaving) {
			l.Credentials = damagedCredentials{l.Credentials}
			l.admin.Credentials = l.Credentials
		},
		"source x":  func(l *leaving) { l.Sources = damagedSources{l.Sources} },
		"webhook x": func(l *leaving) { l.Registry.Webhooks = damagedWebhooks{l.Registry.Webhooks} },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			damage(l)
			id, err := l.admin.DeleteTenant(t.Context(), webhook.Associate{}, "Leaves")
			l.must(err)
			if ended := l.run(id, func(job.Job) {}); ended.Status != job.Failed || !strings.Contains(ended.Reason, what) {
				t.Errorf("got %+v, want a reason that names %s", ended, what)
			}
			if n := l.has("Leaves"); n != 0 {
				t.Errorf("%d things are left", n)
			}
			if record, err := l.db.Tenants().Get(t.Context(), "Leaves"); err != nil || record.Deleting != id {
				t.Errorf("the tenant: got %+v, %v; want it still marked", record, err)
			}
		})
	}
}

// The id counter and idempotency keys outlive the tenant.
func TestDeletion_ARecreatedTenantGetsNewIDs(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	who, draft := webhook.Principal{Tenant: "Leaves"}, webhook.Draft{Events: []string{"a.b"}, TargetURL: "https://example.com/"}
	first, _, err := l.Registry.CreateOnce(t.Context(), who, "k", draft)
	l.must(err)
	id, err := l.admin.DeleteTenant(t.Context(), webhook.Associate{}, "Leaves")
	l.must(err)
	if j := l.run(id, func(job.Job) {}); j.Status != job.Done {
		t.Fatalf("the job is %s: %s", j.Status, j.Reason)
	}
	l.must(l.admin.CreateTenant(t.Context(), "Leaves"))
	again, repeated, err := l.Registry.CreateOnce(t.Context(), who, "k", draft)
	if err != nil || repeated || again.ID <= first.ID {
		t.Errorf("the key's webhook is %d after %d, repeated %v, %v", again.ID, first.ID, repeated, err)
	}
	other, err := l.Registry.Create(t.Context(), who, draft)
	if err != nil || other.ID <= again.ID {
		t.Errorf("another webhook is %d, %v", other.ID, err)
	}
}
