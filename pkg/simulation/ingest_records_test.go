package simulation_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	contactsTable  = "arn:aws:dynamodb:eu-north-1:111122223333:table/contacts"
	contactsStream = contactsTable + "/stream/2026-01-01T00:00:00.000"
	// unlisted begins the values that no mapping lists.
	unlisted = "unlisted-"
)

// record is something that happened outside.
type record struct {
	name string
	id   string // as its sender knows it
	at   time.Time
	made time.Time
	raw  string // as IngestFunction gets it: a stream's record, or the body of a message
	puts []string
	// broken says that it can never be read.
	broken bool
	// done is when it was last acknowledged.
	done time.Time

	// Of the bus. sent are the times at which the queue got it.
	bus                bool
	origin, detailType string
	detail             []field
	sent               []time.Time
	moved              bool // by an operator, who had it sent again

	// Of the table.
	kind     string
	old, new []field
	expired  bool
	images   bool
	sequence string
}

// field is an attribute of an item or a member of a detail.
type field struct {
	name, value string // JSON
	kind        string // DynamoDB's type
}

func object(fields []field) string {
	var list []string
	for _, f := range fields {
		list = append(list, fmt.Sprintf("%q:%s", f.name, f.value))
	}
	return "{" + strings.Join(list, ",") + "}"
}

func image(fields []field) string {
	var list []string
	for _, f := range fields {
		value := f.value
		if f.kind == "N" {
			value = `"` + value + `"`
		}
		list = append(list, fmt.Sprintf("%q:{%q:%s}", f.name, f.kind, value))
	}
	return "{" + strings.Join(list, ",") + "}"
}

// contacts is a source of the table, with one of three mappings.
func contacts(tenant webhook.Tenant, mapping int) source.Source {
	t := []source.Table{
		{Entity: "contact", Fields: []string{"name", "amount"}, Key: []string{"id"}, Previous: []string{"name"}},
		{Entity: "Contact", Fields: []string{"name"}, Rename: map[string]string{"name": "Full Name"}, Key: []string{"of", "id"}},
		{Entity: "sale", Fields: []string{"amount", "id", "name"}, Key: []string{"id"}, Expired: true},
	}[mapping]
	t.Table = contactsTable
	return source.Source{Name: "contacts", Kind: source.KindTable, Tenant: tenant, Table: &t}
}

// everyone is another source of the table, whose items say which tenant they are
// of.
func everyone() source.Source {
	return source.Source{Name: "everyone", Kind: source.KindTable, Table: &source.Table{
		Table: contactsTable, Entity: "contact", Fields: []string{"amount"}, Key: []string{"id"}, TenantAttribute: "of", Tenants: tenants[:2],
	}}
}

// shop is a source of the bus, with one of three mappings.
func shop(tenant webhook.Tenant, mapping int) source.Source {
	b := []source.Bus{
		{Fields: []string{"name", "amount"}, Key: "id"},
		{Fields: []string{"amount"}, Key: "name", Entity: "thing"},
		{Fields: []string{"id", "name"}, Event: "sale.sold"},
	}[mapping]
	b.Sources = []string{"com.shop", "com.shop.again"}
	return source.Source{Name: "shop", Kind: source.KindBus, Tenant: tenant, Bus: &b}
}

// late is a source of the bus that exists only for a part of the run.
func late(tenant webhook.Tenant) source.Source {
	return source.Source{Name: "late", Kind: source.KindBus, Tenant: tenant, Bus: &source.Bus{Sources: []string{"com.late"}, Fields: []string{"name"}}}
}

// busNames are detail-types, and the names that they become without a mapping.
var busNames = []struct{ detailType, name string }{
	{"Contact Changed", "contact.changed"},
	{"Sale Sold!", "sale.sold"},
	{"order.line -> CHANGED", "order.line.-.changed"},
	{"contact.created", "contact.created"},
	{"Contact / Deleted", "contact.deleted"},
	{"Test", "test"},
	{"webhook7 errors", "webhook7.errors"},
}

func (in *ingestion) record(r *record) *record {
	in.w.witness.mu.Lock()
	defer in.w.witness.mu.Unlock()
	r.name, r.made = fmt.Sprintf("r%d", len(in.records)+1), time.Now()
	r.id = fmt.Sprintf("%s-of-%d", r.name, in.w.seed)
	in.records, in.byID[r.id] = append(in.records, r), r
	return r
}

// fields are those of an item or a detail: its tenant's name, and a value that must
// not leave.
func (in *ingestion) fields(id string) []field {
	w := in.w
	return []field{
		{"of", fmt.Sprintf("%q", tenants[w.rnd.IntN(3)]), "S"},
		{"id", id, "N"},
		{"name", fmt.Sprintf(`"Blåbær <&> %d"`, w.rnd.IntN(3)), "S"},
		{"secret", fmt.Sprintf("%q", fmt.Sprint(unlisted, w.rnd.IntN(100))), "S"},
		{"amount", []string{"1.50", "100000000000000000000.10", "-7"}[w.rnd.IntN(3)], "N"},
	}
}

// onBus puts an event on the bus, whose rule sends it to the queue once or twice.
func (in *ingestion) onBus() {
	w, now := in.w, time.Now()
	kind := busNames[w.rnd.IntN(len(busNames))]
	r := in.record(&record{
		bus: true, origin: []string{"com.shop", "com.shop", "com.shop.again", "com.late", "com.late", "com.other", "posthaste.x"}[w.rnd.IntN(7)], detailType: kind.detailType,
		detail: in.fields(fmt.Sprint(w.rnd.IntN(1000))), at: now.Truncate(time.Second),
	})
	switch {
	case w.chance(0.15): // no usable time
		r.at = now.Add([]time.Duration{-30 * time.Hour, 2 * time.Hour, -400 * 24 * time.Hour}[w.rnd.IntN(3)]).Truncate(time.Second)
	case w.chance(0.15): // usable for some minutes more
		r.at = now.Add(w.between(time.Second, 4*time.Minute) - 24*time.Hour).Truncate(time.Second).Add(time.Second)
	case w.chance(0.5):
		r.at = r.at.Add(-w.between(0, 10*time.Minute).Truncate(time.Second))
	}
	detail := object(r.detail)
	if r.broken = w.chance(0.08); r.broken {
		detail = []string{"7", `[1]`, `{"a":1`, "null"}[w.rnd.IntN(4)]
	}
	r.raw = fmt.Sprintf(`{"version":"0","id":%q,"detail-type":%q,"source":%q,"account":"111122223333","time":%q,"region":"eu-north-1","resources":[],"detail":%s}`,
		r.id, r.detailType, r.origin, r.at.UTC().Format(time.RFC3339), detail)
	w.tracef("bus", "%s of %s: %s", r.name, r.origin, r.detailType)
	in.poisonous(r)
	in.queue.send(r)
	if !w.calm && w.chance(w.weather.duplicate) {
		in.queue.send(r)
	}
}

// inTable changes an item of the table.
func (in *ingestion) inTable() {
	w, now := in.w, time.Now()
	id := fmt.Sprint(w.rnd.IntN(1000))
	if w.chance(0.2) {
		id = "99999999999"
	}
	r := in.record(&record{
		kind: []string{"INSERT", "MODIFY", "MODIFY", "REMOVE"}[w.rnd.IntN(4)], at: now.Truncate(time.Second), images: !w.chance(0.05),
	})
	if r.kind != "INSERT" {
		r.old = in.fields(id)
	}
	if r.kind != "REMOVE" {
		r.new = in.fields(id)
		if w.chance(0.1) {
			r.new = r.new[:len(r.new)-1]
		}
	}
	if r.kind == "MODIFY" && w.chance(0.3) { // only unlisted attributes may differ
		r.new[2], r.old[4] = r.old[2], field{"amount", "3", "N"}
		r.new = append(r.new[:4:4], r.old[4])
	}
	r.expired = r.kind == "REMOVE" && w.chance(0.3)
	l := in.lanes[w.rnd.IntN(len(in.lanes))]
	r.sequence = sequence(l.n, len(l.feed))
	view, identity := "NEW_AND_OLD_IMAGES", ""
	if !r.images {
		view = "KEYS_ONLY"
	}
	if r.expired {
		identity = `,"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}`
	}
	images := ""
	if r.old != nil && r.images {
		images += `,"OldImage":` + image(r.old)
	}
	if r.new != nil && r.images {
		images += `,"NewImage":` + image(r.new)
	}
	if r.broken = w.chance(0.08); r.broken {
		images += `,"NewImage":{"name":{"X":"?"}}`
	}
	r.raw = fmt.Sprintf(`{"eventID":%q,"eventName":%q,"eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-north-1","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"N":%q}}%s,"SequenceNumber":%q,"SizeBytes":99,"StreamViewType":%q},"eventSourceARN":%q%s}`,
		r.id, r.kind, r.at.Unix(), id, images, r.sequence, view, contactsStream, identity)
	w.tracef("table", "%s: %s in lane %d", r.name, r.kind, l.n)
	in.poisonous(r)
	l.feed = append(l.feed, r)
}

// sequence returns the sequence number of a record in a lane. The third has a digit
// more than those before.
func sequence(lane, n int) string {
	if n < 2 {
		return fmt.Sprintf("9%d%017d%d", lane, 0, 8+n)
	}
	return fmt.Sprintf("1%d%018d%03d", lane, 0, n)
}

// poisonous makes the first record the poisonous one, if there is to be one.
func (in *ingestion) poisonous(r *record) {
	if in.cured.IsZero() || in.poison != nil || r.broken || in.w.calm {
		return
	}
	for _, s := range in.named(r) {
		id := string(in.derived(s, r))
		r.puts = append(r.puts, "put event e?"+id[max(0, len(id)-4):])
	}
	if len(r.puts) > 0 {
		in.poison = r
		in.w.tracef("weather", "*** the store refuses %s until %s", r.name, stamp(in.cured.Sub(in.w.began)))
	}
}
