package httpapi

import (
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// readSource reads a source's document and the revision that it states, 0 if it
// states none. Members that the service owns are ignored, so that a document that
// was read can be sent back; unknown members are faults.
func readSource(c *call) (d source.Draft, revision int64, err error) {
	document, err := readJSONObject(c)
	if err != nil {
		return source.Draft{}, 0, err
	}
	var f webhook.Faults
	d, revision = readDraft(memberValue("", document, &f))
	return d, revision, f.Err()
}

func readDraft(document value) (d source.Draft, revision int64) {
	ignored := func(value) {}
	readNamed(document, []namedMember{
		{"Name", func(v value) { d.Name = v.text() }},
		{"Kind", func(v value) { d.Kind = source.Kind(strings.ToLower(v.text())) }},
		{"Tenant", func(v value) { d.Tenant = webhook.Tenant(v.text()) }},
		{"Bus", func(v value) { d.Bus = readBus(v) }},
		{"Table", func(v value) { d.Table = readTable(v) }},
		{"Relay", func(v value) { d.Relay, d.Secret = readRelay(v) }},
		{"ExpectWithinMinutes", func(v value) { d.ExpectWithin = time.Duration(v.number()) * time.Minute }},
		{"Revision", func(v value) { revision = int64(v.number()) }},
		{"Created", ignored},
		{"Updated", ignored},
		{"UpdatedBy", ignored},
		{"Counts", ignored},
	})
	return d, revision
}

func readBus(v value) *source.Bus {
	if v.isNull() {
		return nil
	}
	b := &source.Bus{}
	readNamed(v, []namedMember{
		{"Sources", func(v value) { b.Sources = v.texts() }},
		{"DetailTypes", func(v value) { b.DetailTypes = v.texts() }},
		{"Event", func(v value) { b.Event = v.text() }},
		{"Entity", func(v value) { b.Entity = v.text() }},
		{"Key", func(v value) { b.Key = v.text() }},
		{"ChangedBy", func(v value) { b.ChangedBy = v.text() }},
		{"Fields", func(v value) { b.Fields = v.texts() }},
	})
	return b
}

func readTable(v value) *source.Table {
	if v.isNull() {
		return nil
	}
	t := &source.Table{}
	readNamed(v, []namedMember{
		{"Table", func(v value) { t.Table = v.text() }},
		{"Entity", func(v value) { t.Entity = v.text() }},
		{"Fields", func(v value) { t.Fields = v.texts() }},
		{"Rename", func(v value) { t.Rename = v.textMap() }},
		{"Key", func(v value) { t.Key = v.texts() }},
		{"TenantAttribute", func(v value) { t.TenantAttribute = v.text() }},
		{"Tenants", func(v value) {
			t.Tenants = nil // of two spellings the last counts
			for _, name := range v.texts() {
				t.Tenants = append(t.Tenants, webhook.Tenant(name))
			}
		}},
		{"ChangedBy", func(v value) { t.ChangedBy = v.text() }},
		{"Previous", func(v value) { t.Previous = v.texts() }},
		{"Expired", func(v value) { t.Expired = v.boolean() }},
	})
	return t
}

// readRelay also returns the secret, nil if it is absent or null.
func readRelay(v value) (r *source.Relay, secret *webhook.Secret) {
	if v.isNull() {
		return nil, nil
	}
	r = &source.Relay{}
	readNamed(v, []namedMember{
		{"Protocol", func(v value) { r.Protocol = source.Protocol(strings.ToLower(v.text())) }},
		{"Context", func(v value) { r.Context = v.text() }},
		{"Secret", func(v value) {
			secret = nil
			if !v.isNull() {
				stated := webhook.NewSecret(v.text())
				secret = &stated
			}
		}},
		{"SecretOverlapSeconds", func(v value) {
			r.SecretOverlap = nil
			if !v.isNull() {
				overlap := v.seconds()
				r.SecretOverlap = &overlap
			}
		}},
	})
	return r, secret
}

// namedMember is a member of an object and the function that reads it.
type namedMember struct {
	name string
	read func(value)
}

// readNamed reads the members of an object. Unknown members are faults: one may
// be a misspelled restriction.
func readNamed(object value, known []namedMember) {
	if object.kind() != wire.KindObject {
		object.fault("must be an object")
		return
	}
	prefix := object.path
	if prefix != "" {
		prefix += "."
	}
	for _, m := range object.tree.Members() {
		i := slices.IndexFunc(known, func(k namedMember) bool { return strings.EqualFold(k.name, m.Name) })
		if i < 0 {
			names := make([]string, len(known))
			for i, k := range known {
				names[i] = k.name
			}
			name := prefix + wire.Shorten(m.Name)
			object.faults.AddText(name, "unknown member %q; the known ones are %s", name, strings.Join(names, ", "))
			continue
		}
		known[i].read(memberValue(prefix+known[i].name, m.Value, object.faults))
	}
}

// textMap reads an object of strings.
func (v value) textMap() map[string]string {
	if v.isNull() {
		return nil
	}
	texts := map[string]string{}
	for _, m := range v.members() {
		name := m.path
		m.path = v.path + "." + wire.Shorten(name)
		texts[name] = m.text()
	}
	return texts
}

// readJSONObject reads a body that must be a JSON object.
func readJSONObject(c *call) (wire.Tree, error) {
	text, label, err := wire.ReadText(c.Request)
	if err != nil {
		return wire.Tree{}, err
	}
	if text == nil {
		return wire.Tree{}, webhook.Invalid("the body must be a JSON object")
	}
	if !label.IsJSON() {
		return wire.Tree{}, wire.Unsupported("This operation reads only JSON; send Content-Type: application/json")
	}
	if err := jsonscan.CheckObject(text); err != nil {
		return wire.Tree{}, webhook.Invalid("the body %v", err)
	}
	return wire.Raw(text), nil
}
