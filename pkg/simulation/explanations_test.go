package simulation_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/explain/explaintest"
	wiring "github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// mostExplained is how many pairs of an event and a webhook are explained at the
	// end of a run: all of them, except in runs with hundreds of webhooks.
	mostExplained = 400
	// explainEvery is how many steps of a run lie between two explanations on the way.
	explainEvery = 400
)

// explanations explain events while a run goes on and at its end, and compare what is
// said with the ledger. They read the tables without gates and draw from numbers of
// their own, so the run does not depend on them.
type explanations struct {
	w         *world
	explainer *explain.Explainer
	rnd       *rand.Rand
}

func newExplanations(w *world) *explanations {
	on := wiring.Contracts{
		Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Delivering: config.Delivering{Policy: w.policy, EventTTL: eventLife, DeliveryExtra: rowLife - eventLife},
		Webhooks:   w.db.peek.Webhooks(), Events: w.db.peek.Events(), Deliveries: w.db.peek.Deliveries(),
	}
	return &explanations{w: w, explainer: wiring.NewExplainer(on, wiring.NewRegistry(on)), rnd: rand.New(rand.NewPCG(w.seed, 0x6578706c61696e))}
}

// one explains a pair of an event and a webhook that is chosen at random, on the way.
func (x *explanations) one() {
	if id, hook, ok := x.some(); ok {
		x.check(id, hook)
	}
}

// some returns one of the newest events, of which something is still to come, and a
// webhook of its tenant.
func (x *explanations) some() (webhook.EventID, hook, bool) {
	l := x.w.witness
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order) == 0 {
		return "", 0, false
	}
	id := l.order[max(len(l.order)-1-x.rnd.IntN(8), 0)]
	own := slices.DeleteFunc(l.everyWebhook(), func(h hook) bool { return h.tenant() != l.events[id].event.Tenant })
	if len(own) == 0 {
		return "", 0, false
	}
	return id, own[x.rnd.IntN(len(own))], true
}

// all explains every pair at the end of a run, or as many as it may.
func (x *explanations) all() {
	type pair struct {
		event webhook.EventID
		hook  hook
	}
	var pairs []pair
	l := x.w.witness
	hooks := l.everyWebhook()
	for _, id := range l.order {
		for _, h := range hooks {
			if h.tenant() == l.events[id].event.Tenant {
				pairs = append(pairs, pair{id, h})
			}
		}
	}
	if len(pairs) > mostExplained {
		x.rnd.Shuffle(len(pairs), func(i, k int) { pairs[i], pairs[k] = pairs[k], pairs[i] })
		pairs = pairs[:mostExplained]
	}
	for _, p := range pairs {
		x.check(p.event, p.hook)
	}
}

// check explains an event for a webhook.
func (x *explanations) check(id webhook.EventID, hook hook) {
	l, now := x.w.witness, time.Now()
	l.mu.Lock()
	h, delay, erased := l.events[id], l.accounts[hook].history.Delay(), x.w.doom.erased(hook.tenant())
	l.mu.Unlock()
	if erased || now.Sub(id.Time()) >= eventLife || delay > explain.Committing-2*time.Second {
		return // its tenant is deleted, it has expired, or its process was frozen in the middle of a change
	}
	name := l.about(hook, webhook.EventID(h.name))
	said, err := x.explainer.One(context.Background(), webhook.Principal{Tenant: hook.tenant()}, h.event, hook.id())
	if err != nil {
		x.w.violated("explanations", "%s cannot be explained: %v", name, err)
		return
	}
	if err := explaintest.Check(said, x.witnessed(h, hook, now)); err != nil {
		said.Last = nil // an address would differ from run to run
		x.w.violated("explanations", "%s, %s: %v: %+v", name, h.event.Name, err, said)
	}
}

// witnessed returns what the ledger knows of an event and a webhook.
func (x *explanations) witnessed(h *happening, hook hook, now time.Time) explaintest.Witness {
	l := x.w.witness
	l.mu.Lock()
	defer l.mu.Unlock()
	e, history := l.event(h), l.accounts[hook].history
	accepted := h.event.ID.Time()
	from, until := earlier(e.From, accepted), later(h.dispatched, h.expanded)
	if until.IsZero() {
		until = now
	}
	row := l.rows[delivery.Key{Tenant: hook.tenant(), Webhook: hook.id(), Event: h.event.ID}]
	if !row.Exists() { // an explanation does not know when the event was dispatched
		until = later(until, earlier(now, accepted.Add(explain.Patience)))
	}
	// An explanation goes by the stamps of changes, which are earlier than the changes.
	stamped := accepted.Add(-explain.Committing)
	until = later(until, h.stored)
	wanted := history.Verdicts(e, accepted, from, until).Wanted
	v := history.Verdicts(e, accepted, earlier(from, stamped), until.Add(explain.Committing))
	soon := history.Verdicts(e, accepted, earlier(from, stamped), accepted.Add(explain.Patience))
	refusals := map[explain.Code]bool{}
	for code, is := range map[explain.Code]bool{
		explain.Stopped: v.Stopped, explain.Disabled: v.Disabled, explain.OtherApp: v.Hidden, explain.NotSubscribed: v.Unfit, explain.Filtered: v.Unasked,
		explain.CreatedLater: v.Absent || v.Late, explain.ActivatedLater: v.Absent || v.Late,
	} {
		if is {
			refusals[code] = true
		}
	}
	return explaintest.Witness{
		Accepted: accepted, Wanted: wanted, Refusals: refusals, Certain: soon.Wanted && !soon.Refused(),
		Exists: history.Last().Exists, Row: row, Now: now,
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
