package wire

import (
	"bytes"
	"encoding/json"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Kind is the kind of a JSON value: its first byte, or KindNumber.
type Kind byte

// The kinds. The zero Kind is the kind of the zero Tree.
const (
	KindObject Kind = '{'
	KindArray  Kind = '['
	KindString Kind = '"'
	KindNumber Kind = '0'
	KindTrue   Kind = 't'
	KindFalse  Kind = 'f'
	KindNull   Kind = 'n'
)

// kindOf returns the kind of a JSON value.
func kindOf(raw []byte) Kind {
	switch kind := Kind(raw[0]); kind {
	case KindObject, KindArray, KindString, KindTrue, KindFalse, KindNull:
		return kind
	default:
		return KindNumber
	}
}

// Tree is a JSON value whose members keep their order and whose numbers keep
// their digits. XML and forms are read into trees, XML is written from them, and
// patches are applied to them. The zero Tree holds nothing, which is not the same
// as null.
//
// A tree made from a JSON body keeps the bytes and is parsed level by level when
// it is read: unread members cost nothing, and values that are stored as JSON are
// stored as written.
//
// A copy shares its members with the original: clone it before changing one.
type Tree struct {
	kind Kind
	text string // of a string; the digits of a number as written
	// names holds the name of each child of an object.
	names    []string
	children []Tree
	index    *nameIndex // of names; see names.go
	raw      []byte     // valid JSON that has not been parsed; nil otherwise
	repeated bool       // an array of the values that a form or XML has under one name
}

// Member is a member of an object.
type Member struct {
	Name  string
	Value Tree
}

// Null is the tree that holds null.
var Null = Tree{kind: KindNull}

// Text returns a tree that holds a string.
func Text(text string) Tree { return Tree{kind: KindString, text: text} }

// Empty returns an object without members or an array without items.
func Empty(kind Kind) Tree { return Tree{kind: kind} }

// Raw returns the tree of a JSON value and keeps the bytes. They must be valid
// JSON without leading spaces; no bytes are the zero Tree.
func Raw(raw []byte) Tree {
	if len(raw) == 0 {
		return Tree{}
	}
	return Tree{kind: kindOf(raw), raw: raw}
}

// Kind returns the kind of the value, or 0 if the tree holds nothing.
func (t *Tree) Kind() Kind { return t.kind }

// IsZero reports whether the tree holds nothing, not even null.
func (t *Tree) IsZero() bool { return t.kind == 0 }

// Text returns a string's value or a number's digits, and "" for other kinds.
func (t *Tree) Text() string {
	switch {
	case t.raw == nil:
		return t.text
	case t.kind == KindNumber:
		return string(t.raw)
	case t.kind == KindString:
		var text string
		_ = json.Unmarshal(t.raw, &text) // it is valid
		return text
	}
	return ""
}

// Repeated reports whether the tree is the array of the values that a form or XML
// has for a member that is not a list, more than one. A reader that expects one
// value must refuse it.
func (t *Tree) Repeated() bool { return t.repeated }

// RepeatedMember returns the path of the first repeated value in the tree, or "".
func (t *Tree) RepeatedMember() string {
	for i := range t.children {
		child := &t.children[i]
		name := ""
		if t.kind == KindObject {
			name = t.names[i]
		}
		if child.repeated {
			return name
		}
		if inner := child.RepeatedMember(); inner != "" {
			return name + "." + inner
		}
	}
	return ""
}

// repeat adds another value to a member that has one.
func (t *Tree) repeat(value Tree) {
	if !t.repeated {
		*t = Tree{kind: KindArray, children: []Tree{*t}, repeated: true}
	}
	t.children = append(t.children, value)
}

// Members returns the members of an object in order. If a name is repeated, the
// last value wins. Other kinds have no members.
func (t *Tree) Members() []Member {
	if t.kind != KindObject {
		return nil
	}
	if t.raw != nil {
		listed, _ := jsonscan.Members(t.raw) // it is a valid object
		members := make([]Member, len(listed))
		for i, m := range listed {
			members[i] = Member{m.Name, Raw(m.Value)}
		}
		return members
	}
	members := make([]Member, 0, len(t.children))
	for i, child := range t.children {
		if child.kind != 0 { // removed
			members = append(members, Member{t.names[i], child})
		}
	}
	return members
}

// Items returns the first most items of an array; more reports whether there are
// others. Other kinds have no items.
func (t *Tree) Items(most int) (items []Tree, more bool) {
	switch {
	case t.kind != KindArray:
		return nil, false
	case t.raw == nil:
		return t.children[:min(most, len(t.children))], len(t.children) > most
	}
	dec := json.NewDecoder(bytes.NewReader(t.raw))
	_, _ = dec.Token() // it is a valid array
	for dec.More() {
		if len(items) == most {
			return items, true
		}
		var raw json.RawMessage
		_ = dec.Decode(&raw)
		items = append(items, Raw(raw))
	}
	return items, false
}

// JSON returns the tree as JSON: as written if it is from a JSON body, otherwise
// compact. It returns nil if the tree holds nothing.
func (t *Tree) JSON() []byte {
	switch {
	case t.kind == 0:
		return nil
	case t.raw != nil:
		return t.raw
	}
	return t.appendJSON(nil)
}

func (t *Tree) appendJSON(out []byte) []byte {
	switch {
	case t.raw != nil:
		return append(out, t.raw...)
	case t.kind == KindString:
		return appendText(out, t.text)
	case t.kind == KindNumber:
		return append(out, t.text...)
	case t.kind == KindTrue:
		return append(out, "true"...)
	case t.kind == KindFalse:
		return append(out, "false"...)
	case t.kind == KindObject:
		out = append(out, '{')
		first := true
		for i := range t.children {
			if t.children[i].kind == 0 { // removed
				continue
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = t.children[i].appendJSON(append(appendText(out, t.names[i]), ':'))
		}
		return append(out, '}')
	case t.kind == KindArray:
		out = append(out, '[')
		for i := range t.children {
			if i > 0 {
				out = append(out, ',')
			}
			out = t.children[i].appendJSON(out)
		}
		return append(out, ']')
	}
	return append(out, "null"...)
}

func appendText(out []byte, text string) []byte {
	encoded, err := EncodeJSON(text)
	if err != nil { // a string always encodes
		return append(out, `""`...)
	}
	return append(out, encoded...)
}
