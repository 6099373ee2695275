package simulation_test

import (
	"cmp"
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// crowd creates webhooks that subscribe to every event.
func (w *world) crowd(n int) {
	for i := range n {
		w.found(webhook.Webhook{Tenant: tenants[0], Events: []string{"*"}, TargetURL: w.urlAt(tenants[0], w.targets.hosts[i%len(w.targets.hosts)])}, webhook.SecretDocument{})
	}
}

// old creates webhooks with a long history: most with successes, so that their
// first attempts have earned the fast lane, and some with failures, so that
// their breakers are open. The secrets of some are being changed. Young webhooks
// have no history.
func (w *world) old(tenant webhook.Tenant, n int, young bool) {
	ctx := context.Background()
	for range n {
		doc := webhook.SecretDocument{Current: *w.newSecret(tenant)}
		if w.chance(0.3) {
			doc.Previous, doc.PreviousUntil = *w.newSecret(tenant), w.began.Add([]time.Duration{time.Second, time.Minute, 24 * time.Hour}[w.rnd.IntN(3)])
		}
		options := w.options()
		options.Policy = []webhook.Policy{"", "", webhook.PolicyDurable, webhook.PolicySuperOffice}[w.rnd.IntN(4)]
		id := w.found(webhook.Webhook{
			Tenant: tenant, App: w.app(), Name: "an old webhook", Events: w.wish(), TargetURL: w.url(tenant), Options: options,
			Properties: w.properties(),
		}, doc)
		if young {
			continue
		}
		reports := []webhook.HealthReport{{Activation: 1, At: w.began.Add(-time.Hour), Duration: 50 * time.Millisecond}}
		if w.rnd.IntN(4) == 0 {
			for i := range 10 {
				reports = append(reports, webhook.HealthReport{
					Activation: 1, At: w.began.Add(time.Duration(i-11) * 10 * time.Second), Error: failure.Status,
				})
			}
		}
		_, err := w.db.peek.Webhooks().UpdateHealth(ctx, tenant, id.id(), func(h webhook.Health) webhook.Health { return h.Observe(reports...) })
		if err != nil {
			w.violated("store", "cannot write an old webhook's health: %v", err)
		}
		w.witness.founded[id] = len(reports)
		w.witness.healthWritten(ctx, id)
	}
}

// found stores an Active webhook that exists before the run.
func (w *world) found(made webhook.Webhook, doc webhook.SecretDocument) hook {
	ctx := context.Background()
	made.State, made.Revision, made.Activation = webhook.StateActive, 1, 1
	made.ActivatedAt, made.Registered, made.Updated = w.began, w.began, w.began
	id, err := w.db.peek.Webhooks().NextID(ctx, made.Tenant)
	made.ID = id
	if !doc.Current.IsZero() {
		made.Secret = w.vault.old(made.Tenant, id, doc)
	}
	if err == nil {
		err = w.db.peek.Webhooks().Create(ctx, made)
	}
	if err != nil {
		w.violated("store", "cannot store an existing webhook: %v", err)
	}
	a := &account{secretHeaders: map[string]string{}, overlap: 24 * time.Hour}
	told := ledger.Webhook{
		Tenant: string(made.Tenant), ID: id, App: made.App, Name: made.Name, Patterns: made.Events, Target: made.TargetURL, State: ledger.Active,
		Properties: string(made.Properties), Policy: string(cmp.Or(made.Options.Policy, w.policy)), Timeout: cmp.Or(made.Options.Timeout, 30*time.Second),
		Format: string(cmp.Or(made.Options.Format, "superoffice")), Choice: choiceOf(made.Options), Fields: made.Options.Fields, Template: string(made.Options.Template), Secret: doc.Current.Reveal(), Previous: doc.Previous.Reveal(),
		PreviousUntil: doc.PreviousUntil, Activation: 1, ActivatedAt: w.began, Registered: w.began, Updated: w.began,
	}
	if made.Options.SecretOverlap != nil {
		a.overlap = *made.Options.SecretOverlap
	}
	a.history = ledger.History{{At: w.began, Exists: true, Webhook: told}}
	w.witness.accounts[hookOf(made.Tenant, id)] = a
	w.witness.webhooks[hookOf(made.Tenant, id)] = []revision{{at: w.began, exists: true, Webhook: made}}
	return hookOf(made.Tenant, id)
}

// update updates the functions: they can read all events from now on.
func (w *world) update() {
	w.tracef("weather", "the functions are updated, and read all events")
	w.newer = false
	for _, id := range w.witness.order {
		if h := w.witness.events[id]; h.newer && !w.doom.erased(h.event.Tenant) {
			h.newer = false
			image := w.db.image(context.Background(), h.event.Tenant, id)
			delete(image, "v")
			w.db.put(context.Background(), tableEvents, image)
		}
	}
}

// hog stores many events of the first tenant at once. One of its webhooks gets them
// all, and its target is down for a while.
func (w *world) hog() {
	ctx, now := context.Background(), time.Now()
	random := &randomness{w: w, process: "hog"}
	for i := range w.weather.hog {
		id, err := webhook.NewEventID(now, random)
		e := webhook.Event{
			Tenant: tenants[0], ID: id, Name: "contact.changed", PrimaryKey: int32(i), Data: []byte(dataOf(tenants[0])), At: now.UTC().Truncate(100),
			Hops: 1, ExpiresAt: now.Add(eventLife),
		}
		if err == nil {
			err = w.db.peek.Events().Put(ctx, e)
		}
		if err != nil {
			w.violated("store", "cannot store an event: %v", err)
		}
		w.witness.eventStored(ctx, e.Tenant, id)
		told := &w.witness.events[id].told
		told.Data, told.Hops, told.From = string(e.Data), 1, now
	}
}
