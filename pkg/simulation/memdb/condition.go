package memdb

import (
	"bytes"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// condition is a node of a condition, key condition or filter expression.
type condition interface {
	// check returns errors that do not depend on the item.
	check(b bindings) error
	// holds evaluates the condition; item is nil if there is none.
	holds(item Item, b bindings) bool
}

type (
	both    struct{ left, right condition }
	either  struct{ left, right condition }
	negated struct{ inner condition }

	comparison struct {
		op          string
		left, right operand
	}
	between    struct{ value, low, high operand }
	membership struct {
		value operand
		list  []operand
	}
	call struct {
		function string
		args     []operand
	}
)

func (c both) check(b bindings) error { return firstError(c.left.check(b), c.right.check(b)) }
func (c both) holds(item Item, b bindings) bool {
	return c.left.holds(item, b) && c.right.holds(item, b)
}

func (c either) check(b bindings) error { return firstError(c.left.check(b), c.right.check(b)) }
func (c either) holds(item Item, b bindings) bool {
	return c.left.holds(item, b) || c.right.holds(item, b)
}

func (c negated) check(b bindings) error           { return c.inner.check(b) }
func (c negated) holds(item Item, b bindings) bool { return !c.inner.holds(item, b) }

func (c comparison) check(b bindings) error {
	if err := checkDistinct(c.op, b, c.left, c.right); err != nil {
		return err
	}
	if c.op == "=" || c.op == "<>" {
		return nil
	}
	return checkKinds(c.op, b, orderedKinds, c.left, c.right)
}

func (c comparison) holds(item Item, b bindings) bool {
	left, right := c.left.value(item, b), c.right.value(item, b)
	if left == nil || right == nil {
		return c.op == "<>"
	}
	switch c.op {
	case "=":
		return equal(left, right)
	case "<>":
		return !equal(left, right)
	}
	order, ok := compare(left, right)
	if !ok {
		return false
	}
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func (c between) check(b bindings) error {
	if err := checkKinds("BETWEEN", b, orderedKinds, c.value, c.low, c.high); err != nil {
		return err
	}
	low, high := constant(c.low, b), constant(c.high, b)
	if low == nil || high == nil {
		return nil
	}
	order, ok := compare(low, high)
	if !ok {
		return invalid("The BETWEEN operator requires same data type for lower and upper bounds")
	}
	if order > 0 {
		return invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
	}
	return nil
}

func (c between) holds(item Item, b bindings) bool {
	return comparison{">=", c.value, c.low}.holds(item, b) && comparison{"<=", c.value, c.high}.holds(item, b)
}

func (c membership) check(b bindings) error {
	return checkDistinct("IN", b, append([]operand{c.value}, c.list...)[:2]...)
}

func (c membership) holds(item Item, b bindings) bool {
	return slices.ContainsFunc(c.list, func(o operand) bool { return comparison{"=", c.value, o}.holds(item, b) })
}

func (c call) check(b bindings) error {
	switch c.function {
	case "begins_with":
		return firstError(checkDistinct(c.function, b, c.args...), checkKinds(c.function, b, []string{"S", "B"}, c.args...))
	case "contains":
		return checkDistinct(c.function, b, c.args...)
	case "attribute_type":
		name, ok := constant(c.args[1], b).(*types.AttributeValueMemberS)
		if !ok {
			return checkKinds(c.function, b, []string{"S"}, c.args[1])
		}
		if !slices.Contains(allKinds, name.Value) {
			return invalid("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", name.Value)
		}
	}
	return nil
}

func (c call) holds(item Item, b bindings) bool {
	first := c.args[0].value(item, b)
	switch c.function {
	case "attribute_exists":
		return first != nil
	case "attribute_not_exists":
		return first == nil
	}
	second := c.args[1].value(item, b)
	if first == nil || second == nil {
		return false
	}
	switch c.function {
	case "attribute_type":
		return kind(first) == second.(*types.AttributeValueMemberS).Value
	case "begins_with":
		return beginsWith(first, second)
	default:
		return contains(first, second)
	}
}

func beginsWith(v, prefix types.AttributeValue) bool {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		p, ok := prefix.(*types.AttributeValueMemberS)
		return ok && strings.HasPrefix(v.Value, p.Value)
	case *types.AttributeValueMemberB:
		p, ok := prefix.(*types.AttributeValueMemberB)
		return ok && bytes.HasPrefix(v.Value, p.Value)
	}
	return false
}

func contains(v, part types.AttributeValue) bool {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		p, ok := part.(*types.AttributeValueMemberS)
		return ok && strings.Contains(v.Value, p.Value)
	case *types.AttributeValueMemberB:
		p, ok := part.(*types.AttributeValueMemberB)
		return ok && bytes.Contains(v.Value, p.Value)
	case *types.AttributeValueMemberL:
		return slices.ContainsFunc(v.Value, func(e types.AttributeValue) bool { return equal(e, part) })
	case *types.AttributeValueMemberSS:
		p, ok := part.(*types.AttributeValueMemberS)
		return ok && slices.Contains(v.Value, p.Value)
	case *types.AttributeValueMemberNS:
		p, ok := part.(*types.AttributeValueMemberN)
		return ok && slices.Contains(v.Value, p.Value)
	case *types.AttributeValueMemberBS:
		p, ok := part.(*types.AttributeValueMemberB)
		return ok && slices.ContainsFunc(v.Value, func(e []byte) bool { return bytes.Equal(e, p.Value) })
	}
	return false
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
