package httpapi

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

// tree is a JSON value whose members keep their order and whose numbers keep
// their digits: what XML and forms are read into, what XML is written from, and
// what a patch is applied to. The zero tree is nothing; null is a tree. A copy
// shares its members with the original: clone it before one of them is changed.
type tree struct {
	kind byte   // '{', '[', '"', '0' (a number), 't', 'f' or 'n'
	text string // of '"' the text, of '0' the digits as they were written
	// names has the name of each child of an object.
	names    []string
	children []tree
	index    *nameIndex // of names; see names.go
}

func textTree(text string) tree { return tree{kind: '"', text: text} }

var nullTree = tree{kind: 'n'}

// parseTree reads exactly one JSON value, nested no deeper than
// webhook.MaxJSONDepth. Of members with one name the last counts. The error is
// a clause without a subject.
func parseTree(raw []byte) (tree, error) { return parseTreeOf(raw, math.MaxInt) }

// parseTreeOf reads as parseTree does, up to so many values.
func parseTreeOf(raw []byte, most int) (tree, error) {
	p := treeParser{json.NewDecoder(bytes.NewReader(raw)), most, most}
	p.UseNumber()
	t, err := p.value(0)
	if err != nil {
		return tree{}, err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return tree{}, webhook.Invalid("is not one JSON value")
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

func (p *treeParser) value(depth int) (tree, error) {
	if p.left--; p.left < 0 {
		return tree{}, webhook.Invalid("has more than %d values", p.most)
	}
	token, err := p.token()
	if err != nil {
		return tree{}, err
	}
	switch token := token.(type) {
	case string:
		return textTree(token), nil
	case json.Number:
		return tree{kind: '0', text: token.String()}, nil
	case bool:
		if token {
			return tree{kind: 't'}, nil
		}
		return tree{kind: 'f'}, nil
	case json.Delim:
		if depth == webhook.MaxJSONDepth {
			return tree{}, webhook.Invalid("is nested deeper than %d", webhook.MaxJSONDepth)
		}
		return p.children(byte(token), depth) //nolint:gosec // '{' or '['
	}
	return nullTree, nil
}

func (p *treeParser) children(kind byte, depth int) (tree, error) {
	t := tree{kind: kind}
	at := map[string]int{}
	for p.More() {
		var name string
		if kind == '{' {
			token, err := p.token()
			if err != nil {
				return tree{}, err
			}
			name, _ = token.(string)
		}
		child, err := p.value(depth + 1)
		if err != nil {
			return tree{}, err
		}
		if i, twice := at[name]; twice && kind == '{' {
			t.children[i] = child
			continue
		}
		if kind == '{' {
			at[name] = len(t.children)
			t.names = append(t.names, name)
		}
		t.children = append(t.children, child)
	}
	_, err := p.token()
	return t, err
}

// appendJSON writes the tree as compact JSON.
func (t tree) appendJSON(out []byte) []byte {
	switch t.kind {
	case '"':
		return appendText(out, t.text)
	case '0':
		return append(out, t.text...)
	case 't':
		return append(out, "true"...)
	case 'f':
		return append(out, "false"...)
	case '{', '[':
		out = append(out, t.kind)
		first := true
		for i, child := range t.children {
			if child.kind == 0 { // removed
				continue
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			if t.kind == '{' {
				out = append(appendText(out, t.names[i]), ':')
			}
			out = child.appendJSON(out)
		}
		return append(out, t.kind+2) // '}' and ']' come two after
	}
	return append(out, "null"...)
}

func appendText(out []byte, text string) []byte {
	encoded, err := encode(text)
	if err != nil { // a text always encodes
		return append(out, `""`...)
	}
	return append(out, encoded...)
}

// named gives the member of an object, its name in any letter case. stated says
// that it is there.
func (t *tree) named(name string) (member tree, stated bool) {
	if i := t.child(name); i >= 0 {
		return t.children[i], true
	}
	return tree{}, false
}

// clone returns a tree that shares nothing with this one, without the places of
// members that were removed.
func (t tree) clone() tree {
	c := tree{kind: t.kind, text: t.text, children: make([]tree, 0, len(t.children))}
	for i, child := range t.children {
		if child.kind == 0 {
			continue
		}
		c.children = append(c.children, child.clone())
		if t.kind == '{' {
			c.names = append(c.names, t.names[i])
		}
	}
	return c
}

// equal reports whether two trees are the same JSON: members in any order,
// numbers by their value. u is as it was read, without removed members; it takes as
// many steps as u has values.
func (t *tree) equal(u tree) bool {
	if t.kind != u.kind || t.size() != u.size() {
		return false
	}
	switch t.kind {
	case '"':
		return t.text == u.text
	case '0':
		return sameNumber(t.text, u.text)
	case '{':
		for i, name := range u.names {
			if at := t.exact(name); at < 0 || !t.children[at].equal(u.children[i]) {
				return false
			}
		}
	case '[':
		for i := range t.children {
			if !t.children[i].equal(u.children[i]) {
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
