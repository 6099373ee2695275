package simulation_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// attemptOf returns the attempt of a process that made a request.
func (l *witness) attemptOf(p *process, r ledger.Request) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(p.making) - 1; i >= 0; i-- {
		a := p.making[i]
		if a.target == r.Target && l.events[a.key.Event].told.ID == r.Get("webhook-id") && a.retry == r.Retry() {
			a.requests++
			return a
		}
	}
	return nil
}

// checkBegun checks that an attempt is the first of its round, or that the one before
// it failed and the wait for this one is over.
func (l *witness) checkBegun(name string, a *attempt) {
	var before *attempt
	early := time.Duration(0)
	for _, x := range l.attempts[a.key] {
		switch {
		case x == a || x.round != a.round || !x.reported:
		case x.retry == a.retry && x.kind == ledger.Failed && l.explain(x, a) == "":
			l.w.violated("policy", "%s makes attempt %d again, which failed at %s, without a cause", name, a.retry+1, stamp(x.ended.Sub(l.w.began)))
			return
		case x.retry == a.retry-1 && (x.kind == ledger.Failed || x.kind == ledger.Undecided && x.lease != nil):
			before = x
			wait, _, ok := l.waitsAfter(x, a.retry)
			// Rows keep their times to the millisecond.
			if early = x.ended.Add(wait - time.Millisecond - l.w.skew).Sub(a.began); ok && early <= 0 {
				return
			} else if !ok {
				early = 0
			}
		}
	}
	switch {
	case a.retry == 0:
	case before == nil:
		l.w.violated("policy", "%s makes attempt %d, but attempt %d has not failed", name, a.retry+1, a.retry)
	case early > 0:
		l.w.violated("policy", "%s makes attempt %d %s too early", name, a.retry+1, early)
	default:
		l.w.violated("policy", "%s makes attempt %d, but there must be none after attempt %d", name, a.retry+1, a.retry)
	}
}

// checkRequest checks a POST as its target sees it.
func (l *witness) checkRequest(name string, a *attempt, r ledger.Request) {
	h := l.events[a.key.Event]
	account := l.accounts[about(a.key)]
	if h == nil || account == nil {
		l.w.violated("promise 9", "%s is of an event or a webhook that does not exist", name)
		return
	}
	e := l.event(h)
	if h.newer {
		l.w.violated("promise 1", "%s was stored by a newer version of the service, and is sent by one that cannot read all of it", name)
	}
	if !account.history.MayGet(e, r.Arrived) && !l.mayReplay(a, r.Arrived) {
		l.w.violated("promise 1", "%s (%s) was never to be sent to this webhook", name, e.Name)
	}
	var versions []ledger.Version
	for _, v := range account.history.Between(a.began.Add(-ledger.ViewLife), a.began) {
		if v.Exists && v.State == ledger.Active {
			versions = append(versions, v)
		}
	}
	if len(versions) == 0 {
		return // reported by checkFresh
	}
	if faults := r.Faults(versions, e, agent); len(faults) > 0 {
		l.w.violated("wire", "%s: %s", name, strings.Join(faults, ", and "))
	}
	l.checkPreference(name, a, r, versions)
	l.checkSecond(name, a, r, versions)
	if a.replay != (r.Get("X-Posthaste-Replay") != "") {
		l.w.violated("wire", "%s is of round %d, but its header X-Posthaste-Replay is %q", name, a.round, r.Get("X-Posthaste-Replay"))
	}
}

// checkSecond checks that an attempt makes a second POST only after a response that
// refuses the first signature, with the other secret, and at once.
func (l *witness) checkSecond(name string, a *attempt, r ledger.Request, versions []ledger.Version) {
	first := a.posts
	a.posts = append(a.posts, r)
	if len(first) == 0 {
		return
	}
	status := a.answer.Status
	switch {
	case len(first) > 1:
		l.w.violated("rotation", "%s is sent %d times in one attempt", name, len(first)+1)
	case status != 400 && status != 401 && status != 403:
		l.w.violated("rotation", "%s is sent twice in one attempt, though the target answered %d", name, status)
	case first[0].Get("X-SuperOffice-Signature") == r.Get("X-SuperOffice-Signature"):
		l.w.violated("rotation", "%s is sent twice with the same signature", name)
	}
	for _, v := range versions {
		if v.Previous != "" && a.began.Add(-l.w.skew).Before(v.PreviousUntil) {
			return
		}
	}
	l.w.violated("rotation", "%s is sent twice, but the webhook has one secret", name)
}

// learned records that a process has the result of an attempt.
func (l *witness) learned(a *attempt, result webhook.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkDuration(fmt.Sprintf("w%d/%s", about(a.key), l.events[a.key.Event].name), a, result)
	l.notePreference(a, false)
	if result.Interrupted {
		return // it counts for nothing, and is made again
	}
	l.tried(a, result.At, result.Duration)
	id := about(a.key)
	if a.inv.unreported == nil {
		a.inv.unreported = map[hook][][]ledger.Outcome{}
	}
	// The last POST may have failed before it left.
	posts := 1 + result.Repeats
	if a.requests > posts || a.requests < posts-1 {
		l.w.violated("wire", "w%d/%s is said to have taken %d POSTs, and took %d", id, l.events[a.key.Event].name, posts, a.requests)
	}
	lists := slices.Clone(a.inv.waiting(id))
	for i, list := range lists {
		lists[i] = append(slices.Clone(list), ledger.Outcome{
			Activation: a.activation, Policy: a.policy, Began: result.At, Over: result.At.Add(result.Duration), Posts: posts, Kind: a.kind,
			Replay: a.lease != nil && a.lease.job != "",
		})
	}
	a.inv.unreported[id] = lists
	l.posts[id] += posts
	if a.inv.closed { // given up by its caller
		l.unknown[id] = true
	}
	if a.known.Status == 410 && a.kind == ledger.Failed {
		a.inv.refused = append(a.inv.refused, a)
	}
}

// kindOf returns how an attempt ended for its process.
func (l *witness) kindOf(name string, a *attempt, result webhook.Result) ledger.Kind {
	if result.StatusCode != 0 && result.StatusCode != a.answer.Status {
		l.w.violated("wire", "%s has status %d, but its target answered %d", name, result.StatusCode, a.answer.Status)
	}
	ok := result.StatusCode >= 200 && result.StatusCode <= 299
	if ok != (result.Error == failure.None) {
		l.w.violated("wire", "%s was answered with %d, and its result is %q", name, result.StatusCode, result.Error)
	}
	switch {
	case ok:
		return ledger.Accepted
	case result.Undecided:
		return ledger.Undecided
	case result.StatusCode == 0 && result.Error == failure.Timeout && a.timeout > a.limit && a.stream != nil:
		return ledger.CutShort
	case result.StatusCode == 0 && result.Error == failure.Timeout && a.timeout > a.limit:
		return ledger.CutLate
	}
	return ledger.Failed
}
