package source_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func busEvent(detailType, detail string) string {
	return fmt.Sprintf(`{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":%q,"source":"shop.orders","account":"111122223333",`+
		`"time":"2026-11-24T07:59:00Z","region":"eu-west-1","resources":[],"detail":%s}`, detailType, detail)
}

func parsed(t *testing.T, raw string) source.BusEvent {
	t.Helper()
	e, err := source.ParseBus([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFromBus(t *testing.T) {
	t.Parallel()
	const detail = `{ "order" : {"id":7,"ref":"A-7"}, "total":1.50, "by":3, "empty":null }`
	at := now.Add(-time.Minute)
	orders := source.DefaultBus("Default")
	event := func(change func(*webhook.Event)) webhook.Event {
		entity := "order"
		e := webhook.Event{
			Tenant: "Default", Name: "order.placed", At: at, Hops: 1,
			ID: webhook.DeriveEventID(at, "bus", "bus", "6a7e8feb-b491-4cf7-a9f1-bf3703467718"),
			Content: &webhook.Content{
				Entity: &entity, Changes: []string{"order", "total", "by", "empty"},
				FieldValues: json.RawMessage(`{"order":{"id":7,"ref":"A-7"},"total":1.50,"by":3,"empty":null}`),
				Source:      "shop.orders", SourceEvent: "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
			},
		}
		if change != nil {
			change(&e)
		}
		return e
	}
	for name, c := range map[string]struct {
		bus  source.Bus
		raw  string
		want source.Outcome
	}{
		"the default mapping": {source.Bus{}, busEvent("Order Placed", detail), source.Outcome{Event: event(nil)}},
		"an integer is the primary key": {
			source.Bus{Key: "order.id", ChangedBy: "by"},
			busEvent("Order Placed", detail),
			source.Outcome{Event: event(func(e *webhook.Event) { e.PrimaryKey, e.ChangedBy = 7, 3 })},
		},
		"a string is the key": {
			source.Bus{Key: "order.ref"}, busEvent("Order Placed", detail), source.Outcome{Event: event(func(e *webhook.Event) { e.Key = "A-7" })},
		},
		"an absent path is missing": {
			source.Bus{Key: "order.number", ChangedBy: "total.x"},
			busEvent("Order Placed", detail),
			source.Outcome{Event: event(nil), Missing: []string{"order.number", "total.x"}},
		},
		"a null is missing": {source.Bus{Key: "empty"}, busEvent("Order Placed", detail), source.Outcome{Event: event(nil), Missing: []string{"empty"}}},
		"listed fields alone": {
			source.Bus{Fields: []string{"total", "vat"}, Event: "sale.done", Entity: "sale"},
			busEvent("Order Placed", detail),
			source.Outcome{Event: event(func(e *webhook.Event) {
				entity := "sale"
				e.Name, e.Content.Entity, e.Content.Changes, e.Content.FieldValues = "sale.done", &entity, []string{"total"}, json.RawMessage(`{"total":1.50}`)
			}), Missing: []string{"vat"}},
		},
		"our own events":  {source.Bus{}, strings.Replace(busEvent("Order Placed", detail), "shop.orders", "posthaste.webhooks", 1), source.Outcome{Skip: source.ReasonOwn}},
		"a reserved name": {source.Bus{}, busEvent("Test", detail), source.Outcome{Skip: source.ReasonName}},
		"no letters":      {source.Bus{}, busEvent("!?", detail), source.Outcome{Skip: source.ReasonName}},
		"a detail that is not an object": {
			source.Bus{}, busEvent("Order Placed", `[1]`), source.Outcome{Skip: source.ReasonUnreadable},
		},
		"the default name": {source.Bus{}, busEvent(" AWS API Call via CloudTrail / v2 ", `{}`), source.Outcome{Event: event(func(e *webhook.Event) {
			entity := "aws.api.call.via.cloudtrail"
			e.Name, e.Content.Entity, e.Content.Changes, e.Content.FieldValues = "aws.api.call.via.cloudtrail.v2", &entity, []string{}, json.RawMessage(`{}`)
		})}},
		"a day old": {
			source.Bus{},
			strings.Replace(busEvent("Order Placed", detail), "2026-11-24T07:59:00Z", "2026-11-23T07:59:59Z", 1),
			source.Outcome{
				Event: event(func(e *webhook.Event) { e.ID, e.At = "", now.Add(-24*time.Hour-time.Second) }),
				Once:  webhook.Once{Key: webhook.OnceKey("bus/bus", "bus/6a7e8feb-b491-4cf7-a9f1-bf3703467718"), Life: 24 * time.Hour},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := orders
			s.Bus = &c.bus
			if diff := cmp.Diff(c.want, s.FromBus(parsed(t, c.raw), now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseBus_Refuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{``, `[]`, `{}`, `{"id":1,"source":"a","detail-type":"b"}`, `{"id":"1","source":"a"}`, `{"id":"1","source":"a","detail-type":"b","time":"noon"}`, "{\"id\":\"\xff\"}"} {
		if e, err := source.ParseBus([]byte(raw)); err == nil {
			t.Errorf("%s: got %+v", raw, e)
		}
	}
}

func TestBus_Matches(t *testing.T) {
	t.Parallel()
	e := source.BusEvent{Source: "shop", DetailType: "Order Placed"}
	for _, c := range []struct {
		bus  source.Bus
		want bool
	}{
		{source.Bus{}, true},
		{source.Bus{Sources: []string{"a", "shop"}}, true},
		{source.Bus{Sources: []string{"sho"}}, false},
		{source.Bus{DetailTypes: []string{"Order Placed"}}, true},
		{source.Bus{Sources: []string{"shop"}, DetailTypes: []string{"order placed"}}, false},
	} {
		if got := c.bus.Matches(e); got != c.want {
			t.Errorf("%+v: got %t", c.bus, got)
		}
	}
}

func TestFromBus_SkipsWhatWasSentBeforeTheSource(t *testing.T) {
	t.Parallel()
	s := source.DefaultBus("Default")
	s.Created = now
	e := parsed(t, busEvent("Order Placed", `{}`))
	if out := s.FromBus(e, now.Add(-time.Millisecond)); out.Skip != source.ReasonEarly {
		t.Errorf("a millisecond before: got %+v", out)
	}
	if out := s.FromBus(e, now); out.Skip != "" {
		t.Errorf("at that time: skipped for %s", out.Skip)
	}
}
