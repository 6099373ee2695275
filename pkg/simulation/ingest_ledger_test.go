package simulation_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sourceVersion is a source from a moment on. A deletion is a version that does not
// exist.
type sourceVersion struct {
	at     time.Time
	exists bool
	source.Source
}

// committed records that a source changed.
func (in *ingestion) committed(ctx context.Context, name string) {
	if name < "a" { // counts the sources
		return
	}
	s, err := in.w.db.peek.Sources().Get(ctx, name)
	in.w.witness.mu.Lock()
	defer in.w.witness.mu.Unlock()
	in.sources[name] = append(in.sources[name], sourceVersion{time.Now(), err == nil, s})
	in.w.relays.committed(processOf(ctx), name, err == nil, s)
	in.w.tracef("sources", "%s is at revision %d", name, s.Revision)
	if luck := in.w.luck("sources", time.Since(in.w.began).String()); !in.w.calm && in.w.faults > 0 && luck(0) < 0.3 {
		in.unlisted = time.Now().Add(time.Duration(luck(1) * float64(time.Minute)))
		in.w.tracef("weather", "*** the sources cannot be listed until %s", stamp(in.unlisted.Sub(in.w.began)))
	}
}

func (in *ingestion) now(name string) sourceVersion {
	versions := in.sources[name]
	if len(versions) == 0 {
		return sourceVersion{}
	}
	return versions[len(versions)-1]
}

// between returns the versions of a source that were in force at some moment.
func (in *ingestion) between(name string, from, to time.Time) (out []sourceVersion) {
	versions := in.sources[name]
	if len(versions) == 0 || versions[0].at.After(from) {
		out = append(out, sourceVersion{})
	}
	for i, v := range versions {
		if !v.at.After(to) && (i+1 == len(versions) || !versions[i+1].at.Before(from)) {
			out = append(out, v)
		}
	}
	return out
}

// builtIn is the source of the bus that takes what no other takes.
const builtIn = "bus"

// named returns the names of the sources that may take a record, at any time.
func (in *ingestion) named(r *record) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(in.sources)) {
		if slices.ContainsFunc(in.sources[name], func(v sourceVersion) bool { return v.exists && takes(v.Source, r) }) {
			out = append(out, name)
		}
	}
	if r.bus && in.busTenant != "" {
		out = append(out, builtIn)
	}
	return out
}

func takes(s source.Source, r *record) bool {
	if r.bus {
		return s.Bus != nil && slices.Contains(s.Bus.Sources, r.origin)
	}
	return s.Table != nil
}

// usable reports whether the id of a bus event derives from its time.
func usable(at, sent time.Time) bool {
	return !at.Before(sent.Add(-24*time.Hour)) && !at.After(sent.Add(5*time.Minute))
}

// derived returns the id of the event that a source makes of a record: it depends on
// nothing else.
func (in *ingestion) derived(name string, r *record) webhook.EventID {
	if r.bus {
		return webhook.DeriveEventID(r.at, "bus", name, r.id)
	}
	return webhook.DeriveEventID(r.at, "table", name, contactsStream, r.id)
}

// early reports whether a message of the bus may have been sent before its source was
// created, and whether it was. The clocks that say so differ.
func (in *ingestion) early(v sourceVersion, r *record) (maybe, surely bool) {
	if !r.bus || v.Created.IsZero() {
		return false, false
	}
	surely = len(r.sent) > 0
	for _, sent := range r.sent {
		maybe = maybe || sent.Add(-in.w.skew).Before(v.Created)
		surely = surely && sent.Add(in.w.skew).Before(v.Created)
	}
	return maybe, surely
}

// expect returns the event that a source makes of a record, and false if it makes
// none.
func (in *ingestion) expect(v sourceVersion, r *record) (e ledger.Event, ok bool) {
	if _, early := in.early(v, r); !v.exists || r.broken || early || !takes(v.Source, r) && v.Name != builtIn {
		return ledger.Event{}, false
	}
	e = ledger.Event{Tenant: string(v.Tenant), Hops: 1, Content: &ledger.Content{SourceEvent: r.id, At: r.at}}
	if r.bus {
		return expectOfBus(e, v.Bus, r)
	}
	return expectOfTable(e, v.Source, r)
}

func expectOfBus(e ledger.Event, b *source.Bus, r *record) (ledger.Event, bool) {
	c := e.Content
	for _, kind := range busNames {
		if kind.detailType == r.detailType {
			e.Name = kind.name
		}
	}
	if b.Event != "" {
		e.Name = b.Event
	}
	if strings.HasPrefix(r.origin, "posthaste.") || e.Name == "test" || strings.HasPrefix(e.Name, "webhook") {
		return e, false
	}
	if c.Entity = b.Entity; c.Entity == "" {
		c.Entity = e.Name[:strings.LastIndexByte(e.Name, '.')]
	}
	c.Source = r.origin
	var listed []field
	for _, f := range r.detail {
		if len(b.Fields) == 0 || slices.Contains(b.Fields, f.name) {
			listed, c.Changes = append(listed, f), append(c.Changes, f.name)
		}
		if f.name == b.Key {
			e.Key, c.Key = keyOf(f)
		}
	}
	c.FieldValues = object(listed)
	return e, true
}

func expectOfTable(e ledger.Event, s source.Source, r *record) (ledger.Event, bool) {
	c, t := e.Content, s.Table
	image := r.new
	if r.kind == "REMOVE" {
		image = r.old
	}
	if t.TenantAttribute != "" {
		of := webhook.Tenant(strings.Trim(get(image, t.TenantAttribute), `"`))
		if e.Tenant = string(of); !slices.Contains(t.Tenants, of) {
			return e, false
		}
	}
	if !r.images || r.at.Before(s.Created.Truncate(time.Second)) || r.expired && !t.Expired {
		return e, false
	}
	named := func(name string) string {
		if other := t.Rename[name]; other != "" {
			return other
		}
		return name
	}
	var listed []field
	for _, f := range image {
		if slices.Contains(t.Fields, f.name) {
			listed = append(listed, field{named(f.name), f.value, f.kind})
		}
	}
	c.Entity, c.Source, c.Sequence, c.FieldValues = t.Entity, s.Name, r.sequence, object(listed)
	switch r.kind {
	case "INSERT":
		e.Name = t.Entity + ".created"
		for _, f := range listed {
			c.Changes = append(c.Changes, f.name)
		}
	case "REMOVE":
		e.Name = t.Entity + ".deleted"
		if r.expired {
			e.Name = t.Entity + ".expired"
		}
		c.Values, c.FieldValues = c.FieldValues, "{}"
	case "MODIFY":
		e.Name, listed = t.Entity+".changed", nil
		for _, name := range t.Fields {
			was, is := get(r.old, name), get(r.new, name)
			if was == is {
				continue
			}
			c.Changes = append(c.Changes, named(name))
			if is != "" {
				listed = append(listed, field{named(name), is, ""})
			}
		}
		if c.FieldValues = object(listed); len(c.Changes) == 0 {
			return e, false
		}
	}
	if len(t.Key) == 1 {
		e.Key, c.Key = keyOf(field{"", get(image, t.Key[0]), ""})
		return e, true
	}
	var parts []string
	for _, name := range t.Key {
		parts = append(parts, strings.Trim(get(image, name), `"`))
	}
	c.Key = strings.Join(parts, "#")
	return e, true
}

func get(fields []field, name string) string {
	for _, f := range fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

func keyOf(f field) (int32, string) {
	if n, err := strconv.ParseInt(f.value, 10, 32); err == nil {
		return int32(n), ""
	}
	return 0, strings.Trim(f.value, `"`)
}

// readBefore is how old a source may be that IngestFunction uses.
const readBefore = 6 * time.Second

// versions returns what a source may have been for calls of a period.
func (in *ingestion) versions(name string, from, to time.Time) []sourceVersion {
	if name == builtIn {
		return []sourceVersion{{exists: true, Source: source.DefaultBus(in.busTenant)}}
	}
	return in.between(name, from, to)
}

// made records an event that IngestFunction stored, and returns what it says: there
// is one record that it is the event of, and no other event of that record and
// source.
func (in *ingestion) made(p *process, h *happening) (ledger.Event, bool) {
	e := h.event
	if e.Content == nil || in.byID[e.Content.SourceEvent] == nil {
		in.w.violated("ingest", "%s stores %s, which no record makes", p.name, h.name)
		return ledger.Event{}, false
	}
	r := in.byID[e.Content.SourceEvent]
	var tried []string
	for _, name := range in.named(r) {
		marked := slices.ContainsFunc(r.sent, func(sent time.Time) bool { return !usable(r.at, sent) })
		if e.ID != in.derived(name, r) && !marked {
			continue
		}
		for _, v := range in.versions(name, p.current.began.Add(-readBefore-in.w.skew), time.Now()) {
			told, ok := in.expect(v, r)
			if !ok {
				continue
			}
			text := differs(told, e)
			if text == "" {
				key := r.name + " of " + name
				if first := r.events(in)[name]; first != nil && (!r.moved || !marked) {
					in.w.violated("ingest", "%s makes both %s and %s", key, first.name, h.name)
				}
				h.outside = outside{r, name}
				told.ID, told.From = string(e.ID), r.at
				return told, true
			}
			tried = append(tried, text)
		}
	}
	in.w.violated("ingest", "%s stores %s of %s as %s of %s, %s: %s, which no mapping makes: %s", p.name, h.name, r.name, e.Name, e.Tenant, e.ID, differs(ledger.Event{Content: &ledger.Content{}}, e), strings.Join(tried, "; "))
	return ledger.Event{}, false
}

// differs returns how a stored event differs from what it must say, "" for not at all.
func differs(want ledger.Event, e webhook.Event) string {
	show := func(tenant, name string, key int32, other, entity string, changes []string, values, gone, from, id, sequence string, at time.Time, hops int) string {
		return fmt.Sprintf("%s of %s, key %d %q, entity %s, changes %q, values %s, gone %s, of %s %s %s at %s, hops %d", name, tenant, key, other, entity, changes, values, gone, from, id, sequence, at.UTC(), hops)
	}
	c, w := e.Content, want.Content
	if c.Entity == nil {
		return "no entity"
	}
	told := show(want.Tenant, want.Name, want.Key, w.Key, w.Entity, w.Changes, w.FieldValues, w.Values, w.Source, w.SourceEvent, w.Sequence, w.At, want.Hops)
	found := show(string(e.Tenant), e.Name, e.PrimaryKey, e.Key, *c.Entity, c.Changes, string(c.FieldValues), string(c.Values), c.Source, c.SourceEvent, c.Sequence, e.At, e.Hops)
	if told == found {
		return ""
	}
	return told + " but " + found
}

// redispatched reports whether an event of a record has an id in a period that a user
// had redispatched. Unlike a signal's, it may have been stored after that.
func (in *ingestion) redispatched(h *happening) bool {
	return h.outside.record != nil && h.event.ID.Time().Before(in.redispatchedTo)
}

// outside is what an event was made of.
type outside struct {
	record *record
	source string
}

// events returns the events of a record, by the source that made them.
func (r *record) events(in *ingestion) map[string]*happening {
	out := map[string]*happening{}
	for _, h := range in.w.witness.events {
		if h.outside.record == r {
			out[h.outside.source] = h
		}
	}
	return out
}

// acknowledge records that a record will not come again: it must have made its
// events.
func (in *ingestion) acknowledge(r *record) {
	in.w.witness.mu.Lock()
	r.done = time.Now()
	in.w.witness.mu.Unlock()
	in.auditRecord(r, "when it was acknowledged")
}

// auditRecord checks that a record has made the event that it must make, under each
// source that has existed, with some mapping that makes one, since before it was
// made.
func (in *ingestion) auditRecord(r *record, when string) {
	in.w.witness.mu.Lock()
	defer in.w.witness.mu.Unlock()
	made := r.events(in)
	until := time.Now()
	if !r.done.IsZero() {
		until = r.done
	}
	claimed := false // some source of the bus may have taken it
	for _, name := range in.named(r) {
		must, may := true, false
		for _, v := range in.versions(name, r.made, until) {
			_, ok := in.expect(v, r)
			early, _ := in.early(v, r)
			must, may = must && ok && !early, may || ok
			if name != builtIn {
				claimed = claimed || v.exists && takes(v.Source, r)
			}
		}
		if name == builtIn {
			must = must && !claimed
		}
		if must && made[name] == nil {
			in.w.violated("ingest", "%s has made no event of %s %s", name, r.name, when)
		}
		if !may && made[name] != nil {
			if slices.ContainsFunc(in.versions(name, r.made.Add(-readBefore-in.w.skew), until), func(v sourceVersion) bool { _, ok := in.expect(v, r); return ok }) {
				continue // by an old reading
			}
			in.w.violated("ingest", "%s has made %s of %s, which must be skipped", name, made[name].name, r.name)
		}
	}
}

// mayFail checks that a record fails only for a reason: a fault in its call, or in
// one shortly before, or too little time.
func (in *ingestion) mayFail(inv *invocation, r *record) {
	if in.poison != nil || r == in.poison || time.Since(inv.began) > ingestTimeout-10*time.Second || inv.froze {
		return
	}
	if !slices.ContainsFunc(inv.process.troubles, func(t trouble) bool { return !t.at.Before(inv.began.Add(-2 * time.Second)) }) {
		in.w.violated("ingest", "%s has failed without a fault", r.name)
	}
}

// audit checks all records at the end of a run, and that nothing unlisted is in a
// table.
func (in *ingestion) audit() {
	for _, r := range in.records {
		if r.done.IsZero() {
			in.w.violated("ingest", "%s was never acknowledged", r.name)
		}
		in.auditRecord(r, "at the end")
	}
	for _, id := range in.w.witness.order {
		if in.w.witness.events[id].outside.source == builtIn {
			continue // it lists everything
		}
		e, err := in.w.db.peek.Events().Get(context.Background(), in.w.witness.events[id].event.Tenant, id)
		if err != nil || e.Content == nil {
			continue
		}
		if text, err := webhook.EncodeContent(e.Content); err != nil || strings.Contains(string(text), unlisted) {
			in.w.violated("ingest", "an event has a value that no mapping lists: %s", text)
		}
	}
}
