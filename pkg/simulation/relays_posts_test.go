package simulation_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// told is an event as its sender tells it.
type told struct {
	number  int
	id      string
	name    string // of the event
	key     int
	at      time.Time // zero: the body does not say
	context string
	values  bool // it has Values
	amount  string
	broken  bool
	hops    string // X-Posthaste-Hops
}

// signedBy says how a POST is signed.
type signedBy uint8

const (
	byKnown    signedBy = iota // with the secret that the sender knows
	byWrong                    // with another
	byNobody                   // not at all
	byRepeated                 // with two headers
)

// post is one POST to a relay.
type post struct {
	told
	source  string
	webhook string // the sender's, of which a CRM may have two
	by      signedBy
	secret  string
	sentAt  time.Time // webhook-timestamp of Standard Webhooks
	at      time.Time // when it is due
	later   []time.Duration
	began   time.Time
	ended   time.Time
	body    string
	headers []ledger.Header
	status  int // 0: the sender got no response
}

func (p *post) name() string { return fmt.Sprintf("s%d to %s", p.number, p.source) }

// happen makes an event happen at a sender, whose webhooks, one or two, report it;
// some of their POSTs come again much later.
func (in *relays) happen() {
	w, now := in.w, time.Now()
	in.drawn++
	name := []string{"crm", "crm", "crm2", "hooks"}[w.rnd.IntN(4)]
	e := told{
		number: in.drawn, name: busNames[w.rnd.IntN(len(busNames))].name, key: w.rnd.IntN(1000), at: now.Truncate(time.Millisecond), context: in.context(name),
		amount: []string{"1.50", "100000000000000000000.10", "-7"}[w.rnd.IntN(3)], values: w.chance(0.3), broken: w.chance(0.03),
	}
	e.id = fmt.Sprintf("00dc6acf-ac64-43b5-8a92-%012x", w.seed<<16&(1<<48-1)|uint64(in.drawn))
	if w.chance(0.3) {
		e.id = fmt.Sprintf("not-a-guid-%d", in.drawn)
	}
	switch {
	case w.chance(0.06):
		e.at = time.Time{}
	case w.chance(0.06): // long ago
		e.at = now.Add([]time.Duration{-29 * 24 * time.Hour, -35 * 24 * time.Hour, -29*24*time.Hour + 40*time.Minute}[w.rnd.IntN(3)]).Truncate(time.Millisecond)
	case w.chance(0.06):
		e.at = now.Add([]time.Duration{2 * time.Minute, 20 * time.Minute}[w.rnd.IntN(2)]).Truncate(time.Millisecond)
	case w.chance(0.06):
		e.context = []string{"Cust-other", "", "cust-crm"}[w.rnd.IntN(3)]
	case w.chance(0.1):
		e.hops = []string{"1", "2", "3", "7", "x"}[w.rnd.IntN(5)]
	}
	of := name
	for n := range 1 + w.rnd.IntN(2) {
		p := &post{told: e, source: of, webhook: fmt.Sprintf("its webhook %d", n+1), at: now, later: []time.Duration{time.Second, 4 * time.Second}}
		if w.chance(0.12) {
			p.by = []signedBy{byWrong, byNobody, byRepeated}[w.rnd.IntN(3)]
		}
		in.sends(p)
		if w.chance(0.1) && name != "hooks" {
			of = map[string]string{"crm": "crm2", "crm2": "crm"}[of] // and the second to the other address
		}
	}
}

// sends schedules a POST, and sometimes the same one again.
func (in *relays) sends(p *post) {
	w := in.w
	in.pending = append(in.pending, p)
	for range w.rnd.IntN(4) - 1 {
		again := *p
		again.at, again.later = p.at.Add([]time.Duration{w.between(0, time.Second), w.between(time.Second, time.Minute), w.between(time.Minute, max(w.weather.lasts, 2*time.Minute))}[w.rnd.IntN(3)]), nil
		if w.chance(0.2) {
			again.amount = "4711" // the same id: what it says does not count
		}
		in.pending = append(in.pending, &again)
	}
}

// signed returns the POST as it leaves the sender now, signed with the secret that
// its sender knows: the current one or an earlier one.
func (p *post) signed(w *world) *post {
	out := *p
	out.body = p.told.body(p)
	versions := w.relays.versions[p.source]
	n := len(versions) - 1
	if w.chance(0.3) {
		n = max(0, n-1-w.rnd.IntN(2))
	}
	if out.secret = versions[n].current; p.by == byWrong {
		out.secret = relaySecret(99)
	}
	out.sentAt = time.Now()
	if p.source == "hooks" && w.chance(0.1) {
		out.sentAt = out.sentAt.Add([]time.Duration{-4 * time.Minute, 4 * time.Minute, -20 * time.Minute, 20 * time.Minute}[w.rnd.IntN(4)])
	}
	out.sign()
	return &out
}

func (p *post) sign() {
	p.headers = nil
	if p.hops != "" {
		p.headers = append(p.headers, ledger.Header{Name: "x-posthaste-hops", Value: p.hops})
	}
	if p.by == byNobody {
		return
	}
	signature := ledger.Header{Name: "x-superoffice-signature", Value: ledger.SuperOffice(p.secret, p.body)}
	if p.source == "hooks" {
		seconds := strconv.FormatInt(p.sentAt.Unix(), 10)
		signature = ledger.Header{Name: "webhook-signature", Value: ledger.Standard(p.secret, p.id, seconds, p.body)}
		p.headers = append(p.headers, ledger.Header{Name: "webhook-id", Value: p.id}, ledger.Header{Name: "webhook-timestamp", Value: seconds})
	}
	if p.by == byRepeated { // as API Gateway passes it on
		signature.Value += "," + signature.Value
	}
	p.headers = append(p.headers, signature)
}

// body returns the body as its sender writes it.
func (e told) body(p *post) string {
	if e.broken {
		return `{"EventId":7,`
	}
	if p.source == "hooks" {
		at := ""
		if !e.at.IsZero() {
			at = fmt.Sprintf(`"timestamp":%q,`, e.at.UTC().Format(time.RFC3339Nano))
		}
		return fmt.Sprintf(`{"type":%q,%s"data":%s}`, e.name, at, e.fields())
	}
	at := ""
	if !e.at.IsZero() {
		at = fmt.Sprintf(`"Timestamp":%q,`, e.at.UTC().Format(time.RFC3339Nano))
	}
	values := ""
	if e.values {
		values = `"Values":{"category_idx": 3},`
	}
	return fmt.Sprintf(`{"EventId":%q,%s"Changes":["name","gone"],"Event":%q,"PrimaryKey":%d,"Entity":%q,"ContextIdentifier":%q,"ChangedByAssociateId":12,"WebhookName":%q,%s"FieldValues":%s,"Property":1}`,
		e.id, at, e.name, e.key, e.entity(), e.context, p.webhook, values, e.fields())
}

func (e told) fields() string { return fmt.Sprintf(`{"name": "Blåbær <&>","amount":%s}`, e.amount) }

func (e told) entity() string {
	if dot := strings.LastIndexByte(e.name, '.'); dot >= 0 {
		return e.name[:dot]
	}
	return e.name
}

// guid reports whether the sender's id is one that receivers see.
func (e told) guid() bool { return webhook.EventID(e.id).Valid() }
