package simulation_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// signalling is an event that a user signals.
type signalling struct {
	who  webhook.Principal
	name string
	key  int32
	data json.RawMessage
	hops int
	once string // idempotency key
}

// stateChange is a change of a webhook's state that must be reported by an event,
// or an event that reports one.
type stateChange struct {
	hook hook
	kind string
	at   time.Time
}

// toldEvent records what the ledger knows of a stored event.
func (l *witness) toldEvent(p *process, h *happening, tenant webhook.Tenant, id webhook.EventID) {
	e := ledger.Event{Tenant: string(tenant), ID: string(id), Name: h.event.Name, Key: h.event.PrimaryKey, Stored: h.stored, From: h.stored}
	if p != nil && p.current != nil {
		e.From = p.current.began
	}
	if about, kind, ok := stateEventOf(tenant, h.event.Name); ok {
		l.raised = append(l.raised, stateChange{about, kind, h.stored})
		e.Key, e.Name = about.id(), fmt.Sprintf("webhook%d.%s", about.id(), kind)
		h.about = about
	} else if p != nil && strings.HasPrefix(p.name, "ingest") {
		made, ok := l.w.ingestion.made(p, h)
		if !ok {
			return
		}
		made.Stored = e.Stored
		e = made
	} else if p != nil && strings.HasPrefix(p.name, relayEnvironment) {
		made, ok := l.w.relays.made(p, h)
		if !ok {
			return
		}
		e = made
	} else if p != nil {
		s := p.signalling
		if s == nil || s.who.Tenant != tenant {
			l.w.violated("promise 9", "%s stores %s of tenant %s, which its caller did not signal", p.name, h.name, tenant)
			return
		}
		e.Name, e.Key, e.Data, e.By = s.name, s.key, string(s.data), s.who.Associate.ID
		e.Hops = s.hops + 1
		l.storedOnce(s, id)
	}
	h.told = e
}

// event returns an event as the ledger knows it. One about a webhook reports the
// version that was committed with it.
func (l *witness) event(h *happening) ledger.Event {
	e := h.told
	if h.about != 0 {
		if a := l.accounts[h.about]; a != nil {
			if versions := a.history.Between(h.stored, h.stored); len(versions) > 0 {
				e.About = &versions[len(versions)-1].Webhook
			}
		}
	}
	return e
}

// stateEventOf returns the webhook that an event is about.
func stateEventOf(tenant webhook.Tenant, name string) (hook, string, bool) {
	rest, ok := strings.CutPrefix(name, "webhook")
	number, kind, dotted := strings.Cut(rest, ".")
	id, err := strconv.Atoi(number)
	return hookOf(tenant, int32(id)), kind, ok && dotted && err == nil
}

// owesStateEvent records that a change of state must have raised an event.
func (l *witness) owesStateEvent(id hook, p *process, was ledger.Version, now ledger.Webhook) {
	if !was.Exists || was.State == now.State {
		return
	}
	kind := ""
	switch {
	case now.State == ledger.Active:
		kind = "started"
	case now.State == ledger.Stopped:
		kind = "stopped"
	case p == nil || p.telling == nil:
		kind = "errors"
	}
	if kind != "" {
		l.changes = append(l.changes, stateChange{id, kind, time.Now()})
	}
}

// auditStateEvents checks that each change of state raised its event, at the same
// moment, and that no other event about a webhook exists.
func (l *witness) auditStateEvents() {
	sorted := func(list []stateChange) []stateChange {
		return slices.SortedFunc(slices.Values(list), func(a, b stateChange) int {
			return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.hook, b.hook), strings.Compare(a.kind, b.kind))
		})
	}
	for _, c := range sorted(l.changes) {
		if !slices.Contains(l.raised, c) {
			l.w.violated("state events", "w%d became %s at %s without an event", c.hook, c.kind, stamp(c.at.Sub(l.w.began)))
		}
	}
	for _, c := range sorted(l.raised) {
		if !slices.Contains(l.changes, c) {
			l.w.violated("state events", "an event says that w%d became %s at %s, but it did not", c.hook, c.kind, stamp(c.at.Sub(l.w.began)))
		}
	}
	if len(l.raised) != len(l.changes) {
		l.w.violated("state events", "%d changes of state raised %d events", len(l.changes), len(l.raised))
	}
}

// storedOnce checks that calls with one idempotency key store one event, also those
// whose response was lost.
func (l *witness) storedOnce(s *signalling, id webhook.EventID) {
	if s.once == "" {
		return
	}
	key := fmt.Sprintf("stored %s %s %s", s.who.Tenant, s.who.App, s.once)
	if first, ok := l.onceEvents[key]; ok && first != id && time.Since(l.events[first].stored) < 23*time.Hour { // a key is kept for a day
		l.w.violated("idempotency", "one key stored both %s and %s", l.events[first].name, l.events[id].name)
	}
	l.onceEvents[key] = id
}

// acceptedOnce checks that calls with one idempotency key make one event.
func (l *witness) acceptedOnce(who webhook.Principal, key string, id webhook.EventID) {
	if key == "" {
		return
	}
	key = fmt.Sprintf("%s %s %d %s", who.Tenant, who.App, who.Associate.ID, key)
	if first, ok := l.onceEvents[key]; ok && first != id {
		l.w.violated("idempotency", "one key made both %s and %s", l.events[first].name, l.events[id].name)
	}
	l.onceEvents[key] = id
}
