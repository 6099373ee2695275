package httpapi

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxFormDepth is how many brackets a name may have.
const maxFormDepth = 8

// readForm reads a form: Name=…&Events=a&Events=b&Headers[X-A]=1. root says what
// the whole form is: single for the members of a carrier, anyValues for a
// dictionary, whose names are taken as they are. All values are texts; of values
// for one text the last counts.
func readForm(text []byte, root container) (tree, error) {
	t := tree{kind: '{'}
	pairs := 0
	for pair := range strings.SplitSeq(string(text), "&") {
		if pair == "" {
			continue
		}
		if pairs++; pairs > maxElements {
			return tree{}, webhook.Invalid("the form has more than %d values", maxElements)
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(rawName)
		value, errValue := url.QueryUnescape(rawValue)
		if errName != nil || errValue != nil {
			return tree{}, webhook.Invalid("the form has an escape that is none: %% must be followed by two hexadecimal digits")
		}
		if !utf8.ValidString(name + value) {
			return tree{}, webhook.Invalid("the form is not valid UTF-8")
		}
		if root == anyValues {
			t.set(name, textTree(value))
			continue
		}
		path, ok := formPath(name)
		if !ok {
			return tree{}, webhook.Invalid("the form has the name %q, which cannot be read; write Name, Events[0] or Headers[X-A]", shorten(name))
		}
		t.put(path, containerOf(path[0]), value)
	}
	return t, nil
}

// formPath cuts a name with brackets: A[b][c] is A, b, c.
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
func (t *tree) put(path []string, is container, value string) {
	i := t.child(path[0])
	if i < 0 {
		i = len(t.children)
		t.add(path[0], tree{})
	}
	member, rest := &t.children[i], path[1:]
	switch {
	case is == list && (len(rest) > 0 || value != ""):
		if member.kind != '[' {
			*member = tree{kind: '['}
		}
		member.putItem(rest, value)
	case is == list:
		if member.kind != '[' {
			*member = tree{kind: '['} // Events= is a list of none
		}
	case len(rest) > 0:
		if member.kind != '{' {
			*member = tree{kind: '{'}
		}
		held := single
		if is == single {
			held = containerOf(rest[0])
		}
		member.put(rest, held, value)
	case is != single && value == "":
		*member = tree{kind: '{'} // Headers= is an object of none
	default:
		*member = textTree(value)
	}
}

// putItem adds an item to a list, or a member to an item that is an object. The
// keys of a list only tell its items apart: their order is that of the form.
func (t *tree) putItem(path []string, value string) {
	if len(path) < 2 {
		t.add("", textTree(value))
		return
	}
	i := -1
	if path[0] != "" {
		i = t.exact(path[0])
	}
	if i < 0 {
		i = len(t.children)
		t.add(path[0], tree{})
	}
	if t.children[i].kind != '{' {
		t.children[i] = tree{kind: '{'}
	}
	t.children[i].put(path[1:], containerOf(path[1]), value)
}
