package wire

import "slices"

// open takes a tree apart that is kept as JSON, by one level.
func (t *Tree) open() {
	if t.raw == nil {
		return
	}
	opened := Tree{kind: t.kind, text: t.Text()}
	for _, m := range t.Members() {
		opened.names, opened.children = append(opened.names, m.Name), append(opened.children, m.Value)
	}
	if t.kind == KindArray {
		opened.children, _ = t.Items(len(t.raw))
	}
	*t = opened
}

// At returns the child at a place, which Child returned or which is less than
// Len.
func (t *Tree) At(i int) *Tree {
	t.open()
	return &t.children[i]
}

// Append adds an item to the end of an array.
func (t *Tree) Append(item Tree) {
	t.open()
	t.children = append(t.children, item)
}

// Insert puts an item into an array, before the one at a place.
func (t *Tree) Insert(i int, item Tree) {
	t.open()
	t.children = slices.Insert(t.children, i, item)
}

// Remove takes out the child at a place. The place of a member stays, empty, so
// that the places of all others do too.
func (t *Tree) Remove(i int) {
	t.open()
	if t.kind == KindArray {
		t.children = slices.Delete(t.children, i, i+1)
		return
	}
	t.removeMember(i)
}

// Clone returns a tree that shares nothing with this one, without the places of
// members that were removed.
func (t *Tree) Clone() Tree {
	t.open()
	c := Tree{kind: t.kind, text: t.text, children: make([]Tree, 0, len(t.children))}
	for i := range t.children {
		child := &t.children[i]
		if child.kind == 0 {
			continue
		}
		c.children = append(c.children, child.Clone())
		if t.kind == KindObject {
			c.names = append(c.names, t.names[i])
		}
	}
	return c
}
