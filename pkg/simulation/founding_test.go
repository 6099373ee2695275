package simulation_test

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// crowd creates webhooks that subscribe to every event.
func (w *world) crowd(n int) {
	for i := range n {
		w.found(webhook.Webhook{Tenant: tenants[0], Events: []string{"*"}, TargetURL: urlOf(tenants[0], w.targets.hosts[i%len(w.targets.hosts)])})
	}
}

// old creates webhooks with a long history: most with successes, so that their
// first attempts have earned the fast lane, and some with failures, so that
// their breakers are open.
func (w *world) old(tenant webhook.Tenant, n int) {
	ctx := context.Background()
	for range n {
		id := w.found(webhook.Webhook{
			Tenant: tenant, Events: w.wish(), TargetURL: w.url(tenant),
			Secret: w.vault.old(tenant, webhook.SecretDocument{Current: *w.newSecret(tenant)}),
			Options: webhook.Options{
				Policy:  []webhook.Policy{"", "", webhook.PolicyDurable, webhook.PolicySuperOffice}[w.rnd.IntN(4)],
				Timeout: []time.Duration{0, 0, time.Second, 5 * time.Second, 100 * time.Second}[w.rnd.IntN(5)],
			},
		})
		reports := []webhook.HealthReport{{Activation: 1, At: w.began.Add(-time.Hour), Duration: 50 * time.Millisecond}}
		if w.rnd.IntN(4) == 0 {
			for i := range 10 {
				reports = append(reports, webhook.HealthReport{
					Activation: 1, At: w.began.Add(time.Duration(i-11) * 10 * time.Second), Error: webhook.AttemptStatus,
				})
			}
		}
		_, err := w.db.peek.Webhooks().UpdateHealth(ctx, tenant, id.id(), func(h webhook.Health) webhook.Health { return h.Observe(reports...) })
		if err != nil {
			w.violated("store", "cannot write an old webhook's health: %v", err)
		}
		w.ledger.healthWritten(ctx, id)
	}
}

// found stores an Active webhook that exists before the run.
func (w *world) found(made webhook.Webhook) hook {
	ctx := context.Background()
	made.State, made.Revision, made.Activation = webhook.StateActive, 1, 1
	made.ActivatedAt, made.Registered, made.Updated = w.began, w.began, w.began
	id, err := w.db.peek.Webhooks().NextID(ctx, made.Tenant)
	made.ID = id
	if err == nil {
		err = w.db.peek.Webhooks().Create(ctx, made)
	}
	if err != nil {
		w.violated("store", "cannot store an existing webhook: %v", err)
	}
	w.ledger.webhooks[hookOf(made.Tenant, id)] = []revision{{at: w.began, exists: true, Webhook: made}}
	return hookOf(made.Tenant, id)
}
