package wire

import (
	"strings"
	"unicode"
)

// nameIndex finds the members of an object by name, so that a body of n names
// costs n steps to read and not n². The items of a form's list, which have keys
// there, are found the same way. It is built when a name is first looked for.
type nameIndex struct {
	exact map[string]int
	// folded has the places of the names that differ in letter case alone, in
	// their order. nil until a name is looked for in any letter case.
	folded map[string][]int
	gone   int // members that were removed; their places stay, as zero trees
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

// exact returns the place of the member that has exactly this name, -1 if there
// is none.
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

// Child returns the place of a member: of the one that has exactly this name, else
// of the first whose name differs in letter case alone. -1 if there is none.
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
	places := t.index.folded[key]
	for len(places) > 0 && t.children[places[0]].kind == 0 {
		places = places[1:]
		t.index.folded[key] = places
	}
	if len(places) == 0 {
		return -1
	}
	return places[0]
}

func (x *nameIndex) fold(name string, place int) {
	key := FoldName(name)
	x.folded[key] = append(x.folded[key], place)
}

// Named returns the member of an object, its name in any letter case. stated
// reports whether it is there.
func (t *Tree) Named(name string) (member Tree, stated bool) {
	if i := t.Child(name); i >= 0 {
		return t.children[i], true
	}
	return Tree{}, false
}

// Add appends a member, or an item with a key, that is not there yet.
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

// Set gives an object a member, in the place of one of exactly this name.
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

// Len returns how many members an object, or items a list, has.
func (t *Tree) Len() int {
	t.open()
	if t.index == nil {
		return len(t.children)
	}
	return len(t.children) - t.index.gone
}

// FoldName returns the same text for all names that strings.EqualFold holds
// equal, and for no others.
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
