package simulation_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// remembered is how long a sender's id makes no second event.
const remembered = eventLife - 24*time.Hour

// relayVersion is a relay from a moment on, with the secrets that administrators told.
type relayVersion struct {
	at     time.Time
	exists bool
	source.Source
	current, previous string
	until             time.Time // of previous
}

func (in *relays) last(name string) relayVersion {
	versions := in.versions[name]
	return versions[len(versions)-1]
}

// between returns the versions of a relay that were in force at some moment.
func (in *relays) between(name string, from, to time.Time) (out []relayVersion) {
	versions := in.versions[name]
	for i, v := range versions {
		if !v.at.After(to) && (i+1 == len(versions) || !versions[i+1].at.Before(from)) {
			out = append(out, v)
		}
	}
	return out
}

// committed records that a relay changed, as its administrator told.
func (in *relays) committed(p *process, name string, exists bool, s source.Source) {
	if in.versions[name] == nil || p == nil {
		return
	}
	was, t := in.last(name), in.tells[p]
	v := relayVersion{at: time.Now(), exists: exists, Source: s}
	switch {
	case !exists:
		v.Source = was.Source
	case !was.exists:
		v.current = t.secret
	case t.endOverlap:
		v.current = was.current
	case t.secret == "" || t.secret == was.current:
		v.current, v.previous, v.until = was.current, was.previous, was.until
	default:
		v.current = t.secret
		if t.overlap > 0 {
			v.previous, v.until = was.current, s.Updated.Add(t.overlap)
		}
	}
	in.versions[name] = append(in.versions[name], v)
	if !exists {
		return
	}
	doc := in.w.document(s.Relay.Secret)
	if got := fmt.Sprint(doc.Current.Reveal(), doc.Previous.Reveal(), doc.PreviousUntil.UnixMilli()); got != fmt.Sprint(v.current, v.previous, v.until.UnixMilli()) {
		in.w.violated("relay", "%s names the secrets %q, %q until %s, but its administrator told %q, %q until %s",
			name, doc.Current.Reveal(), doc.Previous.Reveal(), doc.PreviousUntil, v.current, v.previous, v.until)
	}
}

// verifies reports whether a POST may, and must, verify under a version for a call of
// a period. Clocks differ.
func (in *relays) verifies(v relayVersion, p *post, from, to time.Time) (may, must bool) {
	if !v.exists || p.by == byNobody || p.by == byRepeated {
		return false, false
	}
	from, to = from.Add(-in.w.skew), to.Add(in.w.skew)
	switch p.secret {
	case v.current:
		may, must = true, true
	case v.previous:
		may, must = from.Before(v.until), to.Before(v.until)
	}
	if v.Relay.Protocol == source.ProtocolStandard {
		const most = 5 * time.Minute
		late, early := to.Sub(p.sentAt), p.sentAt.Sub(from)
		may = may && from.Sub(p.sentAt) <= most+time.Second && p.sentAt.Sub(to) <= most+time.Second
		must = must && late < most-time.Second && early < most-time.Second
	}
	return may, must
}

// becomes reports whether a POST that verifies may, and must, become an event.
func (in *relays) becomes(v relayVersion, p *post, from, to time.Time) (may, must bool) {
	from, to = from.Add(-in.w.skew), to.Add(in.w.skew)
	hops, err := strconv.Atoi("0" + p.hops)
	at := p.at0()
	switch {
	case p.broken, err != nil, hops+1 > 3, p.told.name == "test", strings.HasPrefix(p.told.name, "webhook"):
	case v.Relay.Context != "" && v.Relay.Context != p.context:
	case at.IsZero():
	default:
		may = at.After(from.Add(-remembered)) && !at.After(to.Add(5*time.Minute))
		must = at.After(to.Add(10*time.Minute-remembered)) && at.Before(from.Add(5*time.Minute))
	}
	return may, must
}

// at0 returns when the event happened, as the POST says: zero if it does not.
func (p *post) at0() time.Time {
	if p.told.at.IsZero() && p.source == "hooks" {
		return p.sentAt.Truncate(time.Second)
	}
	return p.told.at
}

// relayKey is what makes POSTs one event: of one tenant, the sender's id if it is a
// GUID, and otherwise that of the source.
func relayKey(tenant webhook.Tenant, p *post) string {
	if p.guid() {
		return string(tenant) + " " + strings.ToLower(p.id)
	}
	return string(tenant) + " " + p.source + " " + p.id
}

// relayReading is how old a reading of a relay may be.
const relayReading = 5*time.Second + 100*time.Millisecond

// readings returns the versions of a relay that a call of a period may use.
func (in *relays) readings(p *post, from, to time.Time) []relayVersion {
	return in.between(p.source, from.Add(-relayReading-in.w.skew), to)
}

// made records an event that a relay stored: it must be what its POST says, under a
// version that its signature verifies for, and the only one with its sender's id.
func (in *relays) made(proc *process, h *happening) (ledger.Event, bool) {
	w, e, now := in.w, h.event, time.Now()
	p := in.calls[proc]
	if p == nil || e.Content == nil {
		w.violated("relay", "%s stores %s without a POST", proc.name, h.name)
		return ledger.Event{}, false
	}
	from := proc.current.began
	var tried []string
	for _, v := range in.readings(p, from, now) {
		may, _ := in.verifies(v, p, from, now)
		if !may {
			tried = append(tried, "its signature does not verify")
			continue
		}
		if may, _ := in.becomes(v, p, from, now); !may {
			tried = append(tried, "it can become no event")
			continue
		}
		want := p.event(v)
		if text := differs(want, e); text != "" || e.Content.Context != want.Content.Context || e.ChangedBy != want.By {
			tried = append(tried, fmt.Sprintf("%s in context %q, changed by %d", text, e.Content.Context, e.ChangedBy))
			continue
		}
		key := relayKey(v.Tenant, p)
		if first := in.events[key]; first != nil {
			w.violated("relay", "%s becomes %s, but %s was it already", p.name(), h.name, first.name)
		}
		in.events[key] = h
		if want.ID = string(e.ID); p.guid() {
			want.ID = p.id
		}
		want.From, want.Stored = from, h.stored
		return want, true
	}
	w.violated("relay", "%s becomes %s, %s of %s, but: %s", p.name(), h.name, e.Name, e.Tenant, strings.Join(tried, "; "))
	return ledger.Event{}, false
}

// event returns what a POST says under a version.
func (p *post) event(v relayVersion) ledger.Event {
	hops, _ := strconv.Atoi("0" + p.hops)
	c := &ledger.Content{
		Entity: p.entity(), Changes: []string{"name", "gone"}, FieldValues: strings.ReplaceAll(p.fields(), `": `, `":`), Context: p.context,
		Source: "/in/" + p.source, SourceEvent: p.id, At: p.at0(),
	}
	if p.values {
		c.Values = `{"category_idx":3}`
	}
	e := ledger.Event{Tenant: string(v.Tenant), Name: p.told.name, Key: int32(p.key), By: 12, Hops: hops + 1, Content: c}
	if p.source == "hooks" {
		c.Context, c.Values, c.Changes, e.Key, e.By = "", "", []string{"name", "amount"}, 0, 0
	}
	return e
}

// judge checks the response to a POST.
func (in *relays) judge(inv *invocation, p *post) {
	w := in.w
	w.witness.mu.Lock()
	defer w.witness.mu.Unlock()
	in.answered = append(in.answered, p)
	verifies, surely, becomes, of := false, true, true, map[webhook.Tenant]bool{}
	for _, v := range in.readings(p, p.began, p.ended) {
		may, must := in.verifies(v, p, p.began, p.ended)
		verifies = verifies || may
		if _, event := in.becomes(v, p, p.began, p.ended); !must || !event {
			becomes = false
		}
		of[v.Tenant] = true
	}
	for _, v := range in.between(p.source, p.began, p.ended) { // a POST that does not verify reads its source
		_, must := in.verifies(v, p, p.began, p.ended)
		surely = surely && must
	}
	missing := len(of) > 0
	for tenant := range of {
		missing = missing && in.events[relayKey(tenant, p)] == nil
	}
	switch p.status {
	case http.StatusOK:
		if !verifies {
			w.violated("relay", "%s is accepted, but its signature does not verify", p.name())
		} else if becomes && missing {
			w.violated("relay", "%s is accepted, but has become no event", p.name())
		}
	case http.StatusUnauthorized, http.StatusNotFound:
		exists := slices.ContainsFunc(in.between(p.source, p.began, p.ended), func(v relayVersion) bool { return v.exists })
		if surely || p.status == http.StatusNotFound && exists && len(in.between(p.source, p.began, p.ended)) == 1 {
			w.violated("relay", "%s is refused with %d, but verifies", p.name(), p.status)
		}
	case http.StatusServiceUnavailable:
		trouble := inv.froze || p.ended.Sub(p.began) > time.Second || in.unread(p) ||
			slices.ContainsFunc(inv.process.troubles, func(t trouble) bool { return !t.at.Before(p.began) })
		if !trouble {
			w.violated("relay", "%s gets 503 without a fault", p.name())
		}
	default:
		w.violated("relay", "%s gets %d", p.name(), p.status)
	}
}

// unread reports whether a secret of the relay may not have been readable yet.
func (in *relays) unread(p *post) bool {
	return slices.ContainsFunc(in.readings(p, p.began, p.ended), func(v relayVersion) bool {
		return v.exists && time.Since(v.at) < 2*time.Minute || !v.exists
	})
}

// auditSecrets adds the names of the relays' secrets, and checks that they exist.
func (in *relays) auditSecrets(named map[string]bool) {
	for name := range in.versions {
		if last := in.last(name); last.exists {
			ref := last.Relay.Secret
			if named[ref.Name] = true; ref.Sealed != "" {
				in.w.document(ref)
			} else if in.w.vault.secrets[ref.Name][ref.Version] == nil {
				in.w.violated("secrets", "source %s references %s %s, which does not exist", name, ref.Name, ref.Version)
			}
		}
	}
}

// audit sends the POSTs of a run again: after a day, just before their senders' ids
// are forgotten, just after, and when their events have expired. None may become a
// second event.
func (in *relays) audit() {
	w := in.w
	if len(in.answered) == 0 || len(w.verdict) > 0 {
		return
	}
	e := &environment{w: w, kind: relayEnvironment + "-later"}
	e.start()
	for _, wait := range []time.Duration{25 * time.Hour, remembered - 10*time.Minute, remembered + 10*time.Minute, eventLife + time.Hour} {
		for _, p := range in.answered {
			time.Sleep(time.Until(p.ended.Add(wait)))
			in.repeat(e, p, wait)
		}
	}
}

func (in *relays) repeat(e *environment, p *post, wait time.Duration) {
	w := in.w
	if p.source == "hooks" { // its sender signs each time
		if p.told.at.IsZero() {
			return // a time of its own: another event
		}
		again := *p
		again.sentAt = time.Now()
		again.sign()
		p = &again
	}
	before, key := len(w.witness.order), relayKey(in.last(p.source).Tenant, p)
	status := relayed(context.Background(), e, p.payload(w))
	if len(w.witness.order) == before {
		return
	}
	h := w.witness.events[w.witness.order[before]]
	if first := in.events[key]; first != nil {
		w.violated("relay", "%s, which was %s, becomes %s too, %s later (%v)", p.name(), first.name, h.name, wait, status)
	}
	if old := time.Since(p.told.at); old > remembered+w.skew {
		w.violated("relay", "%s becomes %s, although it is %s old", p.name(), h.name, old)
	}
	in.events[key] = h
}
