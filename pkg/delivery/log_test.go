package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDeliveryFilter_Matches(t *testing.T) {
	t.Parallel()
	seven, eight := int32(7), int32(8)
	row := func(e webhook.Event, status delivery.Status, attempts ...delivery.Attempt) delivery.Row {
		d, _ := delivery.End{Round: 1, Seed: delivery.NewSeed(e, "", nil, time.Time{}), Status: status}.Apply(delivery.Row{})
		d.Attempts = attempts
		return d
	}
	entity, none := "Ticket", ""
	changed := row(webhook.Event{Name: "Contact.Changed", PrimaryKey: 7}, delivery.StatusFailed,
		delivery.Attempt{Error: failure.Timeout}, delivery.Attempt{StatusCode: 503, Error: failure.Status})
	key := strings.Repeat("k", 300)
	order := row(webhook.Event{Name: "list.order.placed", Key: key, Content: &webhook.Content{Entity: &entity}}, delivery.StatusPending, delivery.Attempt{Error: failure.DNS})
	fresh := row(webhook.Event{Name: "webhook7.errors", Content: &webhook.Content{Entity: &none}}, delivery.StatusPending)
	for name, tt := range map[string]struct {
		filter delivery.Filter
		want   string // the rows that match
	}{
		"zero":                      {delivery.Filter{}, "changed order fresh"},
		"status":                    {delivery.Filter{Status: delivery.StatusPending}, "order fresh"},
		"name, any case":            {delivery.Filter{Event: "contact.CHANGED"}, "changed"},
		"a part of a name":          {delivery.Filter{Event: "contact"}, ""},
		"prefix":                    {delivery.Filter{Event: "List.*"}, "order"},
		"the prefix and more":       {delivery.Filter{Event: "contact.changed.*"}, ""},
		"a prefix that is the name": {delivery.Filter{Event: "contact.changed*"}, "changed"},
		"any name":                  {delivery.Filter{Event: "*"}, "changed order fresh"},
		"entity of the name":        {delivery.Filter{Entity: "CONTACT"}, "changed"},
		"entity of the event":       {delivery.Filter{Entity: "ticket"}, "order"},
		"entity of the other name":  {delivery.Filter{Entity: "list.order"}, ""},
		"primary key":               {delivery.Filter{PrimaryKey: &seven}, "changed"},
		"another primary key":       {delivery.Filter{PrimaryKey: &eight}, ""},
		"key":                       {delivery.Filter{Key: key}, "order"},
		"a key that differs late":   {delivery.Filter{Key: key[1:] + "K"}, ""},
		"class":                     {delivery.Filter{Class: delivery.ClassServerError}, "changed"},
		"class of no response":      {delivery.Filter{Class: delivery.ClassNone}, "order"},
		"error of the last":         {delivery.Filter{Error: failure.Status}, "changed"},
		"error of an earlier one":   {delivery.Filter{Error: failure.Timeout}, ""},
		"all at once":               {delivery.Filter{Status: delivery.StatusFailed, Event: "contact.*", Entity: "contact", PrimaryKey: &seven, Class: "5xx", Error: "status"}, "changed"},
		"all but one":               {delivery.Filter{Status: delivery.StatusFailed, Event: "contact.*", Entity: "contact", PrimaryKey: &eight, Class: "5xx", Error: "status"}, ""},
	} {
		var got []string
		for i, d := range []delivery.Row{changed, order, fresh} {
			if tt.filter.Matches(d) {
				got = append(got, []string{"changed", "order", "fresh"}[i])
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, want %q", name, got, tt.want)
		}
	}
}

// Rows keep names in bounded form, and different names stay different.
func TestSeed_BoundsNames(t *testing.T) {
	t.Parallel()
	entity := strings.Repeat("é", 200)
	e := webhook.Event{Name: "a.b", Key: strings.Repeat("é", 200), Content: &webhook.Content{Entity: &entity}}
	s := delivery.NewSeed(e, "job", nil, time.Time{})
	e.Key += "1"
	other := delivery.NewSeed(e, "job", nil, time.Time{})
	if len(s.EventKey) > 256 || len(s.Entity) > 128 || s.EventKey == other.EventKey || !strings.HasPrefix(s.EventKey, "ééé") || strings.ToValidUTF8(s.EventKey, "") != s.EventKey {
		t.Errorf("got key %q, entity %q", s.EventKey, s.Entity)
	}
	same := "A"
	if s := delivery.NewSeed(webhook.Event{Name: "a.b", Key: "k", Content: &webhook.Content{Entity: &same}}, "", nil, time.Time{}); s.Entity != "A" || s.EventKey != "k" {
		t.Errorf("got entity %q, key %q", s.Entity, s.EventKey)
	}
	if s := delivery.NewSeed(webhook.Event{Name: "a.b"}, "", nil, time.Time{}); s.Entity != "" {
		t.Errorf("the entity of the name is stored: %q", s.Entity)
	}
}

func TestFilter_Zero(t *testing.T) {
	t.Parallel()
	if !(delivery.Filter{}).Zero() || (delivery.Filter{Status: delivery.StatusFailed}).Zero() {
		t.Error("only a filter without a condition is zero")
	}
}
