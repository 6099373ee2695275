package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// replayed is a replay since its job was stored.
type replayed struct {
	job  job.Job
	at   time.Time // when it was stored
	hook hook
	plan replay.Plan // as the user stated it
	// seen are the rows of the period's events when it was begun.
	seen map[webhook.EventID]delivery.Row
}

// replayer begins replays of all events so far, and sometimes cancels one.
func replayer(u *user) {
	w := u.w
	known := w.witness.knownWebhooks(u.who.Tenant)
	if len(known) == 0 {
		return
	}
	id := known[w.rnd.IntN(len(known))]
	who := webhook.Principal{Tenant: u.who.Tenant, Associate: u.who.Associate}
	if running := w.witness.runningReplay(id); running != "" && w.chance(0.3) {
		u.call(fmt.Sprintf("cancel replay of w%d", id), func(ctx context.Context, e *environment) error {
			_, err := e.replays.Cancel(ctx, who, id.id(), running)
			return err
		}, func(error) {})
		return
	}
	plan := replay.Plan{
		From: w.began.Add(-25 * time.Hour), DryRun: w.chance(0.15), MaxPerSecond: []int{0, 1, 5, 500}[w.rnd.IntN(4)],
		Only: [][]replay.Reason{nil, {replay.Failed}, {replay.Missing}, {replay.Delivered}, {replay.Delivered, replay.Failed, replay.Missing}}[w.rnd.IntN(5)],
	}
	u.env.replaying = &plan
	u.call(fmt.Sprintf("replay w%d, %v", id, plan.Only), func(ctx context.Context, e *environment) error {
		_, err := e.replays.Begin(ctx, who, id.id(), plan)
		var invalid *webhook.ValidationError
		if errors.Is(err, webhook.ErrExists) || errors.Is(err, delivery.ErrRefused) || errors.Is(err, webhook.ErrNotFound) || errors.As(err, &invalid) {
			return nil
		}
		return err
	}, func(error) {})
}

func (l *witness) runningReplay(id hook) string {
	for _, j := range l.jobs {
		if j.Kind == job.Replay && hookOf(j.Tenant, j.Webhook) == id {
			return j.ID
		}
	}
	return ""
}

// noteReplays records the replays among the running jobs that are new. mu must be held.
func (l *witness) noteReplays(p *process) {
	for _, j := range l.jobs {
		if j.Kind != job.Replay || l.replays[j.ID] != nil {
			continue
		}
		if p == nil || p.replaying == nil {
			l.w.violated("replays", "%s is created, but no user asked for it", j.ID)
			continue
		}
		r := &replayed{job: j, at: time.Now(), hook: hookOf(j.Tenant, j.Webhook), plan: *p.replaying, seen: map[webhook.EventID]delivery.Row{}}
		for _, id := range l.order {
			if at := id.Time(); l.events[id].event.Tenant == j.Tenant && !at.Before(j.From) && at.Before(j.To) {
				r.seen[id] = l.rows[delivery.Key{Tenant: j.Tenant, Webhook: j.Webhook, Event: id}]
			}
		}
		l.replays[j.ID] = r
		for _, other := range l.jobs {
			if other.ID != j.ID && other.Kind == job.Replay && hookOf(other.Tenant, other.Webhook) == r.hook {
				l.w.violated("replays", "w%d has two running replays", r.hook)
			}
		}
	}
}

// mayReplay reports whether a replay may have caused an attempt, by its own round or by
// making the row that a later round is of.
func (l *witness) mayReplay(a *attempt, at time.Time) bool {
	for _, r := range l.rounds[a.key] {
		if l.accounts[r.hook].history.MayReplay(l.event(l.events[a.key.Event]), r.job.Made.Add(-l.w.skew), at) {
			return true
		}
	}
	return false
}

// checkRound checks a round that begins: after one that had begun, and of a replay once
// for each row and only of what was asked for.
func (l *witness) checkRound(name string, old, row delivery.Row) {
	if row.Round > old.Round && old.Waiting() {
		l.w.violated("replays", "%s begins another round, and the one before had not begun", name)
	}
	if row.Round <= old.Round || row.Replay == "" {
		return
	}
	r := l.replays[row.Replay]
	switch {
	case r == nil || r.plan.DryRun || r.hook != hookOf(row.Tenant, row.Webhook):
		l.w.violated("replays", "%s is replayed by %s, which no user asked for", name, row.Replay)
		return
	case old.Replay == row.Replay:
		l.w.violated("replays", "%s is replayed twice by %s", name, row.Replay)
	case old.Status == delivery.StatusPending || old.Status == delivery.StatusExpired:
		l.w.violated("replays", "%s is replayed, though it is %s", name, old.Status)
	case !r.asks(old.Status):
		l.w.violated("replays", "%s was %q, and %v was asked for", name, old.Status, r.plan.Only)
	}
	l.rounds[row.Key] = append(l.rounds[row.Key], r)
}

// asks reports whether the user asked for deliveries of this status.
func (r *replayed) asks(s delivery.Status) bool {
	of := map[delivery.Status]replay.Reason{"": replay.Missing, delivery.StatusFailed: replay.Failed, delivery.StatusCancelled: replay.Failed, delivery.StatusDelivered: replay.Delivered}
	reason, any := of[s]
	if len(r.plan.Only) == 0 {
		return any && reason != replay.Delivered
	}
	for _, only := range r.plan.Only {
		if any && only == reason {
			return true
		}
	}
	return false
}

// auditReplays checks that replays ended, and that those that are Done have begun a round
// of everything that was asked for, except events that could not be read. Then the Reason
// says so.
func (l *witness) auditReplays() {
	for _, id := range l.order {
		for _, r := range l.replays {
			row, asked := r.seen[id]
			if at := id.Time(); !asked && !at.Before(r.job.From) && at.Before(r.job.To) {
				asked = l.events[id].stored.Before(r.job.NotBefore) // while a webhook was created with it
			}
			if l.w.doom.erased(r.job.Tenant) || !asked || r.plan.DryRun || !r.asks(row.Status) {
				continue
			}
			ended, err := l.w.db.peek.Jobs().Get(context.Background(), r.job.ID)
			if err != nil || ended.Status == job.Running {
				l.w.violated("replays", "%s has not ended: %s, %v", r.job.ID, ended.Status, err)
				continue
			}
			now := l.rows[delivery.Key{Tenant: r.job.Tenant, Webhook: r.job.Webhook, Event: id}]
			if passedOver := ended.Reason != "" && l.events[id].unread; ended.Status != job.Done || passedOver || !l.accounts[r.hook].history.MustReplay(l.event(l.events[id]), r.at, ended.Updated.Add(l.w.skew)) {
				continue
			}
			if now.Round <= row.Round && (now.Status == row.Status || !now.Exists()) {
				l.w.violated("replays", "w%d/%s was %q, and no round of it is begun by %s, which asked for it", r.hook, l.events[id].name, row.Status, r.job.ID)
			}
		}
	}
}

// begins reports whether a message of the sweep begins a round of a replay: one in each
// call, since a slice whose outcome was not stored is repeated. It is a reason for the
// message.
func (l *witness) begins(p *process, m delivery.Message) bool {
	if l.replays[m.Replay] == nil || m.Attempt != 1 || p.current.begun[m.Key()] {
		return false
	}
	if p.current.begun == nil {
		p.current.begun = map[delivery.Key]bool{}
	}
	p.current.begun[m.Key()] = true
	l.reasons.byDelivery[m.Key()]++
	return true
}

// since sometimes has a create begin a replay. It returns what returns the registry to
// create with.
func (u *user) since(d webhook.Draft) func(*environment) (*webhook.Registry, error) {
	if d.State != webhook.StateActive || u.w.chance(0.8) {
		return func(e *environment) (*webhook.Registry, error) { return e.registry, nil }
	}
	plan := replay.Plan{From: u.w.began.Add(-25 * time.Hour), Only: []replay.Reason{replay.Missing}}
	u.env.replaying = &plan
	return func(e *environment) (*webhook.Registry, error) {
		stored, err := e.replays.Since(e.registry.Webhooks, u.who, d, plan.From)
		registry := *e.registry
		registry.Webhooks = stored
		return &registry, err
	}
}
