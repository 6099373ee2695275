package wire

import (
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxFormDepth is the most segments that a name may have: A[b][c] has three.
const maxFormDepth = 8

// readForm reads a form: Name=…&Events=a&Events=b&Headers[X-A]=1. root says what
// the whole form is: Single for the members of a carrier, Any for a dictionary,
// whose names are taken as they are but for a closing [], which marks a list. All
// values are strings. Of a name that is repeated all values are kept: in the list
// that the member is, otherwise as a repeated value.
//
// A form is ASCII. What its escapes stand for is in the charset of its label: set, or
// UTF-8 if set is nil.
func (m Members) readForm(text []byte, root Container, set *byteCharset) (Tree, error) {
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
		if set != nil {
			name, value = string(set.toUTF8([]byte(name))), string(set.toUTF8([]byte(value)))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Tree{}, webhook.Invalid("the form is not valid UTF-8")
		}
		if root == Any {
			path := []string{name}
			if list, isList := strings.CutSuffix(name, "[]"); isList && list != "" {
				path = []string{list, ""}
			}
			m.put(&t, path, true, value)
			continue
		}
		path, ok := formPath(name)
		if !ok {
			return Tree{}, webhook.Invalid("the form has the malformed name %q; write Name, Events[0] or Headers[X-A]", Shorten(name))
		}
		m.put(&t, path, false, value)
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

// put adds the value at a path to an object. own says that the object's names are
// the client's own, which are case-sensitive, and not those of a carrier.
func (m Members) put(t *Tree, path []string, own bool, value string) {
	i, is := t.exact(path[0]), Single
	if !own {
		i, is = t.Child(path[0]), m.Container(path[0])
	}
	if i < 0 {
		i = len(t.children)
		t.Add(path[0], Tree{})
	}
	member, rest := &t.children[i], path[1:]
	switch {
	case is == List:
		member.kind = KindArray // Events= is an empty list
		if len(rest) > 0 || value != "" {
			m.putItem(member, rest, value)
		}
	case own && len(rest) == 1 && rest[0] == "": // tags[]=a
		if member.kind == 0 {
			member.kind = KindArray
		}
		member.another(Text(value))
	case len(rest) > 0 && (member.kind == 0 || member.kind == KindObject):
		member.kind = KindObject
		m.put(member, rest, own || is != Single, value)
	case len(rest) > 0: // the member has a value too
		object := Tree{kind: KindObject}
		m.put(&object, rest, own || is != Single, value)
		member.another(object)
	case is != Single && value == "" && (member.kind == 0 || member.kind == KindObject):
		member.kind = KindObject // Headers= is an empty object
	default:
		member.another(Text(value))
	}
}

// another adds a value to a member of a form, where an array is always a list of
// values.
func (t *Tree) another(value Tree) {
	switch t.kind {
	case 0:
		*t = value
	case KindArray:
		t.children = append(t.children, value)
	default:
		t.repeat(value)
	}
}

// putItem adds an item to a list, or a member to an item that is an object. The
// keys of a list only separate its items: their order is that of the form.
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
	m.put(&t.children[i], path[1:], false, value)
}
