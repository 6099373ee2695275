package simulation_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// witness records what was accepted, what was committed in
// which order, and what the targets saw. It reads the tables directly and does
// not depend on how the processes work.
type witness struct {
	w *world

	mu       sync.Mutex
	events   map[webhook.EventID]*happening
	order    []webhook.EventID
	webhooks map[hook][]revision
	epochs   map[webhook.Tenant]int64
	rows     map[delivery.Key]delivery.Row
	attempts map[delivery.Key][]*attempt
	grants   map[delivery.Key][]*grant
	streams  map[webhook.EventID][]*streamed
	accepted []webhook.EventID // signals that were accepted
	lost     bool              // Lambda gave up on events without a record of them
	once     map[string]hook   // webhooks by tenant and idempotency key
	intents  []webhook.Intent
	jobs     []job.Job // running ones
	replays  map[string]*replayed
	rounds   map[delivery.Key][]*replayed // that began rounds
	claims   map[string]bool              // by process and delivery: claimed rows without a message so far
	due      time.Time                    // the earliest SweepAt of all rows
	// overtaken are the tokens of leases that were just taken over.
	overtaken  []string
	healths    map[hook][]healthy
	accounts   map[hook]*account
	raised     []stateChange // events about webhooks
	changes    []stateChange // that must have raised one
	posts      map[hook]int  // made by attempts that count
	founded    map[hook]int  // calls before the run
	twice      map[hook]int  // calls that lost responses may have counted twice
	unknown    map[hook]bool // a fault may have lost a count
	hours      hours
	reasons    reasons
	shown      map[shown]int // resends of a row when it got its SweepAt
	preferred  map[hook]acceptance
	movedAt    map[hook]time.Time         // when the secret was last moved
	onceEvents map[string]webhook.EventID // by caller and idempotency key
	unsigned   map[hook]bool              // an attempt was made without a POST
	parked     map[putOff]bool
	timers     map[hook]time.Time         // when they are due
	committed  map[delivery.Key]time.Time // when rows were last written
	// waits is the time of each next attempt according to the policy.
	waits map[delivery.Key]time.Time
}

// happening is an event since it was stored.
type happening struct {
	name       string
	event      webhook.Event
	stored     time.Time
	dispatched time.Time // when the stream finished it
	expanded   time.Time // when the last message to expand it was finished
	told       ledger.Event
	newer      bool // a version of the service stored it that is newer than the processes
	unread     bool // it was newer at first
	about      hook // whose change of state it reports; 0: none
	outside    outside
}

// revision is a committed state of a webhook; a deletion is a revision that
// does not exist.
type revision struct {
	at     time.Time
	exists bool
	webhook.Webhook
}

// putOff is an attempt that waits in a parked row, and needs no message any more.
type putOff struct {
	key            delivery.Key
	round, attempt int
}

// healthy is a committed state of a webhook's health.
type healthy struct {
	at time.Time
	webhook.Health
}

// grant is a lease as shown by the row.
type grant struct {
	drained        bool // the row was parked
	process        *process
	round, attempt int
	token          string
	job            string // that started the round
	at             time.Time
	from           string // the token of the lease taken over
	expired        bool   // whether that lease had expired
}

// attempt is a POST as the process made it and as the target saw it.
type attempt struct {
	process  *process
	stream   *streaming // the call that made it; nil for the queue lane
	lease    *grant     // nil for the fast lane
	key      delivery.Key
	round    int
	began    time.Time
	arrived  time.Time // zero: never arrived
	success  bool      // the target responded with 2xx, whether or not the response arrived
	reported bool      // the process knows the result
	knownOK  bool
	inv      *invocation

	target     string // as the process means it
	retry      int
	replay     bool
	policy     string
	activation int64
	timeout    time.Duration    // of the webhook
	limit      time.Duration    // of the attempt
	requests   int              // that left the process
	posts      []ledger.Request // that arrived
	answer     ledger.Response  // to the last of them
	known      ledger.Response  // the answer, if it arrived
	over       bool             // its sender has stopped waiting
	ended      time.Time
	logged     bool
	kind       ledger.Kind
}

// streamed is a record in one call of the stream consumer.
type streamed struct {
	call *streaming
	age  time.Duration // the record's true age when the call began
}

func newWitness(w *world) *witness {
	return &witness{
		w: w, events: map[webhook.EventID]*happening{}, webhooks: map[hook][]revision{}, epochs: map[webhook.Tenant]int64{},
		rows: map[delivery.Key]delivery.Row{}, attempts: map[delivery.Key][]*attempt{},
		grants: map[delivery.Key][]*grant{}, streams: map[webhook.EventID][]*streamed{},
		accounts: map[hook]*account{}, hours: newHours(), posts: map[hook]int{}, founded: map[hook]int{}, reasons: newReasons(), shown: map[shown]int{}, preferred: map[hook]acceptance{}, movedAt: map[hook]time.Time{}, onceEvents: map[string]webhook.EventID{}, unsigned: map[hook]bool{}, twice: map[hook]int{}, unknown: map[hook]bool{},
		replays: map[string]*replayed{}, rounds: map[delivery.Key][]*replayed{}, claims: map[string]bool{}, healths: map[hook][]healthy{}, parked: map[putOff]bool{}, timers: map[hook]time.Time{}, committed: map[delivery.Key]time.Time{}, once: map[string]hook{}, waits: map[delivery.Key]time.Time{},
	}
}

// name returns an event's short name in the trace.
func (l *witness) name(id webhook.EventID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.events[id]; h != nil {
		return h.name
	}
	return "e?" + string(id[max(0, len(id)-4):])
}

func (l *witness) about(w hook, id webhook.EventID) string { return fmt.Sprintf("w%d/%s", w, id) }

func (l *witness) says(m delivery.Message) string {
	switch m.Kind {
	case delivery.MessageExpand:
		return "expand " + l.name(m.Event)
	case delivery.MessageRecord:
		return fmt.Sprintf("record w%d/%s round %d", about(m.Key()), l.name(m.Event), m.Round)
	case delivery.MessageDrain:
		return fmt.Sprintf("drain w%d, partition %d, limit %d, width %d", about(m.Key()), m.Partition, m.Limit, m.Width)
	case delivery.MessageAttempt:
	}
	return fmt.Sprintf("w%d/%s attempt %d.%d", about(m.Key()), l.name(m.Event), m.Round, m.Attempt)
}

func (l *witness) eventStored(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) {
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
		l.w.violated("store", "event %s was put but cannot be read: %v", id, err)
		return
	}
	h.event = e
	if life := e.ExpiresAt.Sub(h.stored); processOf(ctx) != nil && (life > eventLife+l.w.skew || life < eventLife-time.Hour) {
		l.w.violated("retention", "%s is kept for %s instead of %s", h.name, life, eventLife)
	}
	l.mu.Lock()
	l.toldEvent(processOf(ctx), h, tenant, id)
	l.mu.Unlock()
	l.w.tracef("stream", "%s is %s, key %d", h.name, e.Name, e.PrimaryKey)
	l.w.feed(ctx, e, h)
}

func (l *witness) webhookWritten(ctx context.Context, id hook) {
	w, err := l.w.db.peek.Webhooks().Get(ctx, id.tenant(), id.id())
	l.mu.Lock()
	defer l.mu.Unlock()
	if history := l.webhooks[id]; err == nil && len(history) > 0 && w.Revision != history[len(history)-1].Revision+1 {
		l.w.violated("revisions", "w%d went from revision %d to %d: a change is lost", id, history[len(history)-1].Revision, w.Revision)
	}
	if err == nil && len(l.webhooks[id]) > 0 && !l.exists(id) {
		l.w.violated("ids", "w%d was deleted but exists again", id)
	}
	if key, ok := strings.CutPrefix(w.Name, keyed); ok && err == nil && w.Revision == 1 {
		key = string(w.Tenant) + " " + key
		if other, known := l.once[key]; known && other != id && l.exists(other) {
			l.w.violated("idempotency", "one key created both w%d and w%d", other, id)
		}
		l.once[key] = id
	}
	l.told(processOf(ctx), id, err == nil, w)
	l.webhooks[id] = append(l.webhooks[id], revision{at: time.Now(), exists: err == nil, Webhook: w})
	if err == nil {
		l.w.tracef("webhooks", "w%d revision %d: %s, %s, %s, secret %s", id, w.Revision, w.State, strings.Join(w.Events, " "), w.TargetURL, w.Secret.Version)
	} else {
		l.w.tracef("webhooks", "w%d is deleted", id)
	}
	epoch, err := l.w.db.peek.Webhooks().Epoch(ctx, id.tenant())
	if was := l.epochs[id.tenant()]; err != nil || epoch <= was {
		l.w.violated("epoch", "w%d changed, but the epoch went from %d to %d", id, was, epoch)
	}
	l.epochs[id.tenant()] = epoch
	l.checkPointers(ctx, id)
}

// exists reports whether the webhook's last revision exists.
func (l *witness) exists(id hook) bool {
	history := l.webhooks[id]
	return len(history) > 0 && history[len(history)-1].exists
}

// checkPointers checks that a webhook has the pointers for its events.
func (l *witness) checkPointers(ctx context.Context, id hook) {
	w, err := l.w.db.peek.Webhooks().Get(ctx, id.tenant(), id.id())
	if err != nil {
		return
	}
	for _, key := range w.PointerKeys() {
		found, err := storetest.Subscribed(ctx, l.w.db.peek.Webhooks(), id.tenant(), key)
		if err != nil || !slices.ContainsFunc(found, func(x webhook.Webhook) bool { return x.ID == id.id() }) {
			l.w.violated("pointers", "w%d subscribes to %s at revision %d but has no pointer for it", id, key, w.Revision)
		}
	}
}

func (l *witness) pointerChanged(ctx context.Context, id hook) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkPointers(ctx, id)
}

func (l *witness) rowWritten(ctx context.Context, key delivery.Key) {
	row, err := l.w.db.peek.Deliveries().Get(ctx, key)
	if l.w.doom.erased(key.Tenant) && errors.Is(err, webhook.ErrNotFound) {
		l.erased(key)
		return
	}
	if err != nil {
		l.w.violated("store", "row of %v was written but cannot be read: %v", key, err)
		return
	}
	p, name := processOf(ctx), fmt.Sprintf("w%d/%s", about(key), l.name(key.Event))
	l.mu.Lock()
	defer l.mu.Unlock()
	if of := l.events[key.Event]; of != nil && of.event.Tenant != key.Tenant {
		l.w.violated("tenants", "%s is a row of tenant %s, but its event is of tenant %s", name, key.Tenant, of.event.Tenant)
	}
	old := l.rows[key]
	l.rows[key], l.committed[key] = row, time.Now()
	l.w.doom.wrote(p, old, row)
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
	l.checkRound(name, old, row)
	l.unsent(p, old, row)
	l.gaveUp(p, old, row)
	l.checkLife(name, p, old, row)
	l.checkDue(name, p, old, row)
	l.noteShown(row)
	if old.Parked && !row.Parked {
		l.reasons.received[key]++   // by a drain,
		l.reasons.byDelivery[key]++ // which sends a message if it leased the row too late to begin
	}
	l.countWrite(name, p, key)
	l.checkHolder(name, p, old, row)
	l.checkCut(name, p, old, row)
	l.checkParked(name, p, old, row)
	if row.Round > old.Round && old.Exists() && row.Replay == "" {
		l.reasons.byDelivery[key]++ // a retry
	}
	switch {
	case row.Round > old.Round:
		delete(l.waits, key)
	case row.AttemptCount > old.AttemptCount && row.Status == delivery.StatusPending:
		l.waits[key] = row.NextAt
	}
	if p != nil && strings.HasPrefix(p.name, "sweep") && row.Resends > old.Resends && row.SweepAt.After(old.SweepAt) && old.Exists() {
		l.claims[p.name+name] = true
		l.reasons.byDelivery[key]++
		if old.SweepAt.After(now.Add(time.Minute + l.w.skew)) {
			l.w.violated("sweep", "%s is claimed but not due before %s", name, stamp(old.SweepAt.Sub(l.w.began)))
		}
	}
	l.noteDue(old, row)
	if row.LeaseBy != "" && row.LeaseBy != old.LeaseBy {
		g := &grant{process: p, drained: old.Parked, job: row.Replay, round: row.Round, attempt: row.Attempt, token: row.LeaseBy, at: now}
		if old.LeaseBy != "" && old.Round == row.Round {
			g.from, g.expired = old.LeaseBy, old.LeaseUntil.Before(now.Add(l.w.skew))
			l.overtaken = append(l.overtaken, old.LeaseBy)
		}
		l.grants[key] = append(l.grants[key], g)
		if p != nil {
			p.leases[key] = g
		}
	}
}

// noteDue keeps the earliest time at which a row is due.
func (l *witness) noteDue(old, row delivery.Row) {
	earliest := func(r delivery.Row) {
		if r.Status == delivery.StatusPending && (l.due.IsZero() || r.SweepAt.Before(l.due)) {
			l.due = r.SweepAt
		}
	}
	if old.Status == delivery.StatusPending && old.SweepAt.Equal(l.due) {
		l.due = time.Time{}
		for _, r := range l.rows {
			earliest(r)
		}
	}
	earliest(row)
}

// cutLate reports whether a write returns the lease of an attempt that the queue lane
// cut short.
func cutLate(old, row delivery.Row) bool {
	return row.Status == delivery.StatusPending && row.Round == old.Round && old.LeaseBy != "" && row.LeaseBy == "" && row.Attempt == old.Attempt-1 &&
		row.AttemptCount == old.AttemptCount && len(row.Attempts) > 0 && row.Attempts[len(row.Attempts)-1].Error == "queue_timeout"
}

// checkCut checks that the holder of a lease returns it, and after an attempt that was
// cut short.
func (l *witness) checkCut(name string, p *process, old, row delivery.Row) {
	if p == nil || !cutLate(old, row) {
		return
	}
	if g := p.leases[row.Key]; g == nil || g.token != old.LeaseBy {
		l.w.violated("rows", "%s has its lease returned by %s, which does not hold it", name, p.name)
	}
	if !slices.ContainsFunc(p.current.attempts, func(a *attempt) bool { return a.key == row.Key && a.kind == ledger.CutLate }) {
		l.w.violated("rows", "%s has its lease returned, but no attempt was cut short", name)
	}
	l.parked[putOff{row.Key, row.Round, old.Attempt}] = true // the row brings the attempt back, if the message does not
}

// checkRow checks the invariants of a written row.
func (l *witness) checkRow(name string, old, row delivery.Row) {
	if row.Exists() && row.Status != delivery.StatusPending && (row.LeaseBy != "" || !row.LeaseUntil.IsZero() || !row.NextAt.IsZero() || !row.SweepAt.IsZero()) {
		l.w.violated("rows", "%s is %s but has a lease or a SweepAt", name, row.Status)
	}
	if old.Exists() && row.Round == old.Round && row.Attempt > old.Attempt && row.LeaseBy == "" && row.AttemptCount == old.AttemptCount {
		l.w.violated("rows", "%s moved to attempt %d without an attempt", name, row.Attempt)
	}
	yielded := cutLate(old, row)
	if row.Status == delivery.StatusPending && old.LeaseBy != "" && row.LeaseBy == "" && row.Round == old.Round && row.AttemptCount == old.AttemptCount && !yielded {
		l.w.violated("rows", "%s lost its lease before its attempt was over", name)
	}
	if row.Status == delivery.StatusPending && row.SweepAt.IsZero() {
		l.w.violated("rows", "%s is pending but no sweep would find it", name)
	}
	if row.Round < old.Round || row.Round == old.Round && row.Attempt < old.Attempt && !yielded {
		l.w.violated("rows", "%s went back from %d.%d to %d.%d", name, old.Round, old.Attempt, row.Round, row.Attempt)
	}
	// Rows truncate their times to the millisecond.
	leased := old.Leased(row.Updated.Add(time.Millisecond + l.w.skew))
	if row.Round > old.Round && leased {
		l.w.violated("rows", "%s began round %d under a live lease", name, row.Round)
	}
	if row.Round == old.Round && old.Status == delivery.StatusDelivered && row.Status != delivery.StatusDelivered {
		l.w.violated("rows", "%s was delivered but is %s in the same round", name, row.Status)
	}
	if (row.Status == delivery.StatusCancelled || row.Status == delivery.StatusExpired) && leased {
		l.w.violated("rows", "%s became %s under a live lease", name, row.Status)
	}
}

// unsent records an attempt that failed without a POST, because the secret that its
// webhook named was deleted meanwhile. Its process counts it as a call.
func (l *witness) unsent(p *process, old, row delivery.Row) {
	if p == nil || row.AttemptCount == old.AttemptCount || row.Attempts[len(row.Attempts)-1].Error != failure.Secret {
		return
	}
	last := row.Attempts[len(row.Attempts)-1]
	a := &attempt{
		process: p, inv: p.current, key: row.Key, round: row.Round, retry: last.Number - 1, began: last.At, ended: last.At,
		reported: true, over: true, logged: true, kind: ledger.Failed,
	}
	l.attempts[row.Key] = append(l.attempts[row.Key], a)
	l.tried(a, last.At, 0)
	l.reasons.byDelivery[row.Key]++
	l.unsigned[about(row.Key)], l.unknown[about(row.Key)] = true, true
	l.founded[about(row.Key)]++
}

// checkLife checks that a row is kept for its life after its last write, and no
// longer. A claim of the sweep does not count as a write.
func (l *witness) checkLife(name string, p *process, old, row delivery.Row) {
	if p == nil || row.Resends > old.Resends && row.ExpiresAt.Equal(old.ExpiresAt) {
		return
	}
	least, most := p.current.began.Add(rowLife-time.Millisecond-l.w.skew), time.Now().Add(rowLife+l.w.skew)
	if row.ExpiresAt.Before(least) || row.ExpiresAt.After(most) {
		l.w.violated("retention", "%s is written %s after it began and expires %s after that, instead of %s",
			name, stamp(time.Since(l.w.began)), time.Until(row.ExpiresAt), rowLife)
	}
}

// checkHolder checks that a failure is recorded by the holder of the lease. One
// recorded by another process would take the lease away from a running attempt.
func (l *witness) checkHolder(name string, p *process, old, row delivery.Row) {
	if p == nil || old.LeaseBy == "" || row.LeaseBy != "" || row.Round != old.Round || row.AttemptCount == old.AttemptCount || row.Status == delivery.StatusDelivered {
		return
	}
	if g := p.leases[row.Key]; g == nil || g.token != old.LeaseBy {
		l.w.violated("rows", "%s got a failure from %s while another process holds its lease", name, p.name)
	}
}

// begin records that a process starts a POST and checks what must hold at that
// moment: the process used a state, target and secret of the webhook that were
// committed within the last five seconds.
func (l *witness) begin(p *process, post webhook.Post, began time.Time) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := delivery.Key{Tenant: post.Webhook.Tenant, Webhook: post.Webhook.ID, Event: post.Event.ID}
	a := &attempt{
		process: p, key: key, round: 1, began: began, inv: p.current, target: post.Webhook.TargetURL, retry: post.Retry, replay: post.Replay,
		policy: string(cmp.Or(post.Webhook.Options.Policy, l.w.policy)), activation: post.Webhook.Activation, timeout: cmp.Or(post.Webhook.Options.Timeout, 30*time.Second), limit: post.Timeout,
	}
	p.making = append(p.making, a)
	name := fmt.Sprintf("w%d/%s", about(key), l.events[key.Event].name)
	l.checkTenants(name, post)
	if s, ok := p.calls[p.current]; ok {
		a.stream = s
	} else if g := p.leases[key]; g != nil {
		a.lease, a.round = g, g.round
		if post.Replay != (g.round > 1 || g.job != "") || post.Retry != g.attempt-1 {
			l.w.violated("rows", "%s is attempted under the lease of attempt %d.%d", name, g.round, g.attempt)
		}
	} else {
		l.w.violated("promise 2", "%s is attempted by %s without a lease", name, p.name)
	}
	delete(p.unmade, about(key))
	l.attempts[key] = append(l.attempts[key], a)
	a.inv.attempts = append(a.inv.attempts, a)
	l.checkFresh(name, post, began)
	l.checkCalled(name, a, post, began)
	l.checkBegun(name, a)
	l.checkLimits(name, a)
	l.checkLane(name, a)
	l.checkEarned(name, a)
	return a
}

// checkCalled checks attempts against their policy's times and the known health
// of the target: behind an open breaker only probes are made, and the fast lane
// does not call a target that was recently cut short.
func (l *witness) checkCalled(name string, a *attempt, post webhook.Post, began time.Time) {
	if at := l.waits[a.key]; a.lease != nil && began.Add(l.w.skew).Before(at) {
		l.w.violated("policy", "%s is attempted %s too early", name, at.Sub(began))
	}
	// Later commits need not be known: health may be five seconds old when a
	// call of the stream, or an attempt of the queue, is planned.
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
		l.w.violated("lanes", "%s is called by the fast lane, but was cut short %s ago", name, began.Sub(cut))
	}
	if !open || a.lease != nil && (a.lease.from != "" || a.lease.round > 1 && a.lease.attempt == 1 && l.rows[a.key].Replay == "") {
		return // a takeover finishes an attempt; manual requests always pass, those of jobs do not
	}
	if a.process.probes[about(a.key)] == 0 {
		l.w.violated("breaker", "%s is attempted by %s behind an open breaker", name, a.process.name)
		return
	}
	a.process.probes[about(a.key)]--
}

// checkProbes checks that a queue consumer call without trouble has made every
// probe that it took, or returned it.
func (l *witness) checkProbes(inv *invocation) {
	p := inv.process
	trouble := time.Now().After(inv.deadline) || inv.froze ||
		slices.ContainsFunc(p.troubles, func(t trouble) bool { return !t.at.Before(inv.began) })
	for id, n := range p.unmade {
		if history := l.healths[id]; n > 0 && !trouble && len(history) > 0 && history[len(history)-1].Breaker.ProbeBy == p.taken[id] {
			l.w.violated("breaker", "a probe of w%d was taken by %s, but no attempt was made", id, p.name)
		}
	}
	clear(p.unmade)
}

func (l *witness) healthWritten(ctx context.Context, id hook) {
	found, err := l.w.db.peek.Webhooks().Health(ctx, id.tenant(), []int32{id.id()})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.w.violated("store", "health of w%d was written but cannot be read: %v", id, err)
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
		l.w.violated("statistics", "w%d went back from %d calls and %d errors to %d and %d", id, was.TotalCalls, was.TotalErrors, now.TotalCalls, now.TotalErrors)
	}
	if by := now.Breaker.ProbeBy; by != "" && by != was.Breaker.ProbeBy {
		if p := processOf(ctx); p != nil {
			p.probes[id]++
			p.unmade[id]++
			p.taken[id] = by
		}
		if was.Breaker.Probing(time.Now().Add(l.w.skew)) && was.Activation == now.Activation {
			l.w.violated("breaker", "w%d has two probes at once", id)
		}
	}
	if p := processOf(ctx); p != nil && now.Breaker.Open() && now.Breaker.ProbeAt.Before(was.Breaker.ProbeAt) {
		p.probes[id] = max(p.probes[id]-1, 0) // returned: no attempt was made, or it was cut late
		p.unmade[id]--
	}
	l.checkCounts(ctx, id, was, now)
	if now.Breaker.Open() != was.Breaker.Open() {
		l.w.tracef("breaker", "w%d open: %v", id, now.Breaker.Open())
	}
	l.healths[id] = append(history, healthy{time.Now(), now})
}

// isDown reports whether the breaker of a webhook is open.
func (l *witness) isDown(id hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.breakerOpen(id)
}

// breakerOpen is isDown with mu held.
func (l *witness) breakerOpen(id hook) bool {
	history := l.healths[id]
	return len(history) > 0 && history[len(history)-1].Breaker.Open()
}

const grace = 5 * time.Second

func (l *witness) checkFresh(name string, post webhook.Post, began time.Time) {
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
		l.w.violated("promise 5", "%s is attempted, but its webhook was not active for %s", name, grace)
	} else if !fresh {
		l.w.violated("promises 5 and 6", "%s is attempted by revision %d of its webhook; in the last %s it was at %s",
			name, post.Webhook.Revision, grace, strings.Join(names, ", "))
	}
	if signed && post.Secrets.Current.IsZero() {
		l.w.violated("promise 6", "%s is attempted unsigned", name)
	}
	if ref := post.Webhook.Secret; ref.Name != "" {
		want := l.w.document(ref)
		if webhook.EncodeSecretDocument(want).Reveal() != webhook.EncodeSecretDocument(post.Secrets).Reveal() {
			l.w.violated("promise 6", "%s is attempted with a secret that its webhook does not reference", name)
		}
	}
}

// saw records that a POST arrived, and requires a cause if the target had
// already accepted the delivery.
func (l *witness) saw(a *attempt, r ledger.Request, m mood, answer ledger.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.tracef("target", "saw w%d/%s, is %s", about(a.key), l.events[a.key.Event].name, m.name)
	l.checkRequest(fmt.Sprintf("w%d/%s", about(a.key), l.events[a.key.Event].name), a, r)
	a.arrived, a.success, a.answer = time.Now(), answer.OK(), answer
	l.w.quitter.saw(about(a.key), answer)
	for _, before := range l.attempts[a.key] {
		if before == a || !before.success || before.round != a.round || before.arrived.IsZero() {
			continue
		}
		if cause := l.explain(before, a); cause == "" {
			l.w.violated("promise 2", "w%d/%s was accepted at %s and arrives again without a cause",
				about(a.key), l.events[a.key.Event].name, stamp(before.arrived.Sub(l.w.began)))
		} else {
			l.w.duplicates[cause]++
			l.w.tracef("LEDGER", "duplicate: %s", cause)
		}
	}
}

// explain returns the cause, among those listed by promise 2, for which an
// accepted delivery arrives again.
func (l *witness) explain(first, again *attempt) string {
	if first.reported && !first.knownOK || again.over && !again.knownOK { // or the request was
		return "the response was late"
	}
	about := l.w.witness.about(about(first.key), first.key.Event)
	for _, t := range first.process.troubles {
		if t.at.Before(first.arrived) {
			continue
		}
		if t.what == dieBefore || t.what == dieAfter {
			return "a crash between the POST and its recording"
		}
		if t.about == about {
			return "a fault between the POST and its recording"
		}
	}
	// The process whose lease was taken over may be the one that delivers
	// twice, or the one before the duplicate.
	for _, g := range l.grants[first.key] {
		if g.from == "" || !g.expired || g.round != first.round {
			continue
		}
		for _, a := range []*attempt{first, again} {
			if a.lease != nil && a.lease.token == g.from {
				return "an expired lease"
			}
		}
	}
	young := func(a *attempt) bool { return a.stream != nil && a.stream.ages[a.key.Event] < 2*time.Second+l.w.skew }
	if young(first) || young(again) {
		for _, s := range l.streams[first.key.Event] {
			if s.age < 2*time.Second+l.w.skew && s.call.lost {
				return "a young record delivered twice by the stream"
			}
		}
	}
	if (first.stream != nil || again.stream != nil) && l.w.ingestion.redispatched(l.events[first.key.Event]) {
		return "a redispatch of the period in which a record of a source was made, while the stream delivers its event"
	}
	return ""
}

// reportResult records the result of an attempt that the process learned.
func (l *witness) reportResult(a *attempt, result webhook.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.reported, a.knownOK, a.ended = !result.Interrupted, result.StatusCode/100 == 2, time.Now()
	l.reasons.byDelivery[a.key]++
	a.kind = l.kindOf(fmt.Sprintf("w%d/%s", about(a.key), l.events[a.key.Event].name), a, result)
	if result.StatusCode != 0 {
		a.known = a.answer
	}
	a.process.making = slices.DeleteFunc(a.process.making, func(x *attempt) bool { return x == a })
}

// expanded records that a message to expand an event is finished. A redispatch
// requested by a user, of an event that the stream has finished, does not
// change what was owed.
func (l *witness) expanded(m delivery.Message) {
	if h := l.events[m.Event]; h != nil && (m.Replay == "" || h.dispatched.IsZero()) {
		h.expanded = time.Now()
	}
}

// returned checks a finished call against what it knows: an accepted delivery
// must be recorded as delivered or be in a message.
func (l *witness) returned(inv *invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkProbes(inv)
	l.checkReported(inv)
	l.checkLogged(inv)
	l.checkSwept(inv)
	if l.w.sendFault(inv) || time.Now().After(inv.deadline) {
		return
	}
	for _, a := range inv.attempts {
		row := l.rows[a.key]
		if !a.knownOK || l.w.doom.erased(a.key.Tenant) || row.Round > a.round || row.Status == delivery.StatusDelivered || l.w.queue.holdsRecord(a.key) {
			continue
		}
		l.w.violated("rows", "w%d/%s was accepted by its target, as %s knew when it returned, but is %s",
			about(a.key), l.events[a.key.Event].name, inv.process.name, cmp.Or(string(row.Status), "without a row"))
	}
}

// acknowledged checks that the consumer acknowledges a message for an attempt
// only after that attempt is over, since the holder of its lease may be dead.
func (l *witness) acknowledged(inv *invocation, m delivery.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.rows[m.Key()]
	switch {
	case l.w.doom.erased(m.Tenant):
	case m.Kind == delivery.MessageRecord:
		// Until the row says so, the message is the only record of a success.
		if row.Round <= m.Round && row.Status != delivery.StatusDelivered && !l.w.queue.holdsRecord(m.Key()) {
			l.w.violated("queue", "%s is acknowledged, but the row is %s", fmt.Sprintf("record w%d/%s round %d", about(m.Key()), l.events[m.Event].name, m.Round), cmp.Or(string(row.Status), "absent"))
		}
	case m.Kind != delivery.MessageAttempt || row.Round > m.Round:
	case !row.Exists() && (m.Round > 1 || m.Attempt > 1):
	case row.Round == m.Round && (row.Status != delivery.StatusPending || row.Attempt > m.Attempt || row.Attempt == m.Attempt && row.LeaseBy == ""):
	case row.Round == m.Round && m.Hops > 0 && row.Resends > 0: // made due
	case l.parked[putOff{m.Key(), m.Round, m.Attempt}]:
	case slices.ContainsFunc(inv.attempts, func(a *attempt) bool { return a.key == m.Key() && a.knownOK }):
	default:
		l.w.violated("queue", "%s is acknowledged, but the row is %s at %d.%d", fmt.Sprintf("w%d/%s attempt %d.%d", about(m.Key()), l.events[m.Event].name, m.Round, m.Attempt), cmp.Or(string(row.Status), "absent"), row.Round, row.Attempt)
	}
}

func (l *witness) dispatched(id webhook.EventID) { l.events[id].dispatched = time.Now() }

func (l *witness) streamed(call *streaming) {
	for id, age := range call.ages {
		l.reasons.byEvent[id]++
		l.streams[id] = append(l.streams[id], &streamed{call, age})
	}
}

func (l *witness) firstDue() time.Time { return l.due }

func (l *witness) jobChanged(ctx context.Context) {
	jobs, err := l.w.db.peek.Jobs().Running(ctx, 1000)
	if err != nil {
		l.w.violated("store", "cannot read jobs: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = jobs
	l.noteReplays(processOf(ctx))
	for _, j := range jobs {
		if j.Kind != job.Redispatch {
			continue
		}
		l.w.ingestion.redispatchedTo = later(l.w.ingestion.redispatchedTo, j.To)
	}
}

// sent checks that the row is written first: a message for a later attempt or
// round must agree with its row.
func (l *witness) sent(p *process, out delivery.Outgoing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spend(p, out)
	m := out.Message
	if m.Slow && m.Kind == delivery.MessageAttempt { // forwarded: the other message may go
		l.parked[putOff{m.Key(), m.Round, m.Attempt}] = true
	}
	row := l.rows[m.Key()]
	if first := m.Round == 1 && m.Attempt == 1 && (p == nil || !strings.HasPrefix(p.name, "sweep")); !first && m.Kind == delivery.MessageAttempt && row.Round == m.Round && row.Replay != m.Replay {
		l.w.violated("replays", "a message for w%d/%s says that round %d is of the replay %q, but it is of %q", about(m.Key()), l.events[m.Event].name, m.Round, m.Replay, row.Replay)
	}
	if m.Kind != delivery.MessageAttempt || m.Round <= 1 && m.Attempt <= 1 || row.Round > m.Round || l.w.doom.erased(m.Tenant) {
		return
	}
	if row.Round < m.Round || row.Attempt < m.Attempt-1 || row.Attempt == m.Attempt-1 && row.LeaseBy != "" {
		l.w.violated("queue", "a message for %s is sent before its row, which is %s at %d.%d",
			fmt.Sprintf("w%d/%s attempt %d.%d", about(m.Key()), l.events[m.Event].name, m.Round, m.Attempt), cmp.Or(string(row.Status), "absent"), row.Round, row.Attempt)
	}
}

// refused records that the queue refused a message, which may be sent again.
func (l *witness) refused(key delivery.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reasons.byDelivery[key]++
}

func (l *witness) intentChanged(ctx context.Context) {
	intents, err := l.w.db.peek.Webhooks().Intents(ctx, time.Now().Add(1000*time.Hour), 1000)
	if err != nil {
		l.w.violated("store", "cannot read intents: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intents = intents
}

// sweeps checks that the sweep sends one message per claim: a waiting row is
// not sent every minute, nor by both of two sweeps.
func (l *witness) sweeps(p *process, m delivery.Message) {
	name := l.about(about(m.Key()), webhook.EventID(l.name(m.Event)))
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.claims[p.name+name] && l.begins(p, m) {
		return
	}
	if !l.claims[p.name+name] {
		l.w.violated("sweep", "a message for %s is sent, but the row was not claimed", name)
	}
	delete(l.claims, p.name+name)
}
