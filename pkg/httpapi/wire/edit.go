package wire

import "slices"

// open parses one level of a tree that is kept as JSON.
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

// At returns the child at a position: one that Child returned, or one below Len.
func (t *Tree) At(i int) *Tree {
	t.open()
	return &t.children[i]
}

// Append adds an item to the end of an array.
func (t *Tree) Append(item Tree) {
	t.open()
	t.children = append(t.children, item)
}

// Insert inserts an item into an array at a position.
func (t *Tree) Insert(i int, item Tree) {
	t.open()
	t.children = slices.Insert(t.children, i, item)
}

// Remove removes the child at a position. A removed member leaves an empty
// position behind, so that the positions of other members stay valid.
func (t *Tree) Remove(i int) {
	t.open()
	if t.kind == KindArray {
		t.children = slices.Delete(t.children, i, i+1)
		return
	}
	t.removeMember(i)
}

// Clone returns a deep copy, without the empty positions of removed members.
func (t *Tree) Clone() Tree {
	t.open()
	c := Tree{kind: t.kind, text: t.text, repeated: t.repeated, children: make([]Tree, 0, len(t.children))}
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
