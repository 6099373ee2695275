package simulation_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// knownWebhooks returns a tenant's existing webhooks.
func (l *witness) knownWebhooks(tenant webhook.Tenant) []hook {
	var ids []hook
	for id, history := range l.webhooks {
		if id.tenant() == tenant && history[len(history)-1].exists {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// sortedRows returns the rows in a fixed order.
func (l *witness) sortedRows() []delivery.Key {
	keys := make([]delivery.Key, 0, len(l.rows))
	for key := range l.rows {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b delivery.Key) int {
		return cmp.Or(cmp.Compare(about(a), about(b)), cmp.Compare(a.Event, b.Event))
	})
	return keys
}

func (l *witness) someRow(rnd *rand.Rand) (delivery.Key, bool) {
	keys := l.sortedRows()
	if len(keys) == 0 {
		return delivery.Key{}, false
	}
	if rnd.IntN(3) > 0 { // rows with a running attempt are the most interesting
		if leased := slices.DeleteFunc(slices.Clone(keys), func(k delivery.Key) bool { return l.rows[k].LeaseBy == "" }); len(leased) > 0 {
			keys = leased
		}
	}
	return keys[rnd.IntN(len(keys))], true
}

// audit checks the promises at the end of a run.
func (l *witness) audit() {
	for _, id := range l.accepted {
		if l.events[id] == nil && !l.w.doom.refuses(l.w.doom.tenant) {
			l.w.violated("promise 1", "signal %s was accepted, but its event does not exist", id)
		}
	}
	for _, id := range l.order {
		for _, hook := range l.everyWebhook() {
			if hook.tenant() == l.events[id].event.Tenant {
				l.auditDelivery(id, hook)
			}
		}
	}
	for _, key := range l.sortedRows() {
		if !l.w.doom.erased(key.Tenant) {
			l.auditRow(key, l.rows[key])
		}
	}
	l.auditReplays()
	l.auditSecrets()
	l.auditStateEvents()
	l.auditNeighbors()
	l.auditCounts()
	l.auditHours()
}

func (l *witness) everyWebhook() []hook {
	var ids []hook
	for id := range l.webhooks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// auditDelivery checks promise 1: a webhook that was owed the event, under one
// activation until the event was dispatched, received it or has a row that says
// why not.
func (l *witness) auditDelivery(id webhook.EventID, hook hook) {
	h := l.events[id]
	if l.w.doom.erased(hook.tenant()) || !l.owed(h, hook) {
		return
	}
	key := delivery.Key{Tenant: hook.tenant(), Webhook: hook.id(), Event: id}
	if l.rows[key].Exists() {
		return
	}
	l.w.violated("promise 1", "w%d should have received %s (%s) but has no row", hook, h.name, h.event.Name)
}

// owed reports whether a webhook was owed an event from when it was stored
// until the dispatcher had finished it.
func (l *witness) owed(h *happening, hook hook) bool {
	until := h.dispatched
	if h.expanded.After(until) {
		until = h.expanded
	}
	e := l.event(h)
	history := l.accounts[hook].history
	accepted := earlier(e.From, h.event.ID.Time()) // an earlier call with the same idempotency key may have drawn the id
	if versions := history.Between(e.Stored, e.Stored); h.dispatched.IsZero() && len(versions) > 0 && versions[0].ActivatedAt.After(accepted.Add(-l.w.skew)) {
		return false // a redispatch skips webhooks activated after the event
	}
	return history.MustGet(e, until)
}

// auditRow checks a row against the targets' and the webhooks' history.
func (l *witness) auditRow(key delivery.Key, row delivery.Row) {
	name := l.about(about(key), key.Event)
	if h := l.events[key.Event]; h != nil {
		name = l.about(about(key), webhook.EventID(h.name))
	}
	accepted, knownAccepted, final := false, false, false
	made := 0
	for _, a := range l.attempts[key] {
		if a.round != row.Round {
			continue
		}
		made++
		accepted = accepted || a.success && !a.arrived.IsZero()
		final = final || a.answer.Final()
		// A process that knew of the success and finished has recorded it or
		// handed it off.
		knownAccepted = knownAccepted || a.knownOK && a.inv.returned && !l.w.sendFault(a.inv)
	}
	switch row.Status {
	case delivery.StatusDelivered:
		if !accepted {
			l.w.violated("rows", "%s is delivered, but its target never accepted it", name)
		}
	case delivery.StatusPending:
		l.w.violated("promise 1", "%s is pending at the end", name)
	case delivery.StatusFailed:
		if !final && row.Attempt <= l.retries(about(key)) {
			l.w.violated("promise 1", "%s has failed after %d attempts", name, row.Attempt)
		}
	case delivery.StatusCancelled:
		if !l.wasIdle(about(key), l.events[key.Event].stored) {
			l.w.violated("promise 1", "%s is cancelled, but its webhook was always active", name)
		}
	case delivery.StatusExpired:
		l.w.violated("promise 1", "%s has expired, but its event exists", name)
	}
	if knownAccepted && row.Status != delivery.StatusDelivered {
		l.w.violated("rows", "%s was accepted by its target, as its process knew, but is %s", name, row.Status)
	}
}

// retries returns the fewest retries that a delivery of the webhook may have had:
// users change its policy at any time.
func (l *witness) retries(hook hook) int {
	least := ledger.Retries("durable")
	for _, v := range l.accounts[hook].history {
		if v.Exists {
			least = min(least, ledger.Retries(v.Policy))
		}
	}
	return least
}

// wasIdle reports whether the webhook was not Active at some time after since.
func (l *witness) wasIdle(hook hook, since time.Time) bool {
	for i, r := range l.webhooks[hook] {
		if history := l.webhooks[hook]; i+1 < len(history) && history[i+1].at.Before(since) {
			continue
		}
		if !r.exists || r.State != webhook.StateActive {
			return true
		}
	}
	return false
}

// auditSecrets checks that every secret is referenced by a webhook or a relay and every
// reference has a secret.
func (l *witness) auditSecrets() {
	named := map[string]bool{}
	for _, id := range l.everyWebhook() {
		history := l.webhooks[id]
		ref := history[len(history)-1].Secret
		if !history[len(history)-1].exists || ref.Name == "" {
			continue
		}
		named[ref.Name] = true
		if ref.Sealed != "" {
			l.w.document(ref)
		} else if l.w.vault.secrets[ref.Name][ref.Version] == nil {
			l.w.violated("secrets", "w%d references %s %s, which does not exist", id, ref.Name, ref.Version)
		}
	}
	l.w.relays.auditSecrets(named)
	for _, name := range slices.Sorted(maps.Keys(l.w.vault.secrets)) {
		if !named[name] {
			l.w.violated("secrets", "%s belongs to no webhook or source, and nothing will delete it", name)
		}
	}
	if len(l.intents) > 0 {
		l.w.violated("secrets", "%d intents are left over", len(l.intents))
	}
}
