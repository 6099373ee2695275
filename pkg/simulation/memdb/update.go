package memdb

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// update is a parsed update expression.
type update struct {
	set         []assignment
	remove      []path
	add, delete []change
}

type assignment struct {
	to   path
	from source
}

type change struct {
	path  path
	value valueRef
}

// source is the right-hand side of a SET.
type source interface {
	// evaluate reads the item as it was before the update.
	evaluate(item Item, b bindings) (types.AttributeValue, error)
}

type (
	plain       struct{ operand }
	ifNotExists struct {
		path path
		or   source
	}
	listAppend struct{ left, right source }
	sum        struct {
		left, right source
		minus       bool
	}
)

var errOperandType = invalid("An operand in the update expression has an incorrect data type")

func (s plain) evaluate(item Item, b bindings) (types.AttributeValue, error) {
	v := s.value(item, b)
	if v == nil {
		return nil, invalid("The provided expression refers to an attribute that does not exist in the item")
	}
	return own(v), nil
}

func (s ifNotExists) evaluate(item Item, b bindings) (types.AttributeValue, error) {
	if v := s.path.find(item, b); v != nil {
		return own(v), nil
	}
	return s.or.evaluate(item, b)
}

func (s listAppend) evaluate(item Item, b bindings) (types.AttributeValue, error) {
	left, right, err := evaluateTwo(s.left, s.right, item, b)
	if err != nil {
		return nil, err
	}
	l, okL := left.(*types.AttributeValueMemberL)
	r, okR := right.(*types.AttributeValueMemberL)
	if !okL || !okR {
		return nil, errOperandType
	}
	return &types.AttributeValueMemberL{Value: append(l.Value, r.Value...)}, nil
}

func (s sum) evaluate(item Item, b bindings) (types.AttributeValue, error) {
	left, right, err := evaluateTwo(s.left, s.right, item, b)
	if err != nil {
		return nil, err
	}
	return addValues(left, right, s.minus)
}

func evaluateTwo(x, y source, item Item, b bindings) (left, right types.AttributeValue, err error) {
	if left, err = x.evaluate(item, b); err != nil {
		return nil, nil, err
	}
	right, err = y.evaluate(item, b)
	return left, right, err
}

func addValues(left, right types.AttributeValue, minus bool) (types.AttributeValue, error) {
	l, okL := left.(*types.AttributeValueMemberN)
	r, okR := right.(*types.AttributeValueMemberN)
	if !okL || !okR {
		return nil, errOperandType
	}
	n, err := addNumbers(l.Value, r.Value, minus)
	return &types.AttributeValueMemberN{Value: n}, err
}

// targets returns the resolved paths that the update writes.
func (u *update) targets(b bindings) []path {
	var out []path
	for _, a := range u.set {
		out = append(out, a.to.resolve(b))
	}
	for _, p := range u.remove {
		out = append(out, p.resolve(b))
	}
	for _, c := range slices.Concat(u.add, u.delete) {
		out = append(out, c.path.resolve(b))
	}
	return out
}

// check returns errors that do not depend on the item.
func (u *update) check(b bindings, keys []string) error {
	targets := u.targets(b)
	for i, p := range targets {
		if slices.Contains(keys, p[0].name) {
			return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", p[0].name)
		}
		if slices.ContainsFunc(targets[:i], p.overlaps) {
			return invalid("Two document paths overlap with each other; must remove or rewrite one of these paths; path: %s", p[0].name)
		}
	}
	for _, c := range u.add {
		if err := checkKinds("ADD", b, []string{"N", "SS", "NS", "BS"}, c.value); err != nil {
			return err
		}
	}
	for _, c := range u.delete {
		if err := checkKinds("DELETE", b, []string{"SS", "NS", "BS"}, c.value); err != nil {
			return err
		}
	}
	return nil
}

// apply returns the updated copy of an item.
func (u *update) apply(item Item, b bindings) (Item, error) {
	out := ownItem(item)
	for _, a := range u.set {
		v, err := a.from.evaluate(item, b)
		if err != nil {
			return nil, err
		}
		if err := a.to.resolve(b).put(out, v); err != nil {
			return nil, err
		}
	}
	for _, c := range u.add {
		v, err := added(c.path.find(item, b), own(b.values[string(c.value)]))
		if err != nil {
			return nil, err
		}
		if err := c.path.resolve(b).put(out, v); err != nil {
			return nil, err
		}
	}
	for _, c := range u.delete {
		if err := c.apply(item, out, b); err != nil {
			return nil, err
		}
	}
	// In descending order, so that the remaining list indexes stay valid.
	removed := make([]path, len(u.remove))
	for i, p := range u.remove {
		removed[i] = p.resolve(b)
	}
	slices.SortStableFunc(removed, func(p, q path) int { return q[len(q)-1].index - p[len(p)-1].index })
	for _, p := range removed {
		if err := p.remove(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// added returns the result of ADD on a value; old is nil if there is none.
func added(old, value types.AttributeValue) (types.AttributeValue, error) {
	if old == nil {
		return value, nil
	}
	if kind(old) != kind(value) {
		return nil, errOperandType
	}
	if kind(value) == "N" {
		return addValues(old, value, false)
	}
	have, _ := setMembers(old)
	more, _ := setMembers(value)
	union := slices.Clone(have)
	for _, m := range more {
		if !slices.Contains(union, m) {
			union = append(union, m)
		}
	}
	return makeSet(kind(value), union), nil
}

// apply removes a DELETE's members from the set, and the set if it becomes
// empty.
func (c change) apply(item, out Item, b bindings) error {
	old, value := c.path.find(item, b), b.values[string(c.value)]
	if old == nil {
		return nil
	}
	if kind(old) != kind(value) {
		return errOperandType
	}
	have, _ := setMembers(old)
	gone, _ := setMembers(value)
	rest := slices.DeleteFunc(slices.Clone(have), func(m string) bool { return slices.Contains(gone, m) })
	if set := makeSet(kind(value), rest); set != nil {
		return c.path.resolve(b).put(out, set)
	}
	return c.path.resolve(b).remove(out)
}
