package source

import (
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The limits of a source.
const (
	maxNames       = 200 // entries of one list
	maxName        = 255 // characters of one entry, DynamoDB's limit for an attribute
	maxKeyParts    = 4
	maxContextName = 64
	minExpect      = time.Minute
	maxExpect      = 30 * 24 * time.Hour
)

// Validate reports everything that is wrong with a source as a
// *webhook.ValidationError, or nil.
func (s Source) Validate() error {
	var f webhook.Faults
	if !validName(s.Name) {
		f.Add("Name", "must be 1 to 63 characters of a-z 0-9 -, beginning with a letter")
	}
	if s.Name == DefaultBus("").Name {
		f.Add("Name", "%q is the built-in source", s.Name)
	}
	if s.ExpectWithin != 0 && (s.ExpectWithin < minExpect || s.ExpectWithin > maxExpect) {
		f.Add("ExpectWithinMinutes", "must be from %.0f to %.0f", minExpect.Minutes(), maxExpect.Minutes())
	}
	perRecord := s.Table != nil && s.Table.TenantAttribute != ""
	if perRecord == (s.Tenant != "") {
		f.Add("Tenant", "must be set, or else Table.TenantAttribute")
	} else if !perRecord && !s.Tenant.Valid() {
		f.Add("Tenant", "must be 1 to 64 characters of A-Z a-z 0-9 _ -")
	}
	for _, m := range []struct {
		kind Kind
		name string
		set  bool
	}{{KindBus, "Bus", s.Bus != nil}, {KindTable, "Table", s.Table != nil}, {KindRelay, "Relay", s.Relay != nil}} {
		switch {
		case m.kind == s.Kind && !m.set:
			f.Add(m.name, "is required for the kind %s", s.Kind)
		case m.kind != s.Kind && m.set:
			f.Add(m.name, "is only for the kind %s", m.kind)
		}
	}
	switch {
	case s.Kind == KindBus && s.Bus != nil:
		s.Bus.validate(&f)
	case s.Kind == KindTable && s.Table != nil:
		s.Table.validate(&f)
	case s.Kind == KindRelay && s.Relay != nil:
		s.Relay.validate(&f)
	case s.Kind != KindBus && s.Kind != KindTable && s.Kind != KindRelay:
		f.Add("Kind", "must be %s, %s or %s", KindBus, KindTable, KindRelay)
	}
	return f.Err()
}

func validName(name string) bool {
	if name == "" || len(name) > 63 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

func (b *Bus) validate(f *webhook.Faults) {
	checkNames(f, "Bus.Sources", b.Sources)
	checkNames(f, "Bus.DetailTypes", b.DetailTypes)
	checkNames(f, "Bus.Fields", b.Fields)
	if slices.ContainsFunc(b.Sources, func(s string) bool { return strings.HasPrefix(s, OwnPrefix) }) {
		f.Add("Bus.Sources", "must not begin with %s", OwnPrefix)
	}
	if b.Event != "" && !webhook.MayRaise(b.Event) {
		f.Add("Bus.Event", "must be an event name that is not reserved")
	}
	checkEntity(f, "Bus.Entity", b.Entity)
	checkPath(f, "Bus.Key", b.Key)
	checkPath(f, "Bus.ChangedBy", b.ChangedBy)
}

func (t *Table) validate(f *webhook.Faults) {
	if !validTableARN(t.Table) {
		f.Add("Table.Table", "must be the ARN of a DynamoDB table")
	}
	if t.Entity == "" {
		f.Add("Table.Entity", "is required")
	}
	checkEntity(f, "Table.Entity", t.Entity)
	if len(t.Fields) == 0 {
		f.Add("Table.Fields", "is required: only listed attributes leave the table")
	}
	checkNames(f, "Table.Fields", t.Fields)
	checkNames(f, "Table.Previous", t.Previous)
	checkNames(f, "Table.Key", t.Key)
	if len(t.Key) > maxKeyParts {
		f.Add("Table.Key", "must have at most %d attributes", maxKeyParts)
	}
	for _, name := range t.Previous {
		if !slices.Contains(t.Fields, name) {
			f.Add("Table.Previous", "%q must be one of Fields", name)
		}
	}
	names := map[string]bool{}
	for _, name := range t.Fields {
		if named := t.named(name); names[named] {
			f.Add("Table.Rename", "gives two fields the name %q", named)
		} else {
			names[named] = true
		}
	}
	for name, named := range t.Rename {
		if !slices.Contains(t.Fields, name) {
			f.Add("Table.Rename", "%q must be one of Fields", name)
		}
		checkNames(f, "Table.Rename", []string{named})
	}
	if (t.TenantAttribute == "") != (len(t.Tenants) == 0) {
		f.Add("Table.Tenants", "is required with TenantAttribute, and only with it")
	}
	if len(t.Tenants) > maxNames {
		f.Add("Table.Tenants", "must have at most %d entries", maxNames)
	}
	for _, tenant := range t.Tenants {
		if !tenant.Valid() {
			f.Add("Table.Tenants", "must be names of tenants")
			break
		}
	}
}

func (r *Relay) validate(f *webhook.Faults) {
	switch r.Protocol {
	case ProtocolSuperOffice:
		if r.Context == "" || len(r.Context) > maxContextName {
			f.Add("Relay.Context", "is required and at most %d characters: the sender's ContextIdentifier", maxContextName)
		}
	case ProtocolStandard:
		if r.Context != "" {
			f.Add("Relay.Context", "is only for the protocol %s", ProtocolSuperOffice)
		}
	default:
		f.Add("Relay.Protocol", "must be %s or %s", ProtocolSuperOffice, ProtocolStandard)
	}
}

func checkEntity(f *webhook.Faults, member, entity string) {
	if entity != "" && !webhook.MayRaise(entity+".created") {
		f.Add(member, "must be characters of A-Z a-z 0-9 _ . -, and not reserved")
	}
}

func checkPath(f *webhook.Faults, member, path string) {
	if path != "" && (len(path) > maxName || slices.Contains(strings.Split(path, "."), "")) {
		f.Add(member, "must be names joined by dots, at most %d characters", maxName)
	}
}

func checkNames(f *webhook.Faults, member string, names []string) {
	if len(names) > maxNames {
		f.Add(member, "must have at most %d entries", maxNames)
		return
	}
	for i, name := range names {
		if name == "" || len(name) > maxName {
			f.Add(member, "entries must be 1 to %d characters", maxName)
			return
		}
		if slices.Contains(names[:i], name) {
			f.Add(member, "lists %q twice", name)
			return
		}
	}
}
