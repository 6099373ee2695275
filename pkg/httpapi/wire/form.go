package wire

import (
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxFormDepth is the most segments that a name may have: A[b][c] has three.
const maxFormDepth = 8

// readForm reads a form: Name=…&Events=a&Events=b&Headers[X-A]=1. root says what
// the whole form is: Single for the members of a carrier, Any for a
// dictionary, whose names are taken as they are. All values are texts; of values
// for one text the last counts.
func (m Members) readForm(text []byte, root Container) (Tree, error) {
	t := Tree{kind: KindObject}
	pairs := 0
	for pair := range strings.SplitSeq(string(text), "&") {
		if pair == "" {
			continue
		}
		if pairs++; pairs > MaxElements {
			return Tree{}, webhook.Invalid("the form has more than %d values", MaxElements)
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return Tree{}, webhook.Invalid("the form %v", err)
		}
		if !utf8.ValidString(name + value) {
			return Tree{}, webhook.Invalid("the form is not valid UTF-8")
		}
		if root == Any {
			t.Set(name, Text(value))
			continue
		}
		path, ok := formPath(name)
		if !ok {
			return Tree{}, webhook.Invalid("the form has the malformed name %q; write Name, Events[0] or Headers[X-A]", Shorten(name))
		}
		m.put(&t, path, m.Container(path[0]), value)
	}
	return t, nil
}

// formPath splits a name at its brackets: A[b][c] is A, b, c. ok reports whether
// the name is well-formed.
func formPath(name string) (path []string, ok bool) {
	base, rest, bracketed := strings.Cut(name, "[")
	path = []string{base}
	for bracketed {
		var key, after string
		if key, after, ok = strings.Cut(rest, "]"); !ok || after != "" && after[0] != '[' || len(path) == maxFormDepth {
			return nil, false
		}
		path = append(path, key)
		_, rest, bracketed = strings.Cut(after, "[")
	}
	return path, base != ""
}

// put gives an object the value that a path leads to. is says what the first
// member of the path holds.
func (m Members) put(t *Tree, path []string, is Container, value string) {
	i := t.Child(path[0])
	if i < 0 {
		i = len(t.children)
		t.Add(path[0], Tree{})
	}
	member, rest := &t.children[i], path[1:]
	switch {
	case is == List && (len(rest) > 0 || value != ""):
		if member.kind != KindArray {
			*member = Tree{kind: KindArray}
		}
		m.putItem(member, rest, value)
	case is == List:
		if member.kind != KindArray {
			*member = Tree{kind: KindArray} // Events= is a list of none
		}
	case len(rest) > 0:
		if member.kind != KindObject {
			*member = Tree{kind: KindObject}
		}
		held := Single
		if is == Single {
			held = m.Container(rest[0])
		}
		m.put(member, rest, held, value)
	case is != Single && value == "":
		*member = Tree{kind: KindObject} // Headers= is an object of none
	default:
		*member = Text(value)
	}
}

// putItem adds an item to a list, or a member to an item that is an object. The
// keys of a list only tell its items apart: their order is that of the form.
func (m Members) putItem(t *Tree, path []string, value string) {
	if len(path) < 2 {
		t.Add("", Text(value))
		return
	}
	i := -1
	if path[0] != "" {
		i = t.exact(path[0])
	}
	if i < 0 {
		i = len(t.children)
		t.Add(path[0], Tree{})
	}
	if t.children[i].kind != KindObject {
		t.children[i] = Tree{kind: KindObject}
	}
	m.put(&t.children[i], path[1:], m.Container(path[1]), value)
}
