package source_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	bus := func() source.Source {
		return source.Source{Name: "shop", Kind: source.KindBus, Tenant: "Default", Bus: &source.Bus{}}
	}
	for name, c := range map[string]struct {
		from   func() source.Source
		change func(*source.Source)
		want   string // of the fault; "" is valid
	}{
		"a bus":                {bus, func(*source.Source) {}, ""},
		"a table":              {orders, func(*source.Source) {}, ""},
		"a relay":              {crm, func(*source.Source) {}, ""},
		"an upper-case name":   {bus, func(s *source.Source) { s.Name = "Shop" }, "Name must be 1 to 63 characters"},
		"the built-in name":    {bus, func(s *source.Source) { s.Name = "bus" }, `Name "bus" is the built-in source`},
		"no kind":              {bus, func(s *source.Source) { s.Kind = "" }, "Kind must be bus, table or relay"},
		"the wrong member":     {bus, func(s *source.Source) { s.Bus, s.Relay = nil, &source.Relay{} }, "Bus is required for the kind bus; Relay is only for the kind relay"},
		"no tenant":            {bus, func(s *source.Source) { s.Tenant = "" }, "Tenant must be set"},
		"a bad tenant":         {bus, func(s *source.Source) { s.Tenant = "a b" }, "Tenant must be 1 to 64 characters"},
		"impatient":            {bus, func(s *source.Source) { s.ExpectWithin = time.Second }, "ExpectWithinMinutes must be from 1 to 43200"},
		"our own bus source":   {bus, func(s *source.Source) { s.Bus.Sources = []string{"posthaste.webhooks"} }, "Bus.Sources must not begin with posthaste."},
		"a reserved event":     {bus, func(s *source.Source) { s.Bus.Event = "webhook1.errors" }, "Bus.Event must be an event name"},
		"an empty path":        {bus, func(s *source.Source) { s.Bus.Key = "a..b" }, "Bus.Key must be names joined by dots"},
		"a field twice":        {bus, func(s *source.Source) { s.Bus.Fields = []string{"a", "a"} }, `Bus.Fields lists "a" twice`},
		"a stream's ARN":       {orders, func(s *source.Source) { s.Table.Table = streamARN }, "Table.Table must be the ARN of a DynamoDB table"},
		"no fields":            {orders, func(s *source.Source) { s.Table.Fields, s.Table.Rename, s.Table.Previous = nil, nil, nil }, "Table.Fields is required"},
		"no entity":            {orders, func(s *source.Source) { s.Table.Entity = "" }, "Table.Entity is required"},
		"an entity of a space": {orders, func(s *source.Source) { s.Table.Entity = "my order" }, "Table.Entity must be characters"},
		"two fields of a name": {orders, func(s *source.Source) { s.Table.Rename["status"] = "amount" }, `Table.Rename gives two fields the name "amount"`},
		"an unlisted previous": {orders, func(s *source.Source) { s.Table.Previous = []string{"card"} }, `Table.Previous "card" must be one of Fields`},
		"an unlisted rename":   {orders, func(s *source.Source) { s.Table.Rename["card"] = "x" }, `Table.Rename "card" must be one of Fields`},
		"five key attributes":  {orders, func(s *source.Source) { s.Table.Key = strings.Split("abcde", "") }, "Table.Key must have at most 4 attributes"},
		"any tenant":           {orders, func(s *source.Source) { s.Tenant, s.Table.TenantAttribute = "", "owner" }, "Table.Tenants is required with TenantAttribute"},
		"both tenants": {
			orders, func(s *source.Source) {
				s.Table.TenantAttribute, s.Table.Tenants = "owner", []webhook.Tenant{"Acme"}
			}, "Tenant must be set, or else Table.TenantAttribute",
		},
		"no context":         {crm, func(s *source.Source) { s.Relay.Context = "" }, "Relay.Context is required"},
		"no protocol":        {crm, func(s *source.Source) { s.Relay.Protocol = "" }, "Relay.Protocol must be superoffice or standard"},
		"a needless context": {crm, func(s *source.Source) { s.Relay.Protocol = source.ProtocolStandard }, "Relay.Context is only for the protocol superoffice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.from()
			c.change(&s)
			err := s.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
