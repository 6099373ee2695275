package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Tree is a JSON value whose members keep their order and whose numbers keep
// their digits: what XML and forms are read into, what XML is written from, and
// what a patch is applied to. The zero Tree is nothing; null is a tree. A copy
// shares its members with the original: clone it before one of them is changed.
type Tree struct {
	Kind byte   // '{', '[', '"', '0' (a number), 't', 'f' or 'n'
	Text string // of '"' the text, of '0' the digits as they were written
	// Names has the name of each child of an object.
	Names    []string
	Children []Tree
	index    *nameIndex // of Names; see names.go
}

// Text returns a text as a tree.
func Text(text string) Tree { return Tree{Kind: '"', Text: text} }

// Null is the tree of null.
var Null = Tree{Kind: 'n'}

// ParseJSON reads exactly one JSON value, nested no deeper than
// webhook.MaxJSONDepth. Of members with one name the last counts. The error is
// a clause without a subject.
func ParseJSON(raw []byte) (Tree, error) { return ParseJSONOf(raw, math.MaxInt) }

// ParseJSONOf reads as ParseJSON does, up to so many values.
func ParseJSONOf(raw []byte, most int) (Tree, error) {
	p := treeParser{json.NewDecoder(bytes.NewReader(raw)), most, most}
	p.UseNumber()
	t, err := p.value(0)
	if err != nil {
		return Tree{}, err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return Tree{}, webhook.Invalid("is not one JSON value")
	}
	return t, nil
}

type treeParser struct {
	*json.Decoder
	most, left int // values
}

func (p *treeParser) token() (json.Token, error) {
	token, err := p.Token()
	if err != nil {
		return nil, webhook.Invalid("is no valid JSON: %v", err)
	}
	return token, nil
}

func (p *treeParser) value(depth int) (Tree, error) {
	if p.left--; p.left < 0 {
		return Tree{}, webhook.Invalid("has more than %d values", p.most)
	}
	token, err := p.token()
	if err != nil {
		return Tree{}, err
	}
	switch token := token.(type) {
	case string:
		return Text(token), nil
	case json.Number:
		return Tree{Kind: '0', Text: token.String()}, nil
	case bool:
		if token {
			return Tree{Kind: 't'}, nil
		}
		return Tree{Kind: 'f'}, nil
	case json.Delim:
		if depth == webhook.MaxJSONDepth {
			return Tree{}, webhook.Invalid("is nested deeper than %d", webhook.MaxJSONDepth)
		}
		return p.children(byte(token), depth) //nolint:gosec // '{' or '['
	}
	return Null, nil
}

func (p *treeParser) children(kind byte, depth int) (Tree, error) {
	t := Tree{Kind: kind}
	at := map[string]int{}
	for p.More() {
		var name string
		if kind == '{' {
			token, err := p.token()
			if err != nil {
				return Tree{}, err
			}
			name, _ = token.(string)
		}
		child, err := p.value(depth + 1)
		if err != nil {
			return Tree{}, err
		}
		if i, twice := at[name]; twice && kind == '{' {
			t.Children[i] = child
			continue
		}
		if kind == '{' {
			at[name] = len(t.Children)
			t.Names = append(t.Names, name)
		}
		t.Children = append(t.Children, child)
	}
	_, err := p.token()
	return t, err
}

// appendJSON writes the tree as compact JSON.
func (t Tree) AppendJSON(out []byte) []byte {
	switch t.Kind {
	case '"':
		return appendText(out, t.Text)
	case '0':
		return append(out, t.Text...)
	case 't':
		return append(out, "true"...)
	case 'f':
		return append(out, "false"...)
	case '{', '[':
		out = append(out, t.Kind)
		first := true
		for i, child := range t.Children {
			if child.Kind == 0 { // removed
				continue
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			if t.Kind == '{' {
				out = append(appendText(out, t.Names[i]), ':')
			}
			out = child.AppendJSON(out)
		}
		return append(out, t.Kind+2) // '}' and ']' come two after
	}
	return append(out, "null"...)
}

func appendText(out []byte, text string) []byte {
	encoded, err := EncodeJSON(text)
	if err != nil { // a text always encodes
		return append(out, `""`...)
	}
	return append(out, encoded...)
}

// Named gives the member of an object, its name in any letter case. stated says
// that it is there.
func (t *Tree) Named(name string) (member Tree, stated bool) {
	if i := t.Child(name); i >= 0 {
		return t.Children[i], true
	}
	return Tree{}, false
}

// Clone returns a tree that shares nothing with this one, without the places of
// members that were removed.
func (t Tree) Clone() Tree {
	c := Tree{Kind: t.Kind, Text: t.Text, Children: make([]Tree, 0, len(t.Children))}
	for i, child := range t.Children {
		if child.Kind == 0 {
			continue
		}
		c.Children = append(c.Children, child.Clone())
		if t.Kind == '{' {
			c.Names = append(c.Names, t.Names[i])
		}
	}
	return c
}

// Equal reports whether two trees are the same JSON: members in any order,
// numbers by their value. u is as it was read, without removed members; it takes as
// many steps as u has values.
func (t *Tree) Equal(u Tree) bool {
	if t.Kind != u.Kind || t.Len() != u.Len() {
		return false
	}
	switch t.Kind {
	case '"':
		return t.Text == u.Text
	case '0':
		return sameNumber(t.Text, u.Text)
	case '{':
		for i, name := range u.Names {
			if at := t.Exact(name); at < 0 || !t.Children[at].Equal(u.Children[i]) {
				return false
			}
		}
	case '[':
		for i := range t.Children {
			if !t.Children[i].Equal(u.Children[i]) {
				return false
			}
		}
	}
	return true
}

// maxComparedDigits is how long a number may be to be compared by its value.
const maxComparedDigits = 1000

// sameNumber compares whole numbers by their digits, which a float may lose,
// and all others as floats; very long ones too by their digits, since every
// operation of a patch may compare one again.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > maxComparedDigits || len(b) > maxComparedDigits || !strings.ContainsAny(a, ".eE") && !strings.ContainsAny(b, ".eE") {
		return false
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
