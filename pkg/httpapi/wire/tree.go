package wire

import (
	"bytes"
	"encoding/json"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Kind is the kind of a JSON value: its first byte, where that says it.
type Kind byte

// The kinds. The zero Kind is that of the zero Tree.
const (
	KindObject Kind = '{'
	KindArray  Kind = '['
	KindString Kind = '"'
	KindNumber Kind = '0'
	KindTrue   Kind = 't'
	KindFalse  Kind = 'f'
	KindNull   Kind = 'n'
)

// kindOf returns the kind of a JSON text.
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
// patches are applied to them. The zero Tree holds nothing; null is a tree.
//
// A tree made from a JSON body keeps the text, and is taken apart level by level
// where it is read: members that nobody asks for cost nothing, and what is stored
// as JSON is stored as it was written.
//
// A copy shares its members with the original: clone it before changing one.
type Tree struct {
	kind Kind
	text string // of a string; the digits of a number as they were written
	// names holds the name of each child of an object.
	names    []string
	children []Tree
	index    *nameIndex // of names; see names.go
	raw      []byte     // valid JSON that has not been taken apart; nil otherwise
}

// Member is a member of an object.
type Member struct {
	Name  string
	Value Tree
}

// Null is the tree of null.
var Null = Tree{kind: KindNull}

// Text returns the tree of a string.
func Text(text string) Tree { return Tree{kind: KindString, text: text} }

// Empty returns an object without members or an array without items.
func Empty(kind Kind) Tree { return Tree{kind: kind} }

// Raw returns the tree of a JSON text, which it keeps. The text must be valid
// and begin with the value.
func Raw(text []byte) Tree { return Tree{kind: kindOf(text), raw: text} }

// Kind returns the kind of the tree, 0 if it holds nothing.
func (t *Tree) Kind() Kind { return t.kind }

// IsZero reports whether the tree holds nothing, not even null.
func (t *Tree) IsZero() bool { return t.kind == 0 }

// Text returns the text of a string and the digits of a number; the empty
// string for all others.
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

// Members returns the members of an object in their order. Of members with the
// same name the last counts. Other kinds have none.
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

// Items returns the items of an array, up to a number of them; more reports
// whether there are others. Other kinds have none.
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

// JSON returns the tree as JSON: as it was written if it is from a JSON body,
// else compact. nil if it holds nothing.
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
