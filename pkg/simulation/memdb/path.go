package memdb

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// path leads to a value inside an item. Its first step is a name.
type path []step

// step is a map's key or a list's index.
type step struct {
	name    string // as written, so #n for a placeholder
	index   int
	isIndex bool
}

// resolve replaces the placeholders.
func (p path) resolve(b bindings) path {
	out := slices.Clone(p)
	for i, s := range out {
		if !s.isIndex && s.name[0] == '#' {
			out[i].name = b.names[s.name]
		}
	}
	return out
}

// find returns the value at the path, nil if there is none.
func (p path) find(item Item, b bindings) types.AttributeValue {
	var v types.AttributeValue = &types.AttributeValueMemberM{Value: item}
	for _, s := range p {
		name := s.name
		if !s.isIndex && name[0] == '#' {
			name = b.names[name]
		}
		v = child(v, step{name: name, index: s.index, isIndex: s.isIndex})
		if v == nil {
			return nil
		}
	}
	return v
}

func child(v types.AttributeValue, s step) types.AttributeValue {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		if !s.isIndex {
			return v.Value[s.name]
		}
	case *types.AttributeValueMemberL:
		if s.isIndex && s.index < len(v.Value) {
			return v.Value[s.index]
		}
	}
	return nil
}

// put sets the value at a resolved path of an item owned by the caller. The
// path's parent must exist.
func (p path) put(item Item, value types.AttributeValue) error {
	parent := p[:len(p)-1].find(item, bindings{})
	last := p[len(p)-1]
	switch parent := parent.(type) {
	case *types.AttributeValueMemberM:
		if !last.isIndex {
			parent.Value[last.name] = value
			return nil
		}
	case *types.AttributeValueMemberL:
		if last.isIndex {
			if last.index < len(parent.Value) {
				parent.Value[last.index] = value
			} else {
				parent.Value = append(parent.Value, value)
			}
			return nil
		}
	}
	return errUpdatePath
}

// remove removes the value at a resolved path from an item owned by the caller.
func (p path) remove(item Item) error {
	parent := p[:len(p)-1].find(item, bindings{})
	last := p[len(p)-1]
	switch parent := parent.(type) {
	case *types.AttributeValueMemberM:
		if !last.isIndex {
			delete(parent.Value, last.name)
			return nil
		}
	case *types.AttributeValueMemberL:
		if last.isIndex {
			if last.index < len(parent.Value) {
				parent.Value = slices.Delete(parent.Value, last.index, last.index+1)
			}
			return nil
		}
	}
	return errUpdatePath
}

// overlaps reports whether one of two resolved paths is a prefix of the other.
func (p path) overlaps(q path) bool {
	n := min(len(p), len(q))
	return slices.Equal(p[:n], q[:n])
}

// pick returns the parts of an item that the projection names. It shares the
// values of whole attributes; list elements move up.
func pick(item Item, projection []path, b bindings) Item {
	if projection == nil || item == nil {
		return item
	}
	out := make(Item)
	for _, p := range projection {
		p = p.resolve(b)
		if v := p.find(item, b); v != nil {
			graft(&types.AttributeValueMemberM{Value: out}, p, v)
		}
	}
	return out
}

func graft(into types.AttributeValue, p path, v types.AttributeValue) {
	for i, s := range p {
		next := v
		if i < len(p)-1 {
			if next = child(into, s); next == nil || s.isIndex {
				next = &types.AttributeValueMemberM{Value: make(Item)}
				if p[i+1].isIndex {
					next = &types.AttributeValueMemberL{}
				}
			}
		}
		switch at := into.(type) {
		case *types.AttributeValueMemberM:
			at.Value[s.name] = next
		case *types.AttributeValueMemberL:
			at.Value = append(at.Value, next)
		}
		into = next
	}
}

var errUpdatePath = invalid("The document path provided in the update expression is invalid for update")
