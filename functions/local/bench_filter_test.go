package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/filter"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/template"
)

// benchFilter measures a filter of ten terms and a template of ten paths on an event of
// 1 KB, next to one pass of the JSON scanner over the same bytes.
func benchFilter(b *testing.B, t *table) {
	const turn, batch = time.Second, 1000
	compiled, err := filter.Compile([]byte(`{"Event":[{"prefix":"contact."}],"Entity":["contact"],"FieldValues":{"name":[{"prefix":"Bl"}],` +
		`"amount":[{"numeric":[">",10]}],"vip":[true],"country":[{"anything-but":["SE","DK"]}],` +
		`"address":{"city":[{"wildcard":"O*o"}],"ip":[{"cidr":"10.0.0.0/8"}]},"gone":[{"exists":false}],"category":[{"suffix":"mer"}]}}`))
	if err != nil {
		b.Fatal(err)
	}
	var fields strings.Builder
	fields.WriteString(`{"name":"Blåbær AS","amount":1250.5,"vip":true,"country":"NO","address":{"city":"Oslo","ip":"10.1.2.3"},"category":"customer"`)
	for i := 0; fields.Len() < 1000; i++ {
		fmt.Fprintf(&fields, `,"extra_%d":"some value %d"`, i, i)
	}
	e := filter.Event{Event: "contact.changed", Entity: "contact", PrimaryKey: 7, FieldValues: []byte(fields.String() + "}")}
	shape, err := template.Compile([]byte(`{"text":"{{Event}} {{PrimaryKey}}: {{FieldValues.name}} in {{FieldValues.address.city}}","amount":"{{FieldValues.amount}}",` +
		`"vip":"{{FieldValues.vip}}","ip":"{{FieldValues.address.ip}}","gone":"{{FieldValues.gone}}","category":"{{FieldValues.category}}","extra":"{{FieldValues.extra_9}}"}`))
	if err != nil {
		b.Fatal(err)
	}
	seen := template.Event{Event: e.Event, PrimaryKey: e.PrimaryKey, FieldValues: e.FieldValues}
	render := func() bool { body, err := shape.Append(nil, &seen); return err == nil && len(body) > 100 }
	measure := func(once func() bool) row {
		return benchTurn(turn, func() (n int) {
			for until := time.Now().Add(turn); time.Now().Before(until); n += batch {
				for range batch {
					if !once() {
						b.Fatal("the event does not pass")
					}
				}
			}
			return n
		})
	}
	var ours, scans, shaped []row
	for range 3 {
		scans = append(scans, measure(func() bool { members, err := jsonscan.Members(e.FieldValues); return err == nil && len(members) > 0 }))
		ours = append(ours, measure(func() bool { return compiled.Match(&e) }))
		shaped = append(shaped, measure(render))
	}
	o, s, r := best(ours), best(scans), best(shaped)
	s.what = "jsonscan.Members"
	o.what = "filter.Match"
	o.note = fmt.Sprintf("%.0f %% of the processor time (goal 200 %%), %.0f allocations (goal 0)",
		100*float64(o.cpu)/float64(s.cpu), testing.AllocsPerRun(1000, func() { compiled.Match(&e) }))
	r.what = "template.Append"
	r.allocs = testing.AllocsPerRun(1000, func() { render() })
	t.add(s)
	t.add(o)
	t.add(r)
}
