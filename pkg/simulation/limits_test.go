package simulation_test

import (
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The limits that docs/delivery.md states.
const (
	perWebhook      = 16
	perTenant       = 257 // of 512, while all others are free
	perBatchOfQueue = 5
	perDrains       = 128 // of one webhook
)

// checkLimits checks how many attempts a process makes at once.
func (l *witness) checkLimits(name string, a *attempt) {
	webhook, tenant, batch := 0, 0, 0
	for _, x := range a.process.making {
		if x.key.Tenant == a.key.Tenant {
			tenant++
		}
		if about(x.key) == about(a.key) && byDrain(x) == byDrain(a) {
			webhook++
			if x.inv == a.inv && a.stream == nil {
				batch++
			}
		}
	}
	most, mostOfBatch := perWebhook, perBatchOfQueue
	if byDrain(a) {
		most, mostOfBatch = perDrains, perDrains
	}
	if webhook > most || tenant > perTenant || batch > mostOfBatch {
		l.w.violated("limits", "%s is one of %d attempts that %s makes at once for its webhook, %d for its tenant, %d in its batch", name, webhook, a.process.name, tenant, batch)
	}
}

// byDrain reports whether a drain made the attempt.
// The index that it reads may lag, and show a row as parked that is not any more.
func byDrain(a *attempt) bool {
	return a.lease != nil && (a.lease.drained || strings.Contains(a.inv.label, "drain w"))
}

// checkEarned checks that a webhook has earned the fast lane: its target accepted an
// event since it was last cut short, as was known when the call began, and the record
// cannot be one that the stream sent before.
func (l *witness) checkEarned(name string, a *attempt) {
	if a.stream == nil {
		return
	}
	if age := a.stream.ages[a.key.Event]; age >= 2*time.Second+l.w.skew {
		l.w.violated("lanes", "%s takes the fast lane, though its record was %s old", name, age)
	}
	before := a.inv.began.Add(-6 * time.Second)
	history := l.healths[about(a.key)]
	if a.process.staleAt.After(before) || !l.exists(about(a.key)) { // its health was deleted with it
		return
	}
	for i, h := range history {
		if (i+1 == len(history) || !history[i+1].at.Before(before)) && h.LastOK.After(h.FastTimeout) && h.Latency < 500*time.Millisecond {
			return
		}
	}
	l.w.violated("lanes", "%s takes the fast lane, which its webhook has not earned", name)
}

// checkLane checks how long an attempt may take: what its lane allows, and in the slow
// lane, which only webhooks use that an attempt has shown to be slow, the webhook's
// timeout.
func (l *witness) checkLane(name string, a *attempt) {
	limit := min(ledger.QueueLimit, a.timeout)
	if a.stream != nil {
		limit = min(ledger.FastLimit, a.timeout)
	}
	shown := slices.ContainsFunc(l.healths[about(a.key)], func(h healthy) bool { return h.Slow }) ||
		slices.ContainsFunc(l.attempts[a.key], func(x *attempt) bool { return x.kind == ledger.CutLate }) // and health could not be written
	slow := a.stream == nil && a.limit == a.timeout && shown
	if a.limit != limit && !slow {
		l.w.violated("lanes", "%s may take %s, want %s", name, a.limit, limit)
	}
}

// checkDuration checks that an attempt ends within its time.
func (l *witness) checkDuration(name string, a *attempt, result webhook.Result) {
	limit := a.limit
	twice := result.Repeats > 0 || result.Undecided // the webhook is read in between, however long that takes
	if result.Duration > limit+200*time.Millisecond && !twice && a.known.Status/100 != 4 {
		l.w.violated("limits", "%s takes %s of %s", name, result.Duration, limit)
	}
}

// acceptance is the secret of two that a target accepted last.
type acceptance struct {
	current, previous, accepted string
	at                          time.Time // since when every process knows it, zero: not yet
}

// signedWith returns which of a webhook's two secrets signed the attempt's last POST.
func (l *witness) signedWith(a *attempt) (v ledger.Version, secret string) {
	if len(a.posts) == 0 {
		return v, ""
	}
	last := a.posts[len(a.posts)-1]
	for _, v := range l.accounts[about(a.key)].history.Between(a.began.Add(-ledger.ViewLife), a.began) {
		for _, secret := range []string{v.Secret, v.Previous} {
			if v.Previous != "" && secret != "" && last.Signs(secret) {
				return v, secret
			}
		}
	}
	return v, ""
}

// notePreference records which secret a target accepted: known says that the call has
// returned, so that other processes can know it. After an attempt in which one secret was
// refused and the other got another error or no response, the other one is next.
func (l *witness) notePreference(a *attempt, known bool) {
	if p := l.preferred[about(a.key)]; a.kind == ledger.Undecided || a.requests > 1 && a.kind != ledger.Accepted {
		p.at = time.Time{}
		l.preferred[about(a.key)] = p
	}
	if moved, ever := l.movedAt[about(a.key)]; a.kind != ledger.Accepted || ever && a.began.Before(moved.Add(grace)) {
		return // stored under a version that the webhook no longer has
	}
	v, secret := l.signedWith(a)
	if secret == "" {
		return
	}
	was := l.preferred[about(a.key)]
	now := acceptance{current: v.Secret, previous: v.Previous, accepted: secret}
	switch {
	case was.current != now.current || was.previous != now.previous || was.accepted != now.accepted:
		l.preferred[about(a.key)] = now
	case known && was.at.IsZero():
		was.at = time.Now()
		l.preferred[about(a.key)] = was
	}
}

// storedPreference returns the secret that stored health says the target accepted
// last, as of ten seconds ago: of attempts that overlapped, the one that began last
// counts. If it says none, it is the one that the ledger knows.
func (l *witness) storedPreference(a *attempt, v ledger.Version) string {
	revisions := l.webhooks[about(a.key)]
	for _, h := range slices.Backward(l.healths[about(a.key)]) {
		if h.at.After(a.began.Add(-10 * time.Second)) {
			continue
		}
		switch of := h.Signing; {
		case of.Version != revisions[len(revisions)-1].Secret.Version:
		case of.Signer == webhook.SignerPrevious:
			return v.Previous
		case of.Signer == webhook.SignerCurrent:
			return v.Secret
		}
		break
	}
	return l.preferred[about(a.key)].accepted
}

// checkPreference checks that an attempt starts with the secret that the target
// accepted last, or with the new one if it has accepted none.
func (l *witness) checkPreference(name string, a *attempt, r ledger.Request, versions []ledger.Version) {
	p := l.preferred[about(a.key)]
	if len(a.posts) > 0 || len(versions) != 1 || a.process.staleAt.After(a.began.Add(-20*time.Second)) {
		return
	}
	v := versions[0]
	if v.Previous == "" || v.Secret != p.current || v.Previous != p.previous || p.at.IsZero() || p.at.After(a.began.Add(-10*time.Second)) {
		return
	}
	if l.storedPreference(a, v) == p.accepted && !r.Signs(p.accepted) && a.began.Add(l.w.skew).Before(v.PreviousUntil) {
		l.w.violated("rotation", "%s is not signed first with the secret that its target accepted last", name)
	}
}
