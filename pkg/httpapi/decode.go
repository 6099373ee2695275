package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// value is one member of a body while it is read. Its methods return the value of
// the member. For null and for a value of the wrong type they return the zero
// value; the wrong type also adds a fault. A fault never quotes the value, which
// may be a secret.
type value struct {
	member string // the outermost member that holds it
	path   string // its name in faults
	tree   wire.Tree
	faults *webhook.Faults
	// ignores collects the names in it that nothing reads. nil: they are not looked at.
	ignores *ignored
}

// memberValue returns a member to be read; faults call it by this name.
func memberValue(name string, tree wire.Tree, faults *webhook.Faults) value {
	return value{member: name, path: name, tree: tree, faults: faults}
}

// inner returns a value within this one.
func (v value) inner(path string, tree wire.Tree) value {
	v.path, v.tree = path, tree
	return v
}

// fault adds a fault: the value breaks this rule. A repeated value breaks every rule
// for a single value.
func (v value) fault(rule string, args ...any) {
	if v.tree.Repeated() {
		rule, args = "is in the body more than once", nil
	}
	text := v.path + " " + fmt.Sprintf(rule, args...)
	if n := len(*v.faults); n == 0 || (*v.faults)[n-1].Text != text {
		v.faults.AddText(v.member, "%s", text)
	}
}

func (v value) kind() wire.Kind { return v.tree.Kind() }

func (v value) isNull() bool { return v.kind() == wire.KindNull }

func (v value) text() string {
	if v.kind() != wire.KindString && !v.isNull() {
		v.fault("must be a string")
		return ""
	}
	return v.tree.Text()
}

// number reads a number, also from a string, since XML and forms have only
// strings. An empty string is 0.
func (v value) number() int32 {
	text := v.tree.Text()
	switch v.kind() {
	case wire.KindNull:
		return 0
	case wire.KindString:
		if text = strings.TrimSpace(text); text == "" {
			return 0
		}
	default:
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		v.fault("must be a 32-bit integer")
	}
	return int32(n)
}

// boolean reads true or false, also from a string, case-insensitively. An empty
// string is false.
func (v value) boolean() bool {
	switch text := strings.ToLower(strings.TrimSpace(v.tree.Text())); v.kind() {
	case wire.KindTrue:
		return true
	case wire.KindFalse, wire.KindNull:
		return false
	case wire.KindString:
		switch text {
		case "true", "1":
			return true
		case "false", "0", "", "null":
			return false
		}
	case wire.KindNumber:
		if text == "1" || text == "0" {
			return text == "1"
		}
	default:
	}
	v.fault("must be true or false")
	return false
}

func (v value) texts() []string {
	if v.isNull() {
		return nil
	}
	texts := []string{}
	for _, item := range v.items("strings") {
		if item.isNull() {
			item.fault("must be a string")
			continue
		}
		texts = append(texts, item.text())
	}
	return texts
}

// maxItems is the largest number of items that an array may have.
const maxItems = 2_000

// items returns the items of an array. The plural names them in faults.
func (v value) items(plural string) []value {
	if v.kind() != wire.KindArray {
		v.fault("must be an array of %s", plural)
		return nil
	}
	trees, more := v.tree.Items(maxItems)
	if more {
		v.fault("has more than %d items", maxItems)
		return nil
	}
	items := make([]value, len(trees))
	for i, t := range trees {
		items[i] = v.inner(fmt.Sprintf("%s[%d]", v.path, i), t)
	}
	return items
}

// object returns a JSON object as it was written, without the spaces.
func (v value) object() json.RawMessage {
	if v.isNull() {
		return nil
	}
	var compact bytes.Buffer
	if v.kind() != wire.KindObject || json.Compact(&compact, v.tree.JSON()) != nil {
		v.fault("must be an object")
		return nil
	}
	return compact.Bytes()
}

// members returns the members of an object, in order.
func (v value) members() []value {
	if v.isNull() {
		return nil
	}
	if v.kind() != wire.KindObject {
		v.fault("must be an object")
		return nil
	}
	listed := v.tree.Members()
	members := make([]value, len(listed))
	for i, m := range listed {
		members[i] = v.inner(m.Name, m.Value)
	}
	return members
}

// enum reads a number or a case-insensitive name. With flags, names may be joined
// by commas, and the number of the n-th name is the n-th bit.
func (v value) enum(names []string, flags bool) int32 {
	switch v.kind() {
	case wire.KindNull:
		return 0
	case wire.KindString:
		if n, known := enumNumber(v.tree.Text(), names, flags); known {
			return n
		}
	case wire.KindNumber:
		if n, err := strconv.ParseInt(v.tree.Text(), 10, 32); err == nil && n >= 0 && int(n) < len(names) {
			return int32(n)
		}
	default:
	}
	choice := strings.Join(names, ", ")
	if flags { // the last names are combinations
		choice = strings.Join(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.Contains(n, ",") }), ", ") + ", or several joined by commas"
	}
	v.fault("must be one of %s", choice)
	return 0
}

// maxEnumText is longer than any sensible list of names.
const maxEnumText = 1000

// enumNumber returns the number of a name or of a number written as a string.
// The empty string is 0.
func enumNumber(text string, names []string, flags bool) (int32, bool) {
	if len(text) > maxEnumText { // each operation of a patch may read it again
		return 0, false
	}
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return int32(n), n >= 0 && int(n) < len(names)
	}
	if text == "" {
		return 0, true
	}
	if flags {
		var sum int32
		for part := range strings.SplitSeq(text, ",") {
			n, known := enumNumber(part, names, false)
			if !known {
				return 0, false
			}
			sum |= n
		}
		return sum, true
	}
	for i, name := range names {
		if strings.EqualFold(name, text) {
			return int32(i), true
		}
	}
	return 0, false
}
