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
		t.index = &nameIndex{exact: make(map[string]int, len(t.Names))}
		for i, name := range t.Names {
			if t.Children[i].Kind == 0 { // removed
				t.index.gone++
				continue
			}
			t.index.exact[name] = i
		}
	}
	return t.index
}

// Exact returns the place of the member that has exactly this name, -1 if there
// is none.
func (t *Tree) Exact(name string) int {
	if len(t.Names) == 0 {
		return -1
	}
	if i, found := t.indexed().exact[name]; found {
		return i
	}
	return -1
}

// Child returns the place of a member: the name as it is written first, then in
// any letter case, of several the first. -1 if there is none.
func (t *Tree) Child(name string) int {
	if i := t.Exact(name); i >= 0 || len(t.Names) == 0 {
		return i
	}
	if t.index.folded == nil {
		t.index.folded = make(map[string][]int, len(t.Names))
		for i, have := range t.Names {
			t.index.fold(have, i)
		}
	}
	key := FoldName(name)
	places := t.index.folded[key]
	for len(places) > 0 && t.Children[places[0]].Kind == 0 {
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

// Add appends a member, or an item with a key, that is not there yet.
func (t *Tree) Add(name string, child Tree) {
	if t.index != nil {
		t.index.exact[name] = len(t.Children)
		if t.index.folded != nil {
			t.index.fold(name, len(t.Children))
		}
	}
	t.Names, t.Children = append(t.Names, name), append(t.Children, child)
}

// Set gives an object a member, in the place of one of exactly this name.
func (t *Tree) Set(name string, child Tree) {
	if i := t.Exact(name); i >= 0 {
		t.Children[i] = child
		return
	}
	t.Add(name, child)
}

// Remove takes a member out of an object. Its place stays, so that the
// places of all others do too.
func (t *Tree) Remove(i int) {
	x := t.indexed()
	delete(x.exact, t.Names[i])
	x.gone++
	t.Children[i] = Tree{}
}

// Len returns how many members an object, or items a list, has.
func (t *Tree) Len() int {
	if t.index == nil {
		return len(t.Children)
	}
	return len(t.Children) - t.index.gone
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
