package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// outcome is the result of a run.
type outcome struct {
	seed       uint64
	violations []string
	trace      []string
	story      []string
	digest     uint64
	steps      int
	took       time.Duration // virtual
	events     int
	attempts   int
	fast       int // of these, in the fast lane
	duplicates map[string]int
	faults     int
}

// play runs one seed in its own bubble.
func play(t *testing.T, seed uint64, keep bool) (out outcome) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(seed, keep)
		faults := w.faults
		w.run(w.settled)
		if len(w.verdict) == 0 {
			w.witness.audit()
			w.ingestion.audit()
			w.doom.audit()
			w.aliens.audit()
			w.explanations.all()
			w.relays.audit() // stores events that nothing dispatches any more
		}
		out = outcome{
			seed: seed, violations: w.verdict, trace: w.trace, story: w.story(), digest: w.digest, steps: w.steps,
			took: time.Since(w.began), events: len(w.witness.order), duplicates: w.duplicates, faults: faults - w.faults,
		}
		for _, a := range w.witness.attempts {
			out.attempts += len(a)
			for _, x := range a {
				if x.stream != nil {
					out.fast++
				}
			}
		}
		w.end()
	})
	return out
}

func newWorld(seed uint64, keep bool) *world {
	rnd := rand.New(rand.NewPCG(seed, 0x706f737468617374))
	w := &world{
		seed: seed, rnd: rnd, weather: drawWeather(rnd), began: time.Now(), keep: keep,
		arrival: make(chan struct{}, 1), duplicates: map[string]int{}, down: map[string]time.Time{}, policy: webhook.PolicyDurable,
	}
	w.faults = w.weather.faults
	if rnd.IntN(3) == 0 {
		w.skew = 1800 * time.Millisecond
	}
	if rnd.IntN(3) == 0 {
		w.policy = webhook.PolicySuperOffice
	}
	w.tenants = tenants
	w.witness = newWitness(w)
	w.lag = newLag(w)
	w.db = newDatabase(w)
	w.queue = newQueue(w)
	w.vault = &vault{w: w, secrets: map[string]map[string]*version{}, written: map[webhook.SecretRef]webhook.SecretDocument{}}
	w.root = newRootSecret(w)
	w.bucket = &bucket{w: w, batches: map[string][]fed{}}
	w.targets = newTargets(w, rnd)
	w.tracef("weather", "%s, policy %s", w.weather, w.policy)
	for n := range 1 + rnd.IntN(2) {
		s := &shard{w: w, n: n, env: &environment{w: w, kind: fmt.Sprintf("deliver%d", n)}}
		w.shards = append(w.shards, s)
		w.actors = append(w.actors, s)
	}
	for n := range 2 {
		w.actors = append(w.actors, &poller{w: w, env: &environment{w: w, kind: fmt.Sprintf("retry%d", n)}})
	}
	sweeps := &schedule{w: w, last: w.began}
	for n := range 2 {
		sweeps.envs = append(sweeps.envs, &environment{w: w, kind: fmt.Sprintf("sweep%d", n)})
	}
	w.actors = append(w.actors, sweeps)
	user := func(name string, of webhook.Tenant, calls int, first time.Duration, step func(*user)) {
		env := &environment{w: w, kind: "api-" + name}
		who := webhook.Principal{Tenant: of, Associate: webhook.Associate{ID: int32(len(w.actors)), Name: name}}
		if name != "ann" && rnd.IntN(3) == 0 {
			who.App = w.app()
		}
		w.actors = append(w.actors, &user{w: w, name: name, who: who, env: env, left: calls, after: w.began.Add(first), step: step})
	}
	first := tenants[0]
	user("ann", first, 1+rnd.IntN(10), 0, manage)
	user("bob", w.anyTenant(), rnd.IntN(10), time.Second, manage)
	if w.weather.rivals {
		user("cyd", first, 4+rnd.IntN(8), 300*time.Millisecond, manage)
		user("dan", first, 4+rnd.IntN(8), 300*time.Millisecond, manage)
	}
	signals := 1 + rnd.IntN(14)
	if w.weather.siege {
		signals += 12
	}
	for _, tenant := range w.tenants { // the same number each, so that their epochs are equal
		w.old(tenant, max(w.weather.old, 1), w.weather.old == 0)
	}
	if w.weather.hog > 0 {
		w.found(webhook.Webhook{Tenant: tenants[0], Events: []string{"contact.changed"}, TargetURL: w.urlAt(tenants[0], w.targets.hosts[0])}, webhook.SecretDocument{})
	}
	if w.weather.crowd > 0 {
		w.crowd(w.weather.crowd)
		signals = 1 // each makes hundreds of deliveries
	}
	for n, tenant := range w.tenants[1:] {
		user(fmt.Sprintf("neighbor%d", n+1), tenant, 1+rnd.IntN(2), 100*time.Millisecond, signal)
	}
	user("sam", first, signals, 100*time.Millisecond+time.Duration(rnd.IntN(2)*rnd.IntN(4000))*time.Millisecond, signal)
	user("sue", w.anyTenant(), min(rnd.IntN(8), signals-1), time.Second, signal)
	if rnd.IntN(2) == 0 {
		user("ops", first, 1+rnd.IntN(8), []time.Duration{2 * time.Second, 10 * time.Second, 5 * time.Minute}[rnd.IntN(3)], operate)
	}
	if rnd.IntN(3) == 0 {
		user("ray", w.anyTenant(), 1+rnd.IntN(4), w.between(90*time.Second, 40*time.Minute), replayer)
	}
	if w.weather.newer {
		w.newer = true
		w.at(w.began.Add(w.between(2*time.Second, 25*time.Minute)), w.update)
	}
	if w.weather.hog > 0 {
		w.at(w.began.Add(time.Second), w.hog)
	}
	if rnd.IntN(12) == 0 {
		w.at(w.began.Add(time.Duration(rnd.IntN(5000))*time.Millisecond), func() {
			w.tracef("queue", "something else writes a message to the queue")
			w.queue.put("", []string{" ", "{", `{"kind":"attempt"}`, `{"kind":"later","tenant":"Cust1","event":"00dc6acf-ac64-73b5-ba92-6e4f57da0af8"}`}[rnd.IntN(4)], 0)
		})
	}
	w.ingestion = newIngestion(w)
	w.relays = newRelays(w)
	w.doom = newDoom(w)
	w.aliens = newAliens(w)
	w.damage = newDamage(w)
	w.capacity = newCapacity(w)
	w.quitter = newQuitter(w)
	w.explanations = newExplanations(w)
	w.at(w.began.Add(w.weather.lasts), func() {
		w.mu.Lock()
		w.calm = true
		w.mu.Unlock()
		w.tracef("weather", "clears up")
	})
	if w.weather.lossy {
		mended := w.between(5*time.Second, min(w.weather.lasts, 10*time.Minute))
		w.at(w.began.Add(mended), func() {
			w.weather.lossy = false
			w.tracef("weather", "the bucket recovers")
		})
		user("eve", first, 1, mended+10*time.Second, restore)
	}
	w.keeps()
	return w
}

// settled reports whether nothing is left to do.
func (w *world) settled() bool {
	if !w.calm || len(w.running) > 0 || len(w.queue.waiting) > 0 || slices.ContainsFunc(w.queue.dead, (*message).readable) || len(w.bucket.names) > 0 || len(w.timers) > 0 ||
		!w.ingestion.settled() || !w.relays.settled() || !w.witness.due.IsZero() || len(w.witness.intents) > 0 ||
		len(w.witness.jobs) > 0 || w.witness.lost {
		return false
	}
	for _, s := range w.shards {
		if !s.idle() {
			return false
		}
	}
	for _, a := range w.actors {
		if u, ok := a.(*user); ok && u.left > 0 {
			return false
		}
	}
	return true
}

// end ends all running goroutines without further effects.
func (w *world) end() {
	for len(w.running) > 0 {
		for _, inv := range w.running {
			w.mu.Lock()
			inv.process.dead, inv.closed = true, true
			w.mu.Unlock()
		}
		synctest.Wait()
		w.dismiss()
		w.reap()
		if len(w.running) > 0 {
			time.Sleep(time.Second)
		}
	}
	for i, p := range w.processes {
		w.mu.Lock()
		p.dead = true
		w.mu.Unlock()
		p.disconnect()
		w.senders[i].CloseIdle()
	}
	for range 3 { // targets that have not responded yet end
		time.Sleep(time.Minute)
		synctest.Wait()
		w.dismiss()
	}
}
