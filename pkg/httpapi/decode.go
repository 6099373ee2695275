package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// faults gathers what is wrong with an input, one sentence per fault, each
// beginning with the member that it is about.
// At most maxFaults are kept.
type faults []string

// maxFaults keeps the answer to a body of nothing but faults small.
const maxFaults = 100

func (f *faults) add(format string, args ...any) {
	if len(*f) < maxFaults {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &webhook.ValidationError{Faults: f}
}

// value is one member of a body while it is read. Its methods give what the
// member holds, and for null, or what is of the wrong type, the zero value; the
// latter with a fault. No fault quotes the value: it may be a secret.
type value struct {
	member string
	raw    json.RawMessage
	faults *faults
}

func (v value) isNull() bool { return string(v.raw) == "null" }

// kind gives the first byte of the value: { [ " t f n, or that of a number.
func (v value) kind() byte {
	if len(v.raw) == 0 {
		return 'n'
	}
	return v.raw[0]
}

func (v value) text() string {
	var text string
	if !v.isNull() && json.Unmarshal(v.raw, &text) != nil {
		v.faults.add("%s must be text", v.member)
	}
	return text
}

// number reads a number, also as a text: XML and forms have nothing else. An
// empty text is 0.
func (v value) number() int32 {
	if v.isNull() {
		return 0
	}
	text := string(v.raw)
	if v.kind() == '"' {
		if text = strings.TrimSpace(v.text()); text == "" {
			return 0
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		v.faults.add("%s must be a whole number of 32 bits", v.member)
	}
	return int32(n) //nolint:gosec // ParseInt saw to its size
}

// boolean reads true or false, also as a text in any letter case. An empty text
// is false.
func (v value) boolean() bool {
	text := string(v.raw)
	if v.kind() == '"' {
		text = strings.ToLower(strings.TrimSpace(v.text()))
	}
	switch text {
	case "true", "1":
		return true
	case "false", "0", "", "null":
	default:
		v.faults.add("%s must be true or false", v.member)
	}
	return false
}

func (v value) texts() []string {
	if v.isNull() {
		return nil
	}
	texts := []string{}
	for i, item := range v.items("texts") {
		if item.isNull() {
			v.faults.add("%s[%d] must be text", v.member, i)
			continue
		}
		texts = append(texts, item.text())
	}
	return texts
}

// maxItems is how many items of an array are read: no member may have more.
const maxItems = 2_000

// items gives the members of an array; of names what it should hold.
func (v value) items(of string) []value {
	dec := json.NewDecoder(bytes.NewReader(v.raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('[') {
		v.faults.add("%s must be an array of %s", v.member, of)
		return nil
	}
	var items []value
	for dec.More() {
		if len(items) == maxItems {
			v.faults.add("%s has more than %d items", v.member, maxItems)
			return nil
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			v.faults.add("%s must be an array of %s", v.member, of)
			return nil
		}
		items = append(items, value{fmt.Sprintf("%s[%d]", v.member, len(items)), raw, v.faults})
	}
	return items
}

// object gives a JSON object as it was written, but for spaces.
func (v value) object() json.RawMessage {
	if v.isNull() {
		return nil
	}
	var compact bytes.Buffer
	if v.kind() != '{' || json.Compact(&compact, v.raw) != nil {
		v.faults.add("%s must be an object", v.member)
		return nil
	}
	return compact.Bytes()
}

// members gives the members of an object in their order.
func (v value) members() []value {
	if v.isNull() {
		return nil
	}
	listed, err := webhook.ObjectMembers(v.raw)
	if err != nil {
		v.faults.add("%s must be an object", v.member)
		return nil
	}
	members := make([]value, len(listed))
	for i, m := range listed {
		members[i] = value{m.Name, m.Value, v.faults}
	}
	return members
}

// enum reads a number, or a name in any letter case. With flags, names may be
// joined by commas, and the number of the n-th name is the n-th bit.
func (v value) enum(names []string, flags bool) int32 {
	switch v.kind() {
	case 'n':
		return 0
	case '"':
		if n, known := enumNumber(v.text(), names, flags); known {
			return n
		}
	default:
		if n, err := strconv.ParseInt(string(v.raw), 10, 32); err == nil && n >= 0 && int(n) < len(names) {
			return int32(n) //nolint:gosec // ParseInt saw to its size
		}
	}
	choice := strings.Join(names, ", ")
	if flags { // the last of the names are joined ones
		choice = strings.Join(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.Contains(n, ",") }), ", ") + ", or several joined by commas"
	}
	v.faults.add("%s must be one of %s", v.member, choice)
	return 0
}

// maxEnumText is longer than any text of names that somebody means.
const maxEnumText = 1000

// enumNumber gives the number that a text names.
func enumNumber(text string, names []string, flags bool) (int32, bool) {
	if len(text) > maxEnumText { // which every operation of a patch may read again
		return 0, false
	}
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return int32(n), n >= 0 && int(n) < len(names) //nolint:gosec // ParseInt saw to its size
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
			return int32(i), true //nolint:gosec // few names
		}
	}
	return 0, false
}
