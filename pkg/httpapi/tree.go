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
// what a patch is applied to. The zero tree is nothing; null is a tree.
type tree struct {
	kind byte   // '{', '[', '"', '0' (a number), 't', 'f' or 'n'
	text string // of '"' the text, of '0' the digits as they were written
	// names has the name of each child of an object.
	names    []string
	children []tree
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
		for i, child := range t.children {
			if i > 0 {
				out = append(out, ',')
			}
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

// child finds the member of an object: the name as it is written first, then in
// any letter case. -1 if there is none.
func (t tree) child(name string) int {
	folded := -1
	for i, have := range t.names {
		if have == name {
			return i
		}
		if folded < 0 && strings.EqualFold(have, name) {
			folded = i
		}
	}
	return folded
}

// named gives the member of an object, its name in any letter case. stated says
// that it is there.
func (t tree) named(name string) (member tree, stated bool) {
	if i := t.child(name); i >= 0 {
		return t.children[i], true
	}
	return tree{}, false
}

// set gives an object a member, in the place of one that it has.
func (t *tree) set(name string, child tree) {
	for i, have := range t.names {
		if have == name {
			t.children[i] = child
			return
		}
	}
	t.names, t.children = append(t.names, name), append(t.children, child)
}

// equal reports whether two trees are the same JSON: members in any order,
// numbers by their value.
func (t tree) equal(u tree) bool {
	if t.kind != u.kind || len(t.children) != len(u.children) {
		return false
	}
	switch t.kind {
	case '"':
		return t.text == u.text
	case '0':
		return sameNumber(t.text, u.text)
	case '{':
		other := make(map[string]tree, len(u.names))
		for i, name := range u.names {
			other[name] = u.children[i]
		}
		for i, name := range t.names {
			if o, has := other[name]; !has || !t.children[i].equal(o) {
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

// sameNumber compares whole numbers by their digits, which a float may lose,
// and all others as floats.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if !strings.ContainsAny(a+b, ".eE") {
		return false
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
