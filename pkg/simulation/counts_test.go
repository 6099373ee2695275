package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// countsOf returns what stored health says.
func countsOf(h webhook.Health) ledger.Counts {
	return ledger.Counts{
		Activation: h.Activation, Calls: int64(h.TotalCalls), Errors: int64(h.TotalErrors), Consecutive: int64(h.ConsecutiveErrors),
		LastOK: h.LastOK, FailingSince: h.FailingSince, LastCounted: h.LastCounted, Cut: h.FastTimeout, Slow: h.Slow, Latency: h.Latency,
		Failures: int(h.Breaker.Failures), Step: h.Breaker.Step, ProbeAt: h.Breaker.ProbeAt,
	}
}

func showCounts(c ledger.Counts) string {
	ms := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return t.UTC().Truncate(time.Millisecond).Format("02 15:04:05.000")
	}
	return fmt.Sprintf("%d calls, %d errors, %d in a row under activation %d, last success %s, failing since %s, last counted %s, cut %s, slow %t, latency %s, %d failures, breaker step %s, probe %s",
		c.Calls, c.Errors, c.Consecutive, c.Activation, ms(c.LastOK), ms(c.FailingSince), ms(c.LastCounted), ms(c.Cut), c.Slow, c.Latency, c.Failures, c.Step, ms(c.ProbeAt))
}

// checkCounts checks a write of a webhook's health: it must be the old one plus the
// first of the outcomes that the process has and has not reported yet.
func (l *witness) checkCounts(ctx context.Context, id hook, before, after webhook.Health) {
	p := processOf(ctx)
	if p == nil {
		return
	}
	was, now := countsOf(before), countsOf(after)
	if now.Calls == was.Calls {
		l.checkProbe(id, p, was, now)
		return
	}
	var rest, said [][]ledger.Outcome
	for _, waiting := range p.current.waiting(id) {
		for _, r := range counted(was, now, waiting) {
			rest, said = append(rest, slices.Delete(slices.Clone(waiting), r.from, r.to)), append(said, waiting[r.from:r.to])
		}
	}
	for _, d := range p.doubts[id] {
		// The response to a write was lost: it is repeated, and counts twice.
		if slices.ContainsFunc(counted(was, now, d), func(r stretch) bool { return r.to-r.from == len(d) }) {
			for _, o := range d {
				l.twice[id] += o.Posts
			}
			rest, said = append(rest, p.current.waiting(id)...), append(said, d)
		}
	}
	if len(said) == 0 {
		if !l.unsigned[id] {
			l.w.violated("statistics", "%s writes that w%d has\n  %s; before it had\n  %s; the attempts that it has made and not counted are %s",
				p.name, id, showCounts(now), showCounts(was), l.showOutcomes(p.current.waiting(id)[0]))
		}
		return
	}
	slices.SortFunc(rest, func(a, b []ledger.Outcome) int { return strings.Compare(l.showOutcomes(a), l.showOutcomes(b)) })
	p.current.unreported[id] = slices.CompactFunc(rest, slices.Equal)
	p.reported[id] = said[0]
	if !slices.ContainsFunc(said[0], func(o ledger.Outcome) bool { return !o.Replay }) {
		return // replays disable nothing
	}
	v := l.accounts[id].history.Last()
	if v.Exists && v.State == ledger.Active && v.Activation == now.Activation && now.Exhausted(said[0][len(said[0])-1].Policy, time.Now()) {
		p.current.exhausted = append(p.current.exhausted, exhausted{id, now.Activation})
	}
}

func (l *witness) showOutcomes(list []ledger.Outcome) string {
	var b strings.Builder
	for _, o := range list {
		fmt.Fprintf(&b, "\n    %s at %s, over at %s, %d POSTs, replay %t", o.Kind, stamp(o.Began.Sub(l.w.began)), stamp(o.Over.Sub(l.w.began)), o.Posts, o.Replay)
	}
	return b.String()
}

// stretch is a part of a list of outcomes.
type stretch struct{ from, to int }

// counted returns which of the waiting outcomes a write may have counted: some that
// follow each other, since a write takes all that there are and another one may
// overtake it.
func counted(was, now ledger.Counts, waiting []ledger.Outcome) (out []stretch) {
	for from := range waiting {
		want, to := was, from
		for ; want.Calls < now.Calls && to < len(waiting); to++ {
			want = want.After(waiting[to])
		}
		if was.Step == 0 {
			want = want.Near(now) // it opens the breaker
		}
		if showCounts(want) == showCounts(now) {
			out = append(out, stretch{from, to})
		}
	}
	return out
}

// waiting returns the outcomes for a webhook that a call has and has not counted, in
// order. There are several lists if it is not certain which it counted.
func (inv *invocation) waiting(id hook) [][]ledger.Outcome {
	if lists := inv.unreported[id]; len(lists) > 0 {
		return lists
	}
	return [][]ledger.Outcome{nil}
}

// lostCall records that a call ended early: its process may not have counted what it
// knew.
func (l *witness) lostCall(inv *invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range inv.attempts {
		l.unknown[about(a.key)], l.hours.uncertain[about(a.key)] = true, true
	}
	l.checkCounted(inv, true)
}

// checkProbe checks a write that counts nothing: it takes a probe, or returns one.
func (l *witness) checkProbe(id hook, p *process, was, now ledger.Counts) {
	v := l.accounts[id].history.Last()
	fresh := was.Under(now.Activation)
	probed, ok := fresh.Probed(time.Now().Add(l.w.skew), v.Timeout+10*time.Second)
	changed := showCounts(fresh) != showCounts(now)
	if !changed {
		return
	}
	same := now
	same.Step, same.ProbeAt = fresh.Step, fresh.ProbeAt
	switch {
	case showCounts(same) != showCounts(fresh):
		l.w.violated("statistics", "%s changes the counts of w%d without an attempt: from %s to %s", p.name, id, showCounts(fresh), showCounts(now))
	case now.Step > fresh.Step && (!ok || now.ProbeAt.After(probed.ProbeAt.Add(probed.Step/10+2*l.w.skew+time.Second))), now.Step > probed.Step:
		l.w.violated("breaker", "%s takes a probe of w%d at %s, but it may not: %s", p.name, id, stamp(time.Since(l.w.began)), showCounts(fresh))
	}
}

// checkReported checks a call that had no trouble: it has reported every outcome, and
// disabled what must be disabled.
func (l *witness) checkReported(inv *invocation) {
	if time.Now().After(inv.deadline) || inv.froze || slices.ContainsFunc(inv.process.troubles, func(t trouble) bool { return !t.at.Before(inv.began) }) {
		for id := range inv.unreported {
			l.unknown[id] = true
		}
		l.checkCounted(inv, true)
		return
	}
	l.checkCounted(inv, false)
	for id := range inv.unreported {
		rest := slices.MinFunc(inv.waiting(id), func(a, b []ledger.Outcome) int { return len(a) - len(b) })
		if len(rest) > 0 && l.accounts[id].history.Last().Exists && !l.unsigned[id] {
			l.w.violated("statistics", "%s returned and has not counted %d attempts of w%d", inv.process.name, len(rest), id)
		}
	}
	for _, a := range inv.attempts {
		l.notePreference(a, true)
	}
	for _, e := range inv.exhausted {
		l.mustBeDisabled(inv, e.hook, e.activation, "its attempts have failed for too long")
	}
	for _, a := range inv.refused {
		l.mustBeDisabled(inv, about(a.key), a.activation, "its target answered 410")
	}
}

// exhausted is a webhook whose attempts under an activation have failed for too long.
type exhausted struct {
	hook       hook
	activation int64
}

func (l *witness) mustBeDisabled(inv *invocation, id hook, activation int64, why string) {
	v := l.accounts[id].history.Last()
	if v.Exists && v.State == ledger.Active && v.Activation == activation && len(l.accounts[id].history.Between(inv.began, time.Now())) < 5 {
		l.w.violated("disabling", "w%d is still Active when %s returns, but %s", id, inv.process.name, why)
	}
}

// mayDisable checks that the service has a reason to disable a webhook.
func (l *witness) mayDisable(p *process, id hook, was ledger.Version) {
	if was.State != ledger.Active {
		l.w.violated("disabling", "%s changes w%d, which is in state %d", p.name, id, was.State)
		return
	}
	for key, attempts := range l.attempts {
		if about(key) != id {
			continue
		}
		for _, a := range attempts {
			if a.reported && a.known.Status == 410 && a.activation == was.Activation {
				return
			}
		}
	}
	// The call decided by what it wrote. Another may have written a success since.
	for i, h := range l.healths[id] {
		if c := countsOf(h.Health); c.Activation != was.Activation || i+1 < len(l.healths[id]) && h.at.Before(p.current.began) {
			continue
		}
		for _, v := range l.accounts[id].history.Between(time.Now().Add(-ledger.ViewLife-100*time.Second), time.Now()) {
			if countsOf(h.Health).Exhausted(v.Policy, time.Now()) {
				return // under the options that the attempt was made with
			}
		}
	}
	l.w.violated("disabling", "%s disables w%d under activation %d, which has not failed for long enough", p.name, id, was.Activation)
}

// auditCounts checks the totals: each POST is counted once, unless a fault lost the
// count.
func (l *witness) auditCounts() {
	for _, id := range l.everyWebhook() {
		history := l.healths[id]
		if len(history) == 0 {
			continue
		}
		got, want := int(history[len(history)-1].TotalCalls), l.founded[id]+l.posts[id]
		if got > want+l.twice[id] || got < want && !l.unknown[id] {
			l.w.violated("statistics", "w%d has %d calls, but %d POSTs were made", id, got, want)
		}
	}
}
