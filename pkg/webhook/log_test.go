package webhook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDeliveryFilter_Matches(t *testing.T) {
	t.Parallel()
	seven, eight := int32(7), int32(8)
	row := func(e webhook.Event, status webhook.Status, attempts ...webhook.Attempt) webhook.Delivery {
		d, _ := webhook.End{Round: 1, Seed: webhook.NewSeed(e, "", nil, time.Time{}), Status: status}.Apply(webhook.Delivery{})
		d.Attempts = attempts
		return d
	}
	entity, none := "Ticket", ""
	changed := row(webhook.Event{Name: "Contact.Changed", PrimaryKey: 7}, webhook.StatusFailed,
		webhook.Attempt{Error: webhook.AttemptTimeout}, webhook.Attempt{StatusCode: 503, Error: webhook.AttemptStatus})
	key := strings.Repeat("k", 300)
	order := row(webhook.Event{Name: "list.order.placed", Key: key, Content: &webhook.Content{Entity: &entity}}, webhook.StatusPending, webhook.Attempt{Error: webhook.AttemptDNS})
	fresh := row(webhook.Event{Name: "webhook7.errors", Content: &webhook.Content{Entity: &none}}, webhook.StatusPending)
	for name, tt := range map[string]struct {
		filter webhook.DeliveryFilter
		want   string // the rows that match
	}{
		"zero":                     {webhook.DeliveryFilter{}, "changed order fresh"},
		"status":                   {webhook.DeliveryFilter{Status: webhook.StatusPending}, "order fresh"},
		"name, any case":           {webhook.DeliveryFilter{Event: "contact.CHANGED"}, "changed"},
		"a part of a name":         {webhook.DeliveryFilter{Event: "contact"}, ""},
		"prefix":                   {webhook.DeliveryFilter{Event: "List.*"}, "order"},
		"the prefix and more":      {webhook.DeliveryFilter{Event: "contact.changed.*"}, ""},
		"any name":                 {webhook.DeliveryFilter{Event: "*"}, "changed order fresh"},
		"entity of the name":       {webhook.DeliveryFilter{Entity: "CONTACT"}, "changed"},
		"entity of the event":      {webhook.DeliveryFilter{Entity: "ticket"}, "order"},
		"entity of the other name": {webhook.DeliveryFilter{Entity: "list.order"}, ""},
		"primary key":              {webhook.DeliveryFilter{PrimaryKey: &seven}, "changed"},
		"another primary key":      {webhook.DeliveryFilter{PrimaryKey: &eight}, ""},
		"key":                      {webhook.DeliveryFilter{Key: key}, "order"},
		"a key that differs late":  {webhook.DeliveryFilter{Key: key[1:] + "K"}, ""},
		"class":                    {webhook.DeliveryFilter{Class: webhook.ClassServerError}, "changed"},
		"class of no response":     {webhook.DeliveryFilter{Class: webhook.ClassNone}, "order"},
		"error of the last":        {webhook.DeliveryFilter{Error: webhook.AttemptStatus}, "changed"},
		"error of an earlier one":  {webhook.DeliveryFilter{Error: webhook.AttemptTimeout}, ""},
		"all at once":              {webhook.DeliveryFilter{Status: webhook.StatusFailed, Event: "contact.*", Entity: "contact", PrimaryKey: &seven, Class: "5xx", Error: "status"}, "changed"},
		"all but one":              {webhook.DeliveryFilter{Status: webhook.StatusFailed, Event: "contact.*", Entity: "contact", PrimaryKey: &eight, Class: "5xx", Error: "status"}, ""},
	} {
		var got []string
		for i, d := range []webhook.Delivery{changed, order, fresh} {
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
	s := webhook.NewSeed(e, "job", nil, time.Time{})
	e.Key += "1"
	other := webhook.NewSeed(e, "job", nil, time.Time{})
	if len(s.EventKey) > 256 || len(s.Entity) > 128 || s.EventKey == other.EventKey || !strings.HasPrefix(s.EventKey, "ééé") || strings.ToValidUTF8(s.EventKey, "") != s.EventKey {
		t.Errorf("got key %q, entity %q", s.EventKey, s.Entity)
	}
	same := "A"
	if s := webhook.NewSeed(webhook.Event{Name: "a.b", Key: "k", Content: &webhook.Content{Entity: &same}}, "", nil, time.Time{}); s.Entity != "A" || s.EventKey != "k" {
		t.Errorf("got entity %q, key %q", s.Entity, s.EventKey)
	}
	if s := webhook.NewSeed(webhook.Event{Name: "a.b"}, "", nil, time.Time{}); s.Entity != "" {
		t.Errorf("the entity of the name is stored: %q", s.Entity)
	}
}
