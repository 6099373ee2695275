package httpapi

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// patched is a webhook as it is shown, while changes are made to it. Secrets are
// masked, and a mask that remains keeps the stored secret.
type patched struct {
	members []wire.Member
	// Both are keyed by index into members: the members parsed so far, each once
	// for all changes, and those that were changed.
	trees   map[int]*wire.Tree
	touched map[int]bool
}

// patch applies changes to a webhook and reads the result. It returns errTestOp
// if a test operation fails.
//
// The rules for paths, indexes, appending to arrays and members that must not be
// tested are SuperOffice's or our own, so no library for JSON Patch fits. The
// members are few and known: changes are applied here, to the members that they
// touch. All others stay as they are stored.
func (c *call) patch(w webhook.Webhook, health webhook.Health, changes []change) (stated, error) {
	shown, err := wire.EncodeJSON(showWebhook(w, health, clearTexts{}))
	if err != nil {
		return stated{}, err
	}
	entity := wire.Raw(shown)
	p := patched{members: entity.Members(), trees: map[int]*wire.Tree{}, touched: map[int]bool{}}
	for _, ch := range changes {
		if err := p.apply(ch); err != nil {
			return stated{}, err
		}
	}
	for i := range p.touched {
		p.members[i].Value = *p.trees[i]
	}
	return c.readMembers(p.members, webhookMembers), nil
}

// tree returns the i-th member, parsed.
func (p *patched) tree(i int) (*wire.Tree, error) {
	if t, read := p.trees[i]; read {
		return t, nil
	}
	t, err := wire.ParseJSON(p.members[i].Value.JSON(), math.MaxInt)
	p.trees[i] = &t
	return &t, err
}

func (p *patched) apply(ch change) error {
	i := slices.IndexFunc(p.members, func(m wire.Member) bool { return strings.EqualFold(m.Name, ch.path[0]) })
	switch {
	case i < 0 && strings.EqualFold(ch.path[0], "_Links"): // owned by the server, and only in responses
		return nil
	case i < 0:
		return ch.fault("a webhook has no member %q", wire.Shorten(ch.path[0]))
	}
	t, err := p.tree(i)
	if err != nil {
		return err
	}
	name := p.members[i].Name
	if ch.op == "test" {
		return ch.test(name, t)
	}
	if writableIndex(name) < 0 { // owned by the server: skipped, as in every body
		return nil
	}
	p.touched[i] = true
	ch.value = ch.value.Clone() // a save that loses a race applies the change again
	is := carriers.Container(name)
	switch {
	case len(ch.path) > 1:
		switch {
		case t.Kind() != wire.KindNull || is == wire.Single:
		case is == wire.List:
			*t = wire.Empty(wire.KindArray)
		default:
			*t = wire.Empty(wire.KindObject)
		}
		return ch.into(t, ch.path[1:])
	case ch.op == "remove" && name == "Secret":
		*t = wire.Text("") // null would keep it
	case ch.op == "remove":
		*t = wire.Null
	case ch.op == "merge" && is == wire.List && ch.value.Kind() == wire.KindObject:
		if t.Kind() != wire.KindArray {
			*t = wire.Empty(wire.KindArray)
		}
		t.Append(ch.value)
	case ch.op == "merge" && is != wire.Single:
		merge(t, ch.value)
	default:
		*t = ch.value
	}
	return nil
}

// merge is MergePatch of RFC 7396. The tree takes ownership of the change.
func merge(t *wire.Tree, change wire.Tree) {
	if change.Kind() != wire.KindObject {
		*t = change
		return
	}
	if t.Kind() != wire.KindObject {
		*t = wire.Empty(wire.KindObject)
	}
	for _, m := range change.Members() {
		at, value := t.Child(m.Name), m.Value
		switch {
		case value.Kind() == wire.KindNull && at >= 0:
			t.Remove(at)
		case value.Kind() == wire.KindNull:
		case at >= 0:
			merge(t.At(at), value)
		default:
			var added wire.Tree
			merge(&added, value)
			t.Add(m.Name, added)
		}
	}
}

// into applies the change inside t, at path.
func (ch change) into(t *wire.Tree, path []string) error {
	key := path[0]
	at, end := -1, false
	switch t.Kind() {
	case wire.KindObject:
		at = t.Child(key)
	case wire.KindArray:
		if at, end = index(key, t.Len()); at < 0 && !end {
			return ch.fault("%q is not an index of the list", wire.Shorten(key))
		}
	default:
	}
	if len(path) > 1 {
		if at < 0 {
			return ch.fault("nothing exists at its path")
		}
		return ch.into(t.At(at), path[1:])
	}
	switch {
	case t.Kind() != wire.KindObject && t.Kind() != wire.KindArray, at < 0 && ch.op != "add":
		return ch.fault("nothing exists at its path")
	case ch.op == "remove":
		t.Remove(at)
	case t.Kind() == wire.KindArray && ch.op == "add" && end:
		t.Append(ch.value)
	case t.Kind() == wire.KindArray && ch.op == "add":
		t.Insert(at, ch.value)
	case at >= 0:
		*t.At(at) = ch.value
	default:
		t.Add(key, ch.value)
	}
	return nil
}

// index parses an index into a list, without leading zeros (RFC 6901). "-" and the
// index after the last item are the end.
func index(key string, length int) (at int, end bool) {
	if key == "-" {
		return -1, true
	}
	n, err := strconv.ParseUint(key, 10, 31)
	if err != nil || int(n) > length || leadingZero(key) {
		return -1, false
	}
	if int(n) == length {
		return -1, true
	}
	return int(n), false
}

// leadingZero reports whether an index is malformed as 00 and 01 are.
func leadingZero(key string) bool { return len(key) > 1 && key[0] == '0' }

// test compares the shown value with the value of the change. Secrets cannot be
// tested, since the responses would reveal them bit by bit.
func (ch change) test(name string, t *wire.Tree) error {
	if name == "Secret" || name == "Headers" && ch.testsSecretHeader(t) {
		return ch.fault("secret values cannot be tested")
	}
	for _, key := range ch.path[1:] {
		at := -1
		switch t.Kind() {
		case wire.KindObject:
			at = t.Child(key)
		case wire.KindArray:
			if leadingZero(key) {
				return ch.fault("%q is not an index of the list", wire.Shorten(key))
			}
			at, _ = index(key, t.Len())
		default:
		}
		if at < 0 {
			return explain(errTestOp, "%s: nothing exists at its path", ch.label)
		}
		t = t.At(at)
	}
	if len(ch.path) == 1 && sameShown(name, *t, ch.value) || t.Equal(&ch.value) {
		return nil
	}
	return explain(errTestOp, "%s: %s has a different value", ch.label, name)
}

func (ch change) testsSecretHeader(headers *wire.Tree) bool {
	if len(ch.path) > 1 {
		return webhook.SecretHeader(ch.path[1])
	}
	return slices.ContainsFunc(headers.Members(), func(m wire.Member) bool { return webhook.SecretHeader(m.Name) })
}

// sameShown reports whether two spellings of a member mean the same value.
func sameShown(name string, shown, value wire.Tree) bool {
	var names []string
	switch name {
	case "Registered", "Updated":
		at, okShown := parseDate(shown.Text())
		other, okValue := parseDate(value.Text())
		return okShown && okValue && at.Unix() == other.Unix()
	case "State":
		names = stateNames
	case "NotifyVia":
		names = notifyViaNames
	case "NotifyWhen":
		names = notifyWhenNames
	default:
		return false
	}
	n, known := enumNumber(shown.Text(), names, true)
	m, knownValue := enumNumber(value.Text(), names, true)
	return known && knownValue && n == m && value.Text() != ""
}
