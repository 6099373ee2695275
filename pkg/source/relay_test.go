package source_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const life = 30 * 24 * time.Hour

func crm() source.Source {
	return source.Source{
		Name: "crm", Kind: source.KindRelay, Tenant: "Acme", Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust12345"},
	}
}

func TestFromRelay_SuperOffice(t *testing.T) {
	t.Parallel()
	const (
		id   = "88f91933-edce-4c1a-8ded-ade8e2f72434"
		body = `{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2026-11-24T07:24:33.27583Z","Changes":["name","<b>"],"Event":"Contact.changed",` +
			`"PrimaryKey":5,"Entity":"contact","ContextIdentifier":"Cust12345","ChangedByAssociateId":9,"WebhookName":"W","FieldValues":{"b": 1.50,"a":"<ø>"},"Extra":1}`
	)
	event := func(change func(*webhook.Event)) webhook.Event {
		entity := "contact"
		e := webhook.Event{
			Tenant: "Acme", Name: "Contact.changed", PrimaryKey: 5, ChangedBy: 9, At: time.Date(2026, 11, 24, 7, 24, 33, 275830000, time.UTC), Hops: 1,
			Content: &webhook.Content{
				Entity: &entity, Changes: []string{"name", "<b>"}, FieldValues: json.RawMessage(`{"b":1.50,"a":"<ø>"}`), Context: "Cust12345",
				Source: "/in/crm", SourceEvent: id,
			},
		}
		if change != nil {
			change(&e)
		}
		return e
	}
	once := webhook.Once{Key: webhook.OnceKey("/in/crm", id), Life: life - 24*time.Hour}
	with := func(old, replacement string) string {
		changed := strings.Replace(body, old, replacement, 1)
		if changed == body {
			t.Fatalf("%q is not in the body", old)
		}
		return changed
	}
	for name, c := range map[string]struct {
		body string
		hops int
		want source.Outcome
	}{
		"a change":                     {body, 0, source.Outcome{Event: event(nil), Once: once}},
		"hops are passed on":           {body, 2, source.Outcome{Event: event(func(e *webhook.Event) { e.Hops = 3 }), Once: once}},
		"a loop":                       {body, 3, source.Outcome{Skip: source.ReasonLoop}},
		"absent members":               {with(`"Changes":["name","<b>"],`, ``), 0, source.Outcome{Event: event(func(e *webhook.Event) { e.Content.Changes = nil }), Once: once}},
		"empty members":                {with(`"name","<b>"`, ``), 0, source.Outcome{Event: event(func(e *webhook.Event) { e.Content.Changes = []string{} }), Once: once}},
		"no entity":                    {with(`"Entity":"contact",`, ``), 0, source.Outcome{Event: event(func(e *webhook.Event) { e.Content.Entity = nil }), Once: once}},
		"no zone":                      {with(`33.27583Z`, `33.27583`), 0, source.Outcome{Event: event(nil), Once: once}},
		"values of a deletion":         {with(`"FieldValues":{"b": 1.50,"a":"<ø>"}`, `"Values":{}`), 0, source.Outcome{Event: event(func(e *webhook.Event) { e.Content.Values, e.Content.FieldValues = json.RawMessage(`{}`), nil }), Once: once}},
		"another context":              {with(`Cust12345`, `Cust54321`), 0, source.Outcome{Skip: source.ReasonContext}},
		"the ping":                     {with(`Contact.changed`, `test`), 0, source.Outcome{Skip: source.ReasonPing}},
		"a state event":                {with(`Contact.changed`, `webhook.errors`), 0, source.Outcome{Skip: source.ReasonName}},
		"no name":                      {with(`"Event":"Contact.changed",`, ``), 0, source.Outcome{Skip: source.ReasonName}},
		"no id":                        {with(`"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434",`, ``), 0, source.Outcome{Skip: source.ReasonID}},
		"no timestamp":                 {with(`"Timestamp":"2026-11-24T07:24:33.27583Z",`, ``), 0, source.Outcome{Skip: source.ReasonTimestamp}},
		"six minutes ahead":            {with(`2026-11-24T07:24:33.27583Z`, `2026-11-24T08:06:00Z`), 0, source.Outcome{Skip: source.ReasonTimestamp}},
		"too old to be recognized":     {with(`2026-11-24T07:24:33.27583Z`, `2026-10-26T08:04:59Z`), 0, source.Outcome{Skip: source.ReasonOld}},
		"a key that is not an integer": {with(`"PrimaryKey":5`, `"PrimaryKey":"x"`), 0, source.Outcome{Skip: source.ReasonUnreadable}},
		"an array":                     {`[` + body + `]`, 0, source.Outcome{Skip: source.ReasonUnreadable}},
		"not UTF-8":                    {with(`ø`, "\xf8"), 0, source.Outcome{Skip: source.ReasonUnreadable}},
		"nothing":                      {``, 0, source.Outcome{Skip: source.ReasonUnreadable}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, crm().FromRelay(source.Delivery{Body: []byte(c.body), Hops: c.hops}, now, life)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The oldest delivery that is taken is younger than the idempotency key of the
// first one can be.
func TestFromRelay_ACapturedPostIsSkippedBeforeItsKeyExpires(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 5 * time.Minute, -time.Hour} {
		body := `{"EventId":"1","Timestamp":"` + now.Add(ahead).Format(time.RFC3339) + `","Event":"a","ContextIdentifier":"Cust12345"}`
		first := crm().FromRelay(source.Delivery{Body: []byte(body)}, now, life)
		if first.Skip != "" {
			t.Fatalf("%v ahead: skipped for %s", ahead, first.Skip)
		}
		replayed := now.Add(first.Once.Life) // the key has expired
		if again := crm().FromRelay(source.Delivery{Body: []byte(body)}, replayed, life); again.Skip == "" {
			t.Errorf("%v ahead: the POST makes a second event after %v", ahead, first.Once.Life)
		}
	}
}

func TestFromRelay_Standard(t *testing.T) {
	t.Parallel()
	at := now.Add(-time.Minute)
	relay := source.Source{Name: "shop", Kind: source.KindRelay, Tenant: "Acme", Relay: &source.Relay{Protocol: source.ProtocolStandard}}
	entity := "order"
	event := webhook.Event{
		Tenant: "Acme", Name: "order.placed", PrimaryKey: 7, Key: "A-7", At: at.Add(-time.Minute), Hops: 1,
		Content: &webhook.Content{Entity: &entity, Changes: []string{"b", "a"}, FieldValues: json.RawMessage(`{"b":1.50,"a":2}`), Source: "/in/shop", SourceEvent: "msg_1"},
	}
	once := webhook.Once{Key: webhook.OnceKey("/in/shop", "msg_1"), Life: life - 24*time.Hour}
	const body = `{"type":"order.placed","timestamp":"2026-11-24T07:58:00Z","data":{"b":1.50,"a":2},"primaryKey":7,"key":"A-7"}`
	listed := event
	listed.Content = &webhook.Content{Entity: &entity, Changes: []string{"data"}, FieldValues: json.RawMessage(`{"data":[1]}`), Source: "/in/shop", SourceEvent: "msg_1"}
	bare := webhook.Event{Tenant: "Acme", Name: "order.placed", At: at, Hops: 1, Content: &webhook.Content{Entity: &entity, Source: "/in/shop", SourceEvent: "msg_1"}}
	for name, c := range map[string]struct {
		body string
		want source.Outcome
	}{
		"the recommended body":       {body, source.Outcome{Event: event, Once: once}},
		"data that is not an object": {strings.Replace(body, `{"b":1.50,"a":2}`, `[1]`, 1), source.Outcome{Event: listed, Once: once}},
		"no timestamp and no data":   {`{"type":"order.placed"}`, source.Outcome{Event: bare, Once: once}},
		"no type":                    {`{"data":{}}`, source.Outcome{Skip: source.ReasonName}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := relay.FromRelay(source.Delivery{Body: []byte(c.body), ID: "msg_1", At: at}, now, life)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
