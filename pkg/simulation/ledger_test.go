package simulation_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// ledger is the independent witness: what was accepted, what was committed, in
// which order, and what the targets saw. It reads the tables behind the
// processes' backs and knows nothing of how they work.
type ledger struct {
	w *world

	mu       sync.Mutex
	events   map[webhook.EventID]*happening
	order    []webhook.EventID
	webhooks map[hook][]revision
	epochs   map[webhook.Tenant]int64
	rows     map[webhook.DeliveryKey]webhook.Delivery
	attempts map[webhook.DeliveryKey][]*attempt
	grants   map[webhook.DeliveryKey][]*grant
	streams  map[webhook.EventID][]*streamed
	accepted []webhook.EventID // signals answered with success
	lost     bool              // the stream gave up events, and nobody knows of them
	once     map[string]hook   // webhooks by the tenant and the idempotency key they were created with
	intents  []webhook.Intent
	jobs     []webhook.Job   // that run
	claims   map[string]bool // by process and delivery: a row claimed and no message sent yet
	due      time.Time       // the earliest sweep of all rows
	// overtaken are the tokens of leases that were taken over just now.
	overtaken []string
	healths   map[hook][]healthy
	parked    map[putOff]bool
	// waits is the time of the next attempt as the policy has it.
	waits map[webhook.DeliveryKey]time.Time
}

// happening is an event, from when it was stored.
type happening struct {
	name       string
	event      webhook.Event
	stored     time.Time
	dispatched time.Time // when the stream was done with it
	expanded   time.Time // when the last message to expand it was done with
}

// revision is a committed state of a webhook; one that does not exist is its
// deletion.
type revision struct {
	at     time.Time
	exists bool
	webhook.Webhook
}

// putOff is an attempt that a process has parked in its row.
type putOff struct {
	process        *process
	key            webhook.DeliveryKey
	round, attempt int
}

// healthy is a committed state of a webhook's health.
type healthy struct {
	at time.Time
	webhook.Health
}

// grant is a lease as the row shows it.
type grant struct {
	process        *process
	round, attempt int
	token          string
	at             time.Time
	from           string // the token that was taken over
	expired        bool   // and whether its time was up
}

// attempt is a POST, as the process made it and as the target saw it.
type attempt struct {
	process *process
	stream  *streaming // the call it was made in; nil for the queue lane
	lease   *grant     // nil for the fast lane
	key     webhook.DeliveryKey
	round   int
	began   time.Time
	seen    time.Time // zero: never arrived
	success bool      // the target answered 2xx, whether or not the answer arrived
	told    bool      // the process knows what came of it
	knownOK bool
	inv     *invocation
	status  int
	abort   bool
}

// streamed is a record in one call of the stream consumer.
type streamed struct {
	call *streaming
	age  time.Duration // the record's true age when the call began
}

func newLedger(w *world) *ledger {
	return &ledger{
		w: w, events: map[webhook.EventID]*happening{}, webhooks: map[hook][]revision{}, epochs: map[webhook.Tenant]int64{},
		rows: map[webhook.DeliveryKey]webhook.Delivery{}, attempts: map[webhook.DeliveryKey][]*attempt{},
		grants: map[webhook.DeliveryKey][]*grant{}, streams: map[webhook.EventID][]*streamed{},
		claims: map[string]bool{}, healths: map[hook][]healthy{}, parked: map[putOff]bool{}, once: map[string]hook{}, waits: map[webhook.DeliveryKey]time.Time{},
	}
}

// name is an event's short name in the trace.
func (l *ledger) name(id webhook.EventID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.events[id]; h != nil {
		return h.name
	}
	return "e?" + string(id[max(0, len(id)-4):])
}

func (l *ledger) about(w hook, id webhook.EventID) string { return fmt.Sprintf("w%d/%s", w, id) }

func (l *ledger) says(m webhook.Message) string {
	switch m.Kind {
	case webhook.MessageExpand:
		return "expand " + l.name(m.Event)
	case webhook.MessageRecord:
		return fmt.Sprintf("record w%d/%s round %d", about(m.Key()), l.name(m.Event), m.Round)
	case webhook.MessageAttempt:
	}
	return fmt.Sprintf("w%d/%s attempt %d.%d", about(m.Key()), l.name(m.Event), m.Round, m.Attempt)
}

func (l *ledger) eventStored(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) {
	l.mu.Lock()
	if l.events[id] != nil {
		l.mu.Unlock()
		return
	}
	h := &happening{name: fmt.Sprintf("e%d", len(l.order)+1), stored: time.Now()}
	l.events[id] = h
	l.order = append(l.order, id)
	l.mu.Unlock()
	e, err := l.w.db.peek.Events().Get(ctx, tenant, id)
	if err != nil {
		l.w.violated("store", "event %s was put and cannot be read: %v", id, err)
		return
	}
	h.event = e
	l.w.tracef("stream", "%s is %s, key %d", h.name, e.Name, e.PrimaryKey)
	l.w.feed(e, h)
}

func (l *ledger) webhookWritten(ctx context.Context, id hook) {
	w, err := l.w.db.peek.Webhooks().Get(ctx, id.tenant(), id.id())
	l.mu.Lock()
	defer l.mu.Unlock()
	if history := l.webhooks[id]; err == nil && len(history) > 0 && w.Revision != history[len(history)-1].Revision+1 {
		l.w.violated("revisions", "w%d went from revision %d to %d: a change is lost", id, history[len(history)-1].Revision, w.Revision)
	}
	if err == nil && len(l.webhooks[id]) > 0 && !l.exists(id) {
		l.w.violated("ids", "w%d was deleted and is there again", id)
	}
	if key, ok := strings.CutPrefix(w.Name, keyed); ok && err == nil && w.Revision == 1 {
		key = string(w.Tenant) + " " + key
		if other, known := l.once[key]; known && other != id && l.exists(other) {
			l.w.violated("idempotency", "one key has created w%d and w%d", other, id)
		}
		l.once[key] = id
	}
	l.webhooks[id] = append(l.webhooks[id], revision{at: time.Now(), exists: err == nil, Webhook: w})
	if err == nil {
		l.w.tracef("webhooks", "w%d revision %d: %s, %s, %s, secret %s", id, w.Revision, w.State, strings.Join(w.Events, " "), w.TargetURL, w.Secret.Version)
	} else {
		l.w.tracef("webhooks", "w%d is deleted", id)
	}
	epoch, err := l.w.db.peek.Webhooks().Epoch(ctx, id.tenant())
	if was := l.epochs[id.tenant()]; err != nil || epoch <= was {
		l.w.violated("epoch", "w%d changed, and the epoch went from %d to %d", id, was, epoch)
	}
	l.epochs[id.tenant()] = epoch
	l.checkPointers(ctx, id)
}

// exists reports whether a webhook was there when it was written last.
func (l *ledger) exists(id hook) bool {
	history := l.webhooks[id]
	return len(history) > 0 && history[len(history)-1].exists
}

// checkPointers holds every webhook to having the pointers that its events
// need.
func (l *ledger) checkPointers(ctx context.Context, id hook) {
	w, err := l.w.db.peek.Webhooks().Get(ctx, id.tenant(), id.id())
	if err != nil {
		return
	}
	for _, key := range w.PointerKeys() {
		found, err := storetest.Subscribed(ctx, l.w.db.peek.Webhooks(), id.tenant(), key)
		if err != nil || !slices.ContainsFunc(found, func(x webhook.Webhook) bool { return x.ID == id.id() }) {
			l.w.violated("pointers", "w%d subscribes to %s at revision %d and has no pointer for it", id, key, w.Revision)
		}
	}
}

func (l *ledger) pointerChanged(ctx context.Context, id hook) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkPointers(ctx, id)
}

func (l *ledger) rowWritten(ctx context.Context, key webhook.DeliveryKey) {
	row, err := l.w.db.peek.Deliveries().Get(ctx, key)
	if err != nil {
		l.w.violated("store", "row of %v was written and cannot be read: %v", key, err)
		return
	}
	p, name := processOf(ctx), fmt.Sprintf("w%d/%s", about(key), l.name(key.Event))
	l.mu.Lock()
	defer l.mu.Unlock()
	if of := l.events[key.Event]; of != nil && of.event.Tenant != key.Tenant {
		l.w.violated("tenants", "%s is a row of %s, and its event is of %s", name, key.Tenant, of.event.Tenant)
	}
	old := l.rows[key]
	l.rows[key] = row
	now := time.Now()
	lease := ""
	if row.LeaseBy != "" {
		lease = ", leased until " + stamp(row.LeaseUntil.Sub(l.w.began))
	}
	due := ""
	if !row.SweepAt.IsZero() {
		due = ", sweep at " + stamp(row.SweepAt.Sub(l.w.began))
	}
	l.w.tracef("rows", "%s is %s at %d.%d%s%s", name, row.Status, row.Round, row.Attempt, lease, due)
	l.checkRow(name, old, row)
	l.checkHolder(name, p, old, row)
	if row.Status == webhook.StatusPending && row.LeaseBy == "" && old.LeaseBy == "" && row.Attempt == old.Attempt && row.SweepAt.Equal(row.NextAt) {
		l.parked[putOff{p, key, row.Round, row.Attempt + 1}] = true
	}
	switch {
	case row.Round > old.Round:
		delete(l.waits, key)
	case row.AttemptCount > old.AttemptCount && row.Status == webhook.StatusPending:
		l.waits[key] = row.NextAt
	}
	if p != nil && strings.HasPrefix(p.name, "sweep") && row.Resends > old.Resends && row.SweepAt.After(old.SweepAt) && old.Exists() {
		l.claims[p.name+name] = true
		if old.SweepAt.After(now.Add(time.Minute)) {
			l.w.violated("sweep", "%s is claimed, and not due before %s", name, stamp(old.SweepAt.Sub(l.w.began)))
		}
	}
	l.due = time.Time{}
	for _, r := range l.rows {
		if r.Status == webhook.StatusPending && (l.due.IsZero() || r.SweepAt.Before(l.due)) {
			l.due = r.SweepAt
		}
	}
	if row.LeaseBy != "" && row.LeaseBy != old.LeaseBy {
		g := &grant{process: p, round: row.Round, attempt: row.Attempt, token: row.LeaseBy, at: now}
		if old.LeaseBy != "" && old.Round == row.Round {
			g.from, g.expired = old.LeaseBy, old.LeaseUntil.Before(now)
			l.overtaken = append(l.overtaken, old.LeaseBy)
		}
		l.grants[key] = append(l.grants[key], g)
		if p != nil {
			p.leases[key] = g
		}
	}
}

// checkRow holds every written row to what all rows promise.
func (l *ledger) checkRow(name string, old, row webhook.Delivery) {
	if row.Status.Terminal() && (row.LeaseBy != "" || !row.LeaseUntil.IsZero() || !row.NextAt.IsZero() || !row.SweepAt.IsZero()) {
		l.w.violated("rows", "%s is %s and carries a lease or a time to sweep it", name, row.Status)
	}
	if old.Exists() && row.Round == old.Round && row.Attempt > old.Attempt && row.LeaseBy == "" && row.AttemptCount == old.AttemptCount {
		l.w.violated("rows", "%s goes on to attempt %d, and none was made", name, row.Attempt)
	}
	if row.Status == webhook.StatusPending && old.LeaseBy != "" && row.LeaseBy == "" && row.Round == old.Round && row.AttemptCount == old.AttemptCount {
		l.w.violated("rows", "%s loses its lease, and its attempt is not over", name)
	}
	if row.Status == webhook.StatusPending && row.SweepAt.IsZero() {
		l.w.violated("rows", "%s is pending and no sweep would ever find it", name)
	}
	if row.Round < old.Round || row.Round == old.Round && row.Attempt < old.Attempt {
		l.w.violated("rows", "%s went back from %d.%d to %d.%d", name, old.Round, old.Attempt, row.Round, row.Attempt)
	}
	// Rows hold their times to the millisecond, rounded down.
	leased := old.Leased(row.Updated.Add(time.Millisecond))
	if row.Round > old.Round && leased {
		l.w.violated("rows", "%s began round %d under a live lease", name, row.Round)
	}
	if row.Round == old.Round && old.Status == webhook.StatusDelivered && row.Status != webhook.StatusDelivered {
		l.w.violated("rows", "%s was delivered and is %s in the same round", name, row.Status)
	}
	if (row.Status == webhook.StatusCancelled || row.Status == webhook.StatusExpired) && leased {
		l.w.violated("rows", "%s became %s under a live lease", name, row.Status)
	}
}

// checkHolder holds a failure to having been written by who holds the lease:
// another one's is no news, and takes the lease away from an attempt under way.
func (l *ledger) checkHolder(name string, p *process, old, row webhook.Delivery) {
	if p == nil || old.LeaseBy == "" || row.LeaseBy != "" || row.Round != old.Round || row.AttemptCount == old.AttemptCount || row.Status == webhook.StatusDelivered {
		return
	}
	if g := p.leases[row.DeliveryKey]; g == nil || g.token != old.LeaseBy {
		l.w.violated("rows", "%s is given a failure by %s, and another holds its lease", name, p.name)
	}
}

// begin notes that a process makes a POST, and checks what must hold the moment
// it starts: the webhook as it is used was the committed one within the last
// five seconds, and so were its state, its target and its secret.
func (l *ledger) begin(p *process, post webhook.Post, began time.Time) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := webhook.DeliveryKey{Tenant: post.Webhook.Tenant, Webhook: post.Webhook.ID, Event: post.Event.ID}
	a := &attempt{process: p, key: key, round: 1, began: began, inv: p.current}
	name := fmt.Sprintf("w%d/%s", about(key), l.events[key.Event].name)
	l.checkTenants(name, post)
	if s, ok := p.calls[p.current]; ok {
		a.stream = s
	} else if g := p.leases[key]; g != nil {
		a.lease, a.round = g, g.round
		if post.Replay != (g.round > 1) || post.Retry != g.attempt-1 {
			l.w.violated("rows", "%s is attempted under a lease of another attempt: that is for %d.%d", name, g.round, g.attempt)
		}
	} else {
		l.w.violated("promise 2", "%s is attempted by %s without a lease", name, p.name)
	}
	delete(p.unmade, about(key))
	l.attempts[key] = append(l.attempts[key], a)
	a.inv.attempts = append(a.inv.attempts, a)
	l.checkFresh(name, post, began)
	l.checkCalled(name, a, post, began)
	return a
}

// checkCalled holds attempts to the times that their policies have for them,
// and to what is known of the target's health: behind an open breaker only
// probes are made, and a target that was cut short is not called by the fast
// lane.
func (l *ledger) checkCalled(name string, a *attempt, post webhook.Post, began time.Time) {
	if at := l.waits[a.key]; a.lease != nil && began.Before(at) {
		l.w.violated("policy", "%s is attempted %s before its time", name, at.Sub(began))
	}
	// What was committed later need not be known: health may be five seconds
	// old when a call of the stream is planned, or an attempt of the queue.
	before := began.Add(-10 * time.Second)
	if a.stream != nil {
		before = a.inv.began.Add(-6 * time.Second)
	}
	open, cut := true, time.Time{}
	history := l.healths[about(a.key)]
	if len(history) == 0 || a.process.misled.After(before) {
		return
	}
	for i, h := range history {
		if i+1 < len(history) && history[i+1].at.Before(before) {
			continue
		}
		open = open && h.at.Before(began) && h.Under(post.Webhook.Activation).Breaker.Open()
		if h.at.Before(before) {
			cut = h.FastTimeout
		} else if i == 0 {
			open = false
		}
	}
	if a.stream != nil && !cut.IsZero() && began.Sub(cut) < 9*time.Minute {
		l.w.violated("lanes", "%s is called by the fast lane, and it was cut short %s ago", name, began.Sub(cut))
	}
	if !open || a.lease != nil && (a.lease.from != "" || a.lease.round > 1 && a.lease.attempt == 1) {
		return // a takeover sees an attempt to its end; what a person asked for passes always
	}
	if a.process.probes[about(a.key)] == 0 {
		l.w.violated("breaker", "%s is attempted by %s behind an open breaker", name, a.process.name)
		return
	}
	a.process.probes[about(a.key)]--
}

// checkProbes holds that a call of the queue consumer that met no trouble has
// made every probe that it took, or given it back.
func (l *ledger) checkProbes(inv *invocation) {
	p := inv.process
	trouble := time.Now().After(inv.deadline) || inv.froze ||
		slices.ContainsFunc(p.troubles, func(t trouble) bool { return !t.at.Before(inv.began) })
	for id, n := range p.unmade {
		if n > 0 && !trouble {
			l.w.violated("breaker", "a step of w%d is used up by %s, and no attempt was made", id, p.name)
		}
	}
	clear(p.unmade)
}

func (l *ledger) healthWritten(ctx context.Context, id hook) {
	found, err := l.w.db.peek.Webhooks().Health(ctx, id.tenant(), []int32{id.id()})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.w.violated("store", "health of w%d was written and cannot be read: %v", id, err)
		return
	}
	history := l.healths[id]
	now, exists := found[id.id()]
	if !exists {
		delete(l.healths, id) // with its webhook
		return
	}
	var was webhook.Health
	if len(history) > 0 {
		was = history[len(history)-1].Health
	}
	if now.TotalCalls < was.TotalCalls || now.TotalErrors < was.TotalErrors {
		l.w.violated("statistics", "w%d goes from %d calls and %d errors back to %d and %d", id, was.TotalCalls, was.TotalErrors, now.TotalCalls, now.TotalErrors)
	}
	if by := now.Breaker.ProbeBy; by != "" && by != was.Breaker.ProbeBy {
		if p := processOf(ctx); p != nil {
			p.probes[id]++
			p.unmade[id]++
		}
		if was.Breaker.Probing(time.Now()) && was.Activation == now.Activation {
			l.w.violated("breaker", "w%d is probed twice at once", id)
		}
	}
	if p := processOf(ctx); p != nil && now.Breaker.Open() && now.Breaker.ProbeAt.Before(was.Breaker.ProbeAt) {
		p.probes[id]-- // given back: no attempt was made
		p.unmade[id]--
	}
	if now.Breaker.Open() != was.Breaker.Open() {
		l.w.tracef("breaker", "of w%d is open: %v", id, now.Breaker.Open())
	}
	l.healths[id] = append(history, healthy{time.Now(), now})
}

// isDown reports whether the breaker of a webhook is open.
func (l *ledger) isDown(id hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	history := l.healths[id]
	return len(history) > 0 && history[len(history)-1].Breaker.Open()
}

const grace = 5 * time.Second

func (l *ledger) checkFresh(name string, post webhook.Post, began time.Time) {
	history := l.webhooks[hookOf(post.Webhook.Tenant, post.Webhook.ID)]
	fresh, active, signed := false, false, true
	var names []string
	for i, r := range history {
		if r.at.After(began) {
			break
		}
		if i+1 < len(history) && history[i+1].at.Before(began.Add(-grace)) {
			continue
		}
		names = append(names, fmt.Sprint(r.Revision))
		fresh = fresh || r.exists && r.Revision == post.Webhook.Revision
		active = active || r.exists && r.State == webhook.StateActive
		signed = signed && r.exists && r.Secret.Signed
	}
	if !active {
		l.w.violated("promise 5", "%s is attempted, and its webhook was not active for %s", name, grace)
	} else if !fresh {
		l.w.violated("promises 5 and 6", "%s is attempted by revision %d of its webhook; in the last %s it was at %s",
			name, post.Webhook.Revision, grace, strings.Join(names, ", "))
	}
	if signed && post.Secrets.Current.IsZero() {
		l.w.violated("promise 6", "%s is attempted unsigned", name)
	}
	if ref := post.Webhook.Secret; ref.Name != "" {
		want := l.w.vault.document(ref)
		if webhook.EncodeSecretDocument(want).Reveal() != webhook.EncodeSecretDocument(post.Secrets).Reveal() {
			l.w.violated("promise 6", "%s is attempted with another secret than its webhook names", name)
		}
	}
}

// saw notes that a POST arrived, and asks for the cause if the target had
// accepted this very delivery before.
func (l *ledger) saw(a *attempt, m mood) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.seen, a.success, a.status, a.abort = time.Now(), m.status/100 == 2, m.status, m.abort
	l.w.tracef("target", "saw w%d/%s, is %s", about(a.key), l.events[a.key.Event].name, m.name)
	for _, before := range l.attempts[a.key] {
		if before == a || !before.success || before.round != a.round || before.seen.IsZero() {
			continue
		}
		if cause := l.explain(before, a); cause == "" {
			l.w.violated("promise 2", "w%d/%s arrived at %s, was accepted, and arrives again without a cause",
				about(a.key), l.events[a.key.Event].name, stamp(before.seen.Sub(l.w.began)))
		} else {
			l.w.duplicates[cause]++
			l.w.tracef("LEDGER", "a duplicate: %s", cause)
		}
	}
}

// explain finds the cause, of those that promise 2 lists, for which a delivery
// that the target had accepted arrives again.
func (l *ledger) explain(first, again *attempt) string {
	if first.told && !first.knownOK {
		return "the answer did not come in time"
	}
	about := l.w.ledger.about(about(first.key), first.key.Event)
	for _, t := range first.process.troubles {
		if t.at.Before(first.seen) {
			continue
		}
		if t.what == dieBefore || t.what == dieAfter {
			return "a crash between the POST and its recording"
		}
		if t.about == about {
			return "a fault between the POST and its recording"
		}
	}
	// The process whose lease ran out and was taken over is the one that may
	// come twice, or that another one comes after.
	for _, g := range l.grants[first.key] {
		if g.from == "" || !g.expired || g.round != first.round {
			continue
		}
		for _, a := range []*attempt{first, again} {
			if a.lease != nil && a.lease.token == g.from {
				return "an expired lease of the delivery"
			}
		}
	}
	young := func(a *attempt) bool { return a.stream != nil && a.stream.ages[a.key.Event] < 2*time.Second }
	if young(first) || young(again) {
		for _, s := range l.streams[first.key.Event] {
			if s.age < 2*time.Second && s.call.lost {
				return "a second delivery by the stream of a young record"
			}
		}
	}
	return ""
}

// told notes what the process learned of an attempt.
func (l *ledger) told(a *attempt, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.told, a.knownOK = true, ok
}

// expanded notes that a message to expand an event is done with. One that somebody
// asked for by hand, of an event that the stream is done with, has no part in
// what was owed.
func (l *ledger) expanded(m webhook.Message) {
	if h := l.events[m.Event]; h != nil && (m.Replay == "" || h.dispatched.IsZero()) {
		h.expanded = time.Now()
	}
}

// returned holds a call that came to its end to what it knows: a delivery that
// its target accepted is written down as delivered, or a message says so.
func (l *ledger) returned(inv *invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkProbes(inv)
	if l.w.sendFault(inv) || time.Now().After(inv.deadline) {
		return
	}
	for _, a := range inv.attempts {
		row := l.rows[a.key]
		if !a.knownOK || row.Round > a.round || row.Status == webhook.StatusDelivered || l.w.queue.holdsRecord(a.key) {
			continue
		}
		l.w.violated("rows", "w%d/%s was accepted by its target, as %s knew when it returned, and is %s",
			about(a.key), l.events[a.key.Event].name, inv.process.name, cmp.Or(string(row.Status), "without a row"))
	}
}

// acknowledged holds the consumer to acknowledging a message for an attempt
// only when that attempt is over: whoever holds its lease may be dead.
func (l *ledger) acknowledged(inv *invocation, m webhook.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.rows[m.Key()]
	switch {
	case m.Kind == webhook.MessageRecord:
		// Until its row says so, a message is all that is known of a success.
		if row.Round <= m.Round && row.Status != webhook.StatusDelivered && !l.w.queue.holdsRecord(m.Key()) {
			l.w.violated("queue", "%s is acknowledged, and the row is %s", fmt.Sprintf("record w%d/%s round %d", about(m.Key()), l.events[m.Event].name, m.Round), cmp.Or(string(row.Status), "absent"))
		}
	case m.Kind != webhook.MessageAttempt || row.Round > m.Round:
	case !row.Exists() && (m.Round > 1 || m.Attempt > 1):
	case row.Round == m.Round && (row.Status.Terminal() || row.Attempt > m.Attempt || row.Attempt == m.Attempt && row.LeaseBy == ""):
	case row.Round == m.Round && m.Hops > 0 && row.Resends > 0: // made due
	case l.parked[putOff{inv.process, m.Key(), m.Round, m.Attempt}]:
	case slices.ContainsFunc(inv.attempts, func(a *attempt) bool { return a.key == m.Key() && a.knownOK }):
	default:
		l.w.violated("queue", "%s is acknowledged, and the row is %s at %d.%d", fmt.Sprintf("w%d/%s attempt %d.%d", about(m.Key()), l.events[m.Event].name, m.Round, m.Attempt), cmp.Or(string(row.Status), "absent"), row.Round, row.Attempt)
	}
}

func (l *ledger) dispatched(id webhook.EventID) { l.events[id].dispatched = time.Now() }

func (l *ledger) streamed(call *streaming) {
	for id, age := range call.ages {
		l.streams[id] = append(l.streams[id], &streamed{call, age})
	}
}

func (l *ledger) firstDue() time.Time { return l.due }

func (l *ledger) jobChanged(ctx context.Context) {
	jobs, err := l.w.db.peek.Jobs().Running(ctx, 1000)
	if err != nil {
		l.w.violated("store", "jobs cannot be read: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = jobs
}

// sent holds every message to the rule that the row comes first: one for a later
// attempt or round asks for what its row says already.
func (l *ledger) sent(m webhook.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.rows[m.Key()]
	if m.Kind != webhook.MessageAttempt || m.Round <= 1 && m.Attempt <= 1 || row.Round > m.Round {
		return
	}
	if row.Round < m.Round || row.Attempt < m.Attempt-1 || row.Attempt == m.Attempt-1 && row.LeaseBy != "" {
		l.w.violated("queue", "a message for %s is sent before its row: that is %s at %d.%d",
			fmt.Sprintf("w%d/%s attempt %d.%d", about(m.Key()), l.events[m.Event].name, m.Round, m.Attempt), cmp.Or(string(row.Status), "absent"), row.Round, row.Attempt)
	}
}

func (l *ledger) intentChanged(ctx context.Context) {
	intents, err := l.w.db.peek.Webhooks().Intents(ctx, time.Now().Add(1000*time.Hour), 1000)
	if err != nil {
		l.w.violated("store", "intents cannot be read: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intents = intents
}

// sweeps holds the sweep to one message for a claim: a row that waits for its
// turn is not sent every minute, nor by each of two sweeps.
func (l *ledger) sweeps(p *process, m webhook.Message) {
	name := l.about(about(m.Key()), webhook.EventID(l.name(m.Event)))
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.claims[p.name+name] {
		l.w.violated("sweep", "a message for %s is sent, and the row was not claimed", name)
	}
	delete(l.claims, p.name+name)
}
