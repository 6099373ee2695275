package httpapi

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// stated is a webhook as a body states it, with the faults found in it.
type stated struct {
	id      int32
	draft   webhook.Draft
	faults  webhook.Faults
	unknown unknownMembers
}

// lacks reports whether a required member is missing or empty.
func (s stated) lacks() bool {
	return len(s.draft.Events) == 0 || strings.TrimSpace(s.draft.TargetURL) == ""
}

// writable lists the members that a client may set, in the order of the entity.
// Other members of a body are the server's or unknown. They are skipped unread,
// because clients send back what they received, with types of their own.
var writable = []struct {
	name string
	read func(*stated, value)
}{
	{"WebhookId", func(s *stated, v value) { s.id = v.number() }},
	{"Name", func(s *stated, v value) { s.draft.Name = v.text() }},
	{"Events", func(s *stated, v value) { s.draft.Events = v.texts() }},
	{"TargetUrl", func(s *stated, v value) { s.draft.TargetURL = v.text() }},
	{"Secret", (*stated).secret},
	{"State", func(s *stated, v value) { s.draft.State = webhook.State(v.enum(stateNames, false)) }},
	{"Type", func(s *stated, v value) { s.draft.Type = v.text() }},
	{"Headers", (*stated).headers},
	{"Properties", (*stated).properties},
	{"ErrorsEmail", func(s *stated, v value) { s.draft.ErrorsEmail = v.text() }},
	{"ErrorEmails", func(s *stated, v value) { s.draft.ErrorEmails = v.texts() }},
	{"ErrorAssociates", func(s *stated, v value) { s.draft.ErrorAssociates = v.listItemsText() }},
	{"Description", func(s *stated, v value) { s.draft.Description = v.text() }},
	{"NotifyVia", func(s *stated, v value) { s.draft.NotifyVia = v.enum(notifyViaNames, false) }},
	{"NotifyWhen", func(s *stated, v value) { s.draft.NotifyWhen = v.enum(notifyWhenNames, true) }},
}

func writableIndex(name string) int {
	for i, m := range writable {
		if strings.EqualFold(m.name, name) {
			return i
		}
	}
	return -1
}

// readMembers reads a webhook from the members of an object. Names are
// case-insensitive; if a name is repeated, the last one counts. known are the names
// that the object may have.
func (c *call) readMembers(members []wire.Member, known vocabulary) stated {
	var s stated
	last := make([]wire.Tree, len(writable))
	for _, m := range members {
		if i := writableIndex(m.Name); i >= 0 {
			last[i] = m.Value
			continue
		}
		if known.check(m.Name, m.Name, &c.ignored, &s.faults) {
			s.unknown.add(m.Name)
		}
	}
	for i, tree := range last {
		if !tree.IsZero() {
			v := memberValue(writable[i].name, tree, &s.faults)
			v.ignores = &c.ignored
			writable[i].read(&s, v)
		}
	}
	return s
}

func (s *stated) secret(v value) {
	if v.isNull() {
		return
	}
	secret := webhook.NewSecret(v.text())
	s.draft.Secret = &secret
}

func (s *stated) headers(v value) {
	if v.isNull() {
		return
	}
	s.draft.Headers = []webhook.DraftHeader{}
	for _, m := range v.members() {
		if m.tree.Repeated() {
			s.faults.AddText("Headers", "Headers: %q is in the body more than once", wire.Shorten(m.path))
			continue
		}
		if m.kind() != wire.KindString {
			s.faults.AddText("Headers", "Headers: the value of %q must be a string", wire.Shorten(m.path))
			continue
		}
		s.draft.Headers = append(s.draft.Headers, webhook.DraftHeader{Name: m.path, Value: webhook.NewSecret(m.text())})
	}
}

func (s *stated) properties(v value) {
	if name := v.tree.RepeatedMember(); name != "" && !v.tree.Repeated() {
		s.faults.AddText("Properties", "Properties: %q is in the body more than once", wire.Shorten(name))
		return
	}
	s.draft.Properties = v.object()
}

// check returns the faults of members' types together with those of the rules. A
// member of the wrong type gets no second fault. If a required member is missing,
// the last fault names the unknown members. A draft without faults and unknown
// members passes: the registry checks it against the rules.
func (s stated) check(rules webhook.Rules) error {
	misspelled := len(s.unknown) > 0 && s.lacks()
	if len(s.faults) == 0 && !misspelled {
		return nil
	}
	misread := map[string]bool{}
	for _, f := range s.faults {
		misread[f.Member] = true
	}
	all := slices.Clone(s.faults)
	var invalid *webhook.ValidationError
	if errors.As(s.draft.Validate(rules), &invalid) {
		for _, f := range invalid.Faults {
			if !misread[f.Member] {
				all = append(all, f)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b webhook.Fault) int {
		return writableIndex(a.Member) - writableIndex(b.Member)
	})
	if misspelled {
		s.unknown.fault(&all)
	}
	return all.Err()
}

// listItem is SuperOffice's MDOListItem, of which ErrorAssociates is made.
type listItem struct {
	ID              int32 `json:"Id"`
	Name            textOrNull
	ToolTip         textOrNull
	Deleted         bool
	Rank            int32
	Type            textOrNull
	ChildItems      []listItem
	IconHint        textOrNull
	ColorBlock      int32
	ExtraInfo       textOrNull
	StyleHint       textOrNull
	FullName        textOrNull
	TableRight      *tableRight
	FieldProperties fieldProperties
}

// read sets the member of this name. TableRight and FieldProperties are the
// server's, and are skipped.
func (i *listItem) read(name string, v value) {
	switch strings.ToLower(name) {
	case "id":
		i.ID = v.number()
	case "name":
		i.Name = textOrNull(v.text())
	case "tooltip":
		i.ToolTip = textOrNull(v.text())
	case "deleted":
		i.Deleted = v.boolean()
	case "rank":
		i.Rank = v.number()
	case "type":
		i.Type = textOrNull(v.text())
	case "childitems":
		i.ChildItems = v.listItems()
	case "iconhint":
		i.IconHint = textOrNull(v.text())
	case "colorblock":
		i.ColorBlock = v.number()
	case "extrainfo":
		i.ExtraInfo = textOrNull(v.text())
	case "stylehint":
		i.StyleHint = textOrNull(v.text())
	case "fullname":
		i.FullName = textOrNull(v.text())
	}
}

// listItems reads an array of MDOListItems.
func (v value) listItems() []listItem {
	if v.isNull() {
		return nil
	}
	list := []listItem{}
	for _, each := range v.items("objects") {
		if each.kind() != wire.KindObject {
			each.fault("must be an object with the members of an MDOListItem")
			continue
		}
		item := listItem{TableRight: fullRight}
		for _, m := range each.members() {
			listItemMembers.check(m.path, v.member+"."+m.path, v.ignores, v.faults)
			item.read(m.path, each.inner(each.path+"."+m.path, m.tree))
		}
		list = append(list, item)
	}
	return list
}

// listItemsText returns an array of MDOListItems as the wire spells it, nil if it
// is empty.
func (v value) listItemsText() json.RawMessage {
	// The encoded list is not smaller, so text of twice the limit, spaces
	// included, need not be read.
	if size := len(v.tree.JSON()); size > 2*webhook.MaxPropertyBytes {
		v.fault("has %d bytes, more than %d", size, webhook.MaxPropertyBytes)
		return nil
	}
	list := v.listItems()
	encoded, err := wire.EncodeJSON(list)
	if err != nil || len(list) == 0 {
		return nil
	}
	return encoded
}
