package wire

import (
	"strings"
	"unicode"
)

// nameIndex finds the members of an object by name, so that reading a body of n
// names takes n steps and not n². It also finds the items of a form's list by
// their keys. It is built at the first lookup.
type nameIndex struct {
	exact map[string]int
	// folded holds the positions of the names that are equal under FoldName, in
	// order. nil until the first case-insensitive lookup.
	folded map[string][]int
	gone   int // removed members; their positions stay, as zero trees
}

func (t *Tree) indexed() *nameIndex {
	if t.index == nil {
		t.index = &nameIndex{exact: make(map[string]int, len(t.names))}
		for i, name := range t.names {
			if t.children[i].kind == 0 { // removed
				t.index.gone++
				continue
			}
			t.index.exact[name] = i
		}
	}
	return t.index
}

// exact returns the position of the member with exactly this name, or -1.
func (t *Tree) exact(name string) int {
	t.open()
	if len(t.names) == 0 {
		return -1
	}
	if i, found := t.indexed().exact[name]; found {
		return i
	}
	return -1
}

// Child returns the position of a member: the one with exactly this name, or the
// first whose name differs only in case, or -1.
func (t *Tree) Child(name string) int {
	if i := t.exact(name); i >= 0 || len(t.names) == 0 {
		return i
	}
	if t.index.folded == nil {
		t.index.folded = make(map[string][]int, len(t.names))
		for i, have := range t.names {
			t.index.fold(have, i)
		}
	}
	key := FoldName(name)
	positions := t.index.folded[key]
	for len(positions) > 0 && t.children[positions[0]].kind == 0 {
		positions = positions[1:]
		t.index.folded[key] = positions
	}
	if len(positions) == 0 {
		return -1
	}
	return positions[0]
}

func (x *nameIndex) fold(name string, position int) {
	key := FoldName(name)
	x.folded[key] = append(x.folded[key], position)
}

// Named returns the member of an object that Child finds. stated reports whether
// there is one.
func (t *Tree) Named(name string) (member Tree, stated bool) {
	if i := t.Child(name); i >= 0 {
		return t.children[i], true
	}
	return Tree{}, false
}

// Add appends a member, or an item with a key. The name must be new.
func (t *Tree) Add(name string, child Tree) {
	t.open()
	if t.index != nil {
		t.index.exact[name] = len(t.children)
		if t.index.folded != nil {
			t.index.fold(name, len(t.children))
		}
	}
	t.names, t.children = append(t.names, name), append(t.children, child)
}

// Set adds a member to an object, or replaces the one with exactly this name.
func (t *Tree) Set(name string, child Tree) {
	if i := t.exact(name); i >= 0 {
		t.children[i] = child
		return
	}
	t.Add(name, child)
}

func (t *Tree) removeMember(i int) {
	x := t.indexed()
	delete(x.exact, t.names[i])
	x.gone++
	t.children[i] = Tree{}
}

// Len returns the number of members of an object or of items of a list.
func (t *Tree) Len() int {
	t.open()
	if t.index == nil {
		return len(t.children)
	}
	return len(t.children) - t.index.gone
}

// FoldName returns the same string for two names if and only if strings.EqualFold
// reports them equal.
func FoldName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case r <= unicode.MaxASCII:
			return r
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
