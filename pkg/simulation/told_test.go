package simulation_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// telling is a change of a webhook that a user tells the API.
type telling struct {
	who   webhook.Principal
	hook  hook // zero: a new one
	began time.Time
	// One of these is set. A draft is the one that the last try of the call used.
	draft      *webhook.Draft
	options    *webhook.Options
	endOverlap bool
	deletes    bool
}

// account is a webhook as the ledger knows it.
type account struct {
	history ledger.History
	// secretHeaders are the values of headers that the database does not hold.
	secretHeaders map[string]string
	overlap       time.Duration
	switched      []time.Time // when the secret changed
}

// committed records a version of a webhook. What it says must be what the API was
// told, or, if no user told it, what the service itself may change.
func (l *witness) told(p *process, id hook, exists bool, w webhook.Webhook) {
	at := time.Now()
	a := l.accounts[id]
	if a == nil {
		a = &account{secretHeaders: map[string]string{}, overlap: 24 * time.Hour}
		l.accounts[id] = a
	}
	was := a.history.Last()
	var t *telling
	if p != nil {
		t = p.telling
	}
	if !exists {
		if p != nil && !l.w.doom.erased(id.tenant()) && (t == nil || !t.deletes || t.hook != id) {
			l.w.violated("webhooks", "w%d is deleted by %s, which was not asked to", id, p.name)
		}
		a.history = append(a.history, ledger.Version{At: at, Webhook: was.Webhook})
		l.checkSeen(t, id, was)
		return
	}
	now := ledger.Webhook{
		Tenant: string(w.Tenant), ID: w.ID, App: was.App, Name: was.Name, Patterns: was.Patterns, Target: was.Target, State: was.State,
		Headers: was.Headers, Properties: was.Properties, Policy: was.Policy, Timeout: was.Timeout, Format: was.Format, Choice: was.Choice, Fields: was.Fields, Template: was.Template,
		Secret: was.Secret, Previous: was.Previous, PreviousUntil: was.PreviousUntil, Activation: was.Activation, ActivatedAt: was.ActivatedAt,
		Registered: was.Registered, By: was.By, Updated: w.Updated, UpdatedBy: was.UpdatedBy,
	}
	switch {
	case t == nil && l.moved(p, id, w):
	case t == nil:
		l.serviceChanged(p, id, was, &now)
	case t.hook != 0 && t.hook != id || t.deletes || t.hook == 0 && was.Exists:
		l.w.violated("promise 9", "a call about w%d of %s changes w%d", t.hook, t.who.Tenant, id)
	default:
		l.checkSeen(t, id, was)
		l.apply(a, t, &now, w)
	}
	if t != nil && (w.Updated.Before(t.began.Add(-time.Millisecond-l.w.skew)) || w.Updated.After(at.Add(l.w.skew))) {
		l.w.violated("webhooks", "w%d was updated at %s by a call that began at %s", id, w.Updated, t.began)
	}
	if now.State == ledger.Active && (!was.Exists || was.State != ledger.Active) {
		now.Activation, now.ActivatedAt = was.Activation+1, w.Updated
	}
	l.compare(id, now, w)
	if now.Secret != was.Secret || now.Previous != was.Previous {
		a.switched = append(a.switched, at)
	}
	a.history = append(a.history, ledger.Version{At: at, Exists: true, Webhook: now})
	l.owesStateEvent(id, p, was, now)
}

// checkSeen checks that the caller sees the webhook that its call changed.
func (l *witness) checkSeen(t *telling, id hook, was ledger.Version) {
	if t == nil || !was.Exists {
		return
	}
	if t.who.Tenant != id.tenant() || t.who.App != "" && t.who.App != was.App {
		l.w.violated("promise 9", "a caller of tenant %s and app %q changes w%d of app %q", t.who.Tenant, t.who.App, id, was.App)
	}
}

// serviceChanged checks a change that no user told: the service may only
// disable, or move the secret.
func (l *witness) serviceChanged(p *process, id hook, was ledger.Version, now *ledger.Webhook) {
	if p == nil { // made before the run
		return
	}
	now.State = ledger.TooManyErrors
	l.mayDisable(p, id, was)
}

// apply applies a told change.
func (l *witness) apply(a *account, t *telling, now *ledger.Webhook, w webhook.Webhook) {
	now.UpdatedBy = t.who.Associate.ID
	switch {
	case t.options != nil:
		o := t.options
		now.Policy, now.Timeout, now.Format = string(cmp.Or(o.Policy, l.w.policy)), cmp.Or(o.Timeout, 30*time.Second), string(cmp.Or(o.Format, "superoffice"))
		now.Choice, now.Fields, now.Template = choiceOf(*o), o.Fields, string(o.Template)
		if a.overlap = 24 * time.Hour; o.SecretOverlap != nil {
			a.overlap = *o.SecretOverlap
		}
	case t.endOverlap:
		now.Previous, now.PreviousUntil = "", time.Time{}
	case t.draft != nil:
		d := t.draft
		if t.hook == 0 {
			now.App, now.State, now.Registered, now.By = t.who.App, ledger.Active, w.Registered, t.who.Associate.ID
			now.Policy, now.Timeout, now.Format = string(l.w.policy), 30*time.Second, "superoffice"
		}
		now.Name, now.Patterns, now.Target, now.Properties = d.Name, d.Events, d.TargetURL, string(d.Properties)
		if d.State != webhook.StateUnknown {
			now.State = ledger.State(d.State)
		}
		a.draftSecrets(d, now, w.Updated)
	}
}

// choiceOf returns what options say about which events to send.
func choiceOf(o webhook.Options) ledger.Choice {
	return ledger.Choice{Filter: string(o.Filter), Only: o.OnlyFields, Ignore: o.IgnoreFields, Skip: o.SkipOwn}
}

const mask = "********"

func (a *account) draftSecrets(d *webhook.Draft, now *ledger.Webhook, at time.Time) {
	if d.Secret != nil {
		switch text := d.Secret.Reveal(); text {
		case mask, now.Secret:
		case "":
			now.Secret, now.Previous, now.PreviousUntil = "", "", time.Time{}
		default:
			now.Previous, now.PreviousUntil = now.Secret, at.Add(a.overlap)
			if now.Secret == "" {
				now.PreviousUntil = time.Time{}
			}
			now.Secret = text
		}
	}
	now.Headers = nil
	kept := map[string]string{}
	for _, h := range d.Headers {
		value := h.Value.Reveal()
		if value == mask {
			value = a.secretHeaders[h.Name]
		}
		kept[h.Name] = value
		now.Headers = append(now.Headers, ledger.Header{Name: h.Name, Value: value})
	}
	a.secretHeaders = kept
}

// compare checks that a stored webhook says what the ledger knows.
func (l *witness) compare(id hook, told ledger.Webhook, stored webhook.Webhook) {
	show := func(w ledger.Webhook) string {
		return fmt.Sprintf("name %q, app %q, events %q, target %s, state %d, properties %s, policy %s, timeout %s, format %s, choice %v, fields %q, template %s, signed %t, activation %d at %d, by %d",
			w.Name, w.App, strings.Join(w.Patterns, " "), w.Target, w.State, w.Properties, w.Policy, w.Timeout, w.Format, w.Choice, w.Fields, w.Template, w.Secret != "",
			w.Activation, w.ActivatedAt.UnixMilli(), w.By)
	}
	o := stored.Options
	found := ledger.Webhook{
		Name: stored.Name, App: stored.App, Patterns: stored.Events, Target: stored.TargetURL, State: ledger.State(stored.State), Properties: string(stored.Properties),
		Policy: string(cmp.Or(o.Policy, l.w.policy)), Timeout: cmp.Or(o.Timeout, 30*time.Second), Format: string(cmp.Or(o.Format, "superoffice")),
		Choice: choiceOf(o), Fields: o.Fields, Template: string(o.Template),
		Activation: stored.Activation, ActivatedAt: stored.ActivatedAt, By: stored.RegisteredBy.ID,
	}
	if stored.Secret.Signed {
		found.Secret = "yes"
	}
	told.ActivatedAt = told.ActivatedAt.Truncate(time.Millisecond)
	found.ActivatedAt = found.ActivatedAt.Truncate(time.Millisecond)
	if show(told) != show(found) {
		l.w.violated("webhooks", "w%d is stored as %s, but the API was told %s", id, show(found), show(told))
	}
	for _, h := range stored.Headers {
		if i := slices.IndexFunc(told.Headers, func(x ledger.Header) bool { return x.Name == h.Name }); i < 0 || !h.Secret && told.Headers[i].Value != h.Value {
			l.w.violated("webhooks", "w%d is stored with a header %s that the API was not told", id, h.Name)
		}
	}
}

// secretKnown returns the secret that a receiver knows: after a change it switches
// at once, after 20 s or after ten minutes.
func (l *witness) secretKnown(id hook, luck float64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lag := 10 * time.Minute
	switch {
	case luck < 0.4:
		lag = 0
	case luck < 0.7:
		lag = 20 * time.Second
	}
	at := time.Now().Add(-lag)
	versions := l.accounts[id].history.Between(at, at)
	if len(versions) == 0 {
		return ""
	}
	return versions[len(versions)-1].Secret
}
