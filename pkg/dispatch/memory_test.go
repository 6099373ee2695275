package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// reads is a real store that counts reads.
type reads struct {
	embedded.Webhooks
	subscribed, gets, healths int
}

func newReads(t *testing.T) *reads {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: func() time.Time { return noon }, Random: webhooktest.Random(1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &reads{Webhooks: db.Webhooks()}
}

func (r *reads) Subscribed(ctx context.Context, tenant webhook.Tenant, key string, each func(webhook.Webhook)) error {
	r.subscribed++
	return r.Webhooks.Subscribed(ctx, tenant, key, each)
}

func (r *reads) Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	r.gets++
	return r.Webhooks.Get(ctx, tenant, id)
}

func (r *reads) Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	r.healths++
	return r.Webhooks.Health(ctx, tenant, ids)
}

func (r *reads) create(t *testing.T, w webhook.Webhook) webhook.Webhook {
	t.Helper()
	w.State, w.Revision, w.Activation, w.ActivatedAt = webhook.StateActive, 1, 1, noon
	if err := r.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w
}

// matched returns the completed matches of a new view for an event.
func matched(t *testing.T, lists *subscriptions, tenant webhook.Tenant, name string) (found []webhook.Webhook) {
	t.Helper()
	matches, _, err := newView(lists, func() time.Time { return noon }, webhooktest.Random(1)).match(t.Context(), webhook.Event{Tenant: tenant, Name: name}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range matches {
		whole, err := lists.copies.complete(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, whole)
	}
	return found
}

var tenants = []webhook.Tenant{"Default", "Other", "Third"}

// Three tenants have the same ids, event names, revisions and epochs.
func TestCaches_KeepTenantsApart(t *testing.T) {
	t.Parallel()
	store := newReads(t)
	for _, tenant := range tenants {
		store.create(t, webhook.Webhook{Tenant: tenant, ID: 1, Events: []string{"contact.changed"}, TargetURL: "https://example.com/" + string(tenant)})
		if _, err := store.UpdateHealth(t.Context(), tenant, 1, func(h webhook.Health) webhook.Health {
			h.TotalCalls = int32(len(tenant))
			return h
		}); err != nil {
			t.Fatal(err)
		}
	}
	lists := newSubscriptions(store)
	known := newHealths(Config{Webhooks: store, Logger: webhooktest.Logger(t), Now: func() time.Time { return noon }})
	for range 2 { // cold, then warm
		for _, tenant := range tenants {
			found := matched(t, lists, tenant, "contact.changed")
			if len(found) != 1 || found[0].Tenant != tenant || found[0].TargetURL != "https://example.com/"+string(tenant) {
				t.Errorf("%s: matched %+v", tenant, found)
			}
			if got := known.readOne(t.Context(), webhook.Key{Tenant: tenant, ID: 1}); !got.known || got.health.TotalCalls != int32(len(tenant)) {
				t.Errorf("%s: got health %+v", tenant, got)
			}
		}
	}
	if store.subscribed != 9 || store.gets != 0 || store.healths != 3 {
		t.Errorf("got %d reads of lists, %d of webhooks and %d of health, want 9, 0 and 3", store.subscribed, store.gets, store.healths)
	}
}

// fat returns a webhook of nearly the largest size, about 150 KB.
func fat(tenant webhook.Tenant, id int32, events []string) webhook.Webhook {
	w := webhook.Webhook{
		Tenant: tenant, ID: id, Events: events, Name: "fat", TargetURL: "https://example.com/" + strings.Repeat("u", 3900),
		Description: strings.Repeat("d", 16_000), Properties: []byte(`{"p":"` + strings.Repeat("x", 32_000) + `"}`),
		ErrorAssociates: []byte(`["` + strings.Repeat("a", 32_000) + `"]`), ErrorsEmail: "a@example.com",
		RegisteredBy: webhook.Associate{Name: "n"},
	}
	for n := range 50 {
		w.Headers = append(w.Headers, webhook.Header{Name: fmt.Sprintf("X-%d", n), Value: strings.Repeat("h", 300)})
	}
	return w
}

func TestSubscriptions_OneCopyOfAWebhookForAllItsLists(t *testing.T) {
	t.Parallel()
	store := newReads(t)
	names := make([]string, 160)
	for n := range names {
		names[n] = fmt.Sprintf("e%d", n)
	}
	for id := int32(1); id <= 5; id++ {
		store.create(t, fat("Default", id, names))
	}
	lists := newSubscriptions(store)
	matched(t, lists, "Default", names[0])
	one := lists.copies.held.Bytes()
	if one > 5*60_000 {
		t.Errorf("5 webhooks take %d bytes, want only what their POSTs need: under 60 KB each", one)
	}
	for _, name := range names {
		if found := matched(t, lists, "Default", name); len(found) != 5 || len(found[0].Headers) != 50 {
			t.Fatalf("matched %d webhooks", len(found))
		}
	}
	if got := lists.copies.held.Bytes(); got != one {
		t.Errorf("160 lists of the same 5 webhooks: their copies take %d bytes, want %d as for one list", got, one)
	}
	if got := lists.lists.Bytes(); got > 2*160*1500 {
		t.Errorf("160 lists of 5 webhooks take %d bytes", got)
	}
	if store.gets != 0 {
		t.Errorf("%d webhooks were read one by one, want none", store.gets)
	}
}

func TestCopies_HoldOnlyWhatDeliveryNeeds(t *testing.T) {
	t.Parallel()
	store := newReads(t)
	want := store.create(t, fat("Default", 1, []string{"e"}))
	want.Description, want.ErrorAssociates, want.ErrorsEmail, want.RegisteredBy, want.Events = "", nil, "", webhook.Associate{}, nil
	if diff := cmp.Diff([]webhook.Webhook{want}, matched(t, newSubscriptions(store), "Default", "e")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An evicted webhook is read again, and only in the revision that the list names.
func TestCopies_ReadEvictedWebhooks(t *testing.T) {
	t.Parallel()
	store := newReads(t)
	w := store.create(t, webhook.Webhook{Tenant: "Default", ID: 1, Events: []string{"e"}, TargetURL: "https://example.com/one"})
	lists := newSubscriptions(store)
	matched(t, lists, "Default", "e")
	lists.copies.held.Clear()
	for range 2 {
		if found := matched(t, lists, "Default", "e"); len(found) != 1 || found[0].TargetURL != w.TargetURL {
			t.Errorf("matched %+v", found)
		}
	}
	if store.gets != 1 {
		t.Errorf("the webhook was read %d times, want once", store.gets)
	}
	changed := w
	changed.Revision, changed.TargetURL = 2, "https://example.com/two"
	if err := store.Update(t.Context(), changed, webhook.Change{}); err != nil {
		t.Fatal(err)
	}
	lists.copies.held.Clear()
	if got, err := lists.copies.complete(t.Context(), w); !errors.Is(err, webhook.ErrConflict) {
		t.Errorf("a replaced revision: got %s and error %v, want %v", got.TargetURL, err, webhook.ErrConflict)
	}
	lists.copies.keep(changed) // a newer copy must not serve an older revision
	if got, err := lists.copies.complete(t.Context(), w); !errors.Is(err, webhook.ErrConflict) {
		t.Errorf("with a newer copy: got %s and error %v, want %v", got.TargetURL, err, webhook.ErrConflict)
	}
}

// What a list holds of filters counts, and a copy holds none.
func TestSubscriptions_FiltersAreBounded(t *testing.T) {
	t.Parallel()
	store := newReads(t)
	for id := int32(1); id <= 100; id++ {
		store.create(t, webhook.Webhook{
			Tenant: "Default", ID: id, Events: []string{"e"}, TargetURL: "https://example.com/",
			Options: webhook.Options{Filter: []byte(`{"Key":["` + strings.Repeat("x", 8000) + `"]}`), OnlyFields: []string{strings.Repeat("y", 200)}},
		})
	}
	lists := newSubscriptions(store)
	if found := matched(t, lists, "Default", "e"); len(found) != 0 {
		t.Errorf("matched %d webhooks", len(found))
	}
	if got := lists.lists.Bytes(); got < 100*8200 || got > 100*9500 {
		t.Errorf("a list with 100 filters of 8 KB counts as %d bytes", got)
	}
	if w, ok := lists.copies.held.Get("Default", 1); !ok || w.Options.Filter != nil || w.Options.OnlyFields != nil {
		t.Errorf("a copy has the filter %.20s: a delivery does not need it", w.Options.Filter)
	}
}

// A copy has the template, and it counts.
func TestSubscriptions_TemplatesAreBounded(t *testing.T) {
	t.Parallel()
	lists := newSubscriptions(nil)
	bare := webhook.Webhook{Tenant: "Default", ID: 1, Revision: 1}
	lists.copies.keep(bare)
	before := lists.copies.held.Bytes()
	bare.Options.Template = []byte(`["` + strings.Repeat("x", 8000) + `"]`)
	lists.copies.keep(bare)
	if got := lists.copies.held.Bytes() - before; got != 8004 {
		t.Errorf("a template of 8,004 bytes counts as %d", got)
	}
	if w, ok := lists.copies.held.Get("Default", 1); !ok || len(w.Options.Template) != 8004 {
		t.Error("a copy has no template: a delivery needs it")
	}
}

// A tenant that fills the caches evicts only its own entries.
func TestSubscriptions_ALargeTenantEvictsNoOther(t *testing.T) {
	t.Parallel()
	lists := newSubscriptions(nil)
	lists.copies.keep(webhook.Webhook{Tenant: "Default", ID: 1, Revision: 1})
	lists.keep("Default", 1, map[string][]member{"e": {{id: 1}}})
	for id := range int32(1000) {
		lists.copies.keep(fat("Hostile", id, nil))
		lists.keep("Hostile", 1, map[string][]member{fmt.Sprint(id): make([]member, 1000)})
	}
	if got := lists.copies.held.Bytes(); got > maxCopyBytes || got < maxCopyBytes/2 {
		t.Errorf("copies take %d bytes, want up to %d", got, maxCopyBytes)
	}
	if got := lists.lists.Bytes(); got > maxListBytes || got < maxListBytes/2 {
		t.Errorf("lists take %d bytes, want up to %d", got, maxListBytes)
	}
	if _, ok := lists.get("Default", "e", 1); !ok {
		t.Error("another tenant's list is gone")
	}
	if _, ok := lists.copies.held.Get("Default", 1); !ok {
		t.Error("another tenant's webhook is gone")
	}
}

func TestHealths_HoldNoResponses(t *testing.T) {
	t.Parallel()
	store := newReads(t)
	store.create(t, webhook.Webhook{Tenant: "Default", ID: 1})
	known := newHealths(Config{Webhooks: store, Logger: webhooktest.Logger(t), Now: func() time.Time { return noon }})
	fail := func(h webhook.Health) webhook.Health {
		h.TotalErrors, h.LastError = h.TotalErrors+1, strings.Repeat("e", webhook.MaxLastError)
		return h
	}
	if h, err := known.update(t.Context(), webhook.Key{Tenant: "Default", ID: 1}, fail); err != nil || len(h.LastError) != webhook.MaxLastError {
		t.Fatalf("stored %d bytes of LastError, %v", len(h.LastError), err)
	}
	if got := known.readOne(t.Context(), webhook.Key{Tenant: "Default", ID: 1}); got.health.TotalErrors != 1 || got.health.LastError != "" {
		t.Errorf("cached %d errors and %d bytes of LastError, want 1 and none", got.health.TotalErrors, len(got.health.LastError))
	}
	for id := range int32(100_000) {
		known.keep(webhook.Key{Tenant: "Hostile", ID: id}, reading{known: true, at: noon})
	}
	if got := known.remembered.Bytes(); got > maxHealthBytes {
		t.Errorf("100,000 readings take %d bytes, want up to %d", got, maxHealthBytes)
	}
	if _, ok := known.remembered.Get("Default", 1); !ok {
		t.Error("another tenant's health is gone")
	}
}

// A batch reports thousands of attempts of large webhooks with long responses.
func TestReports_HoldOneResponsePerWebhook(t *testing.T) {
	t.Parallel()
	noted := newReports(&Config{Random: webhooktest.Random(1)}, newHealths(Config{}), nil, newSuppressed())
	w := fat("Default", 1, nil)
	answer := strings.Repeat("e", webhook.MaxLastError-1)
	for _, result := range []webhook.Result{
		{StatusCode: 500, Error: failure.Status, Response: "1" + answer},
		{StatusCode: 500, Error: failure.Status, Response: "2" + answer},
		{StatusCode: 200, Response: "3" + answer},
		{Error: failure.Fast, Response: "4" + answer},
	} {
		noted.add(w, result)
	}
	have := noted.take(webhook.Key{Tenant: "Default", ID: 1})
	if have.webhook.TargetURL != "" || have.webhook.Headers != nil || have.webhook.Properties != nil {
		t.Error("a report holds the whole webhook")
	}
	said := ""
	for _, o := range have.observed {
		said += o.LastError
	}
	if len(said) > webhook.MaxLastError || !strings.Contains(said, "\n2ee") {
		t.Errorf("the report holds %d bytes of responses, want the last failure's: %.200q", len(said), said)
	}
	if h := (webhook.Health{}).Observe(have.observed...); h.LastError != said {
		t.Errorf("LastError is %.200q", h.LastError)
	}
}
