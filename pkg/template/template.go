package template

import "slices"

// Template is a compiled document. It is immutable and may be used concurrently.
type Template struct {
	pieces []piece
	nodes  []node // the first is the event itself
}

// piece is a part of the result: bytes of the document, or a value of the event.
type piece struct {
	literal []byte
	at      int32 // place in nodes of the value, if there is no literal
	within  bool  // the value's text within a string, not the value
}

// node is a place in events that a path leads to or through.
type node struct {
	name     string
	member   member  // of the event, for the children of the first node
	children []int32 // places in nodes, sorted by name
}

// Compile compiles a document. Its error is an *Error, for the first fault.
func Compile(document []byte) (*Template, error) {
	c := &compiler{Template: Template{nodes: make([]node, 1)}}
	if err := c.document(document); err != nil {
		return nil, err
	}
	c.flush()
	return &c.Template, nil
}

// Bytes estimates the template's memory.
func (t *Template) Bytes() int {
	const perPiece, perNode = 40, 56
	size := perPiece*len(t.pieces) + perNode*len(t.nodes)
	for _, p := range t.pieces {
		size += len(p.literal)
	}
	for _, n := range t.nodes {
		size += len(n.name) + 4*cap(n.children)
	}
	return size
}

// Members returns the members of events that paths begin with, in alphabetical order.
func (t *Template) Members() []string {
	names := make([]string, len(t.nodes[0].children))
	for i, c := range t.nodes[0].children {
		names[i] = t.nodes[c].name
	}
	return names
}

// child returns the child of a node with a name, which it adds if there is none.
func (t *Template) child(of int32, name string) int32 {
	i, found := t.find(of, []byte(name))
	if found {
		return t.nodes[of].children[i]
	}
	c := int32(len(t.nodes))
	t.nodes = append(t.nodes, node{name: name})
	t.nodes[of].children = slices.Insert(t.nodes[of].children, i, c)
	return c
}

// find returns the position of a node's child with a name among its children, or where
// it would be.
func (t *Template) find(of int32, name []byte) (position int, found bool) {
	return slices.BinarySearchFunc(t.nodes[of].children, name, func(c int32, name []byte) int {
		switch have := t.nodes[c].name; {
		case have < string(name):
			return -1
		case have > string(name):
			return 1
		}
		return 0
	})
}
