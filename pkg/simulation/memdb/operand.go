package memdb

import (
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// operand is what conditions compare: a path, a :value or a size.
type operand interface {
	// value returns nil if there is no value.
	value(item Item, b bindings) types.AttributeValue
}

type (
	valueRef string
	sizeOf   struct{ operand operand }
)

func (p path) value(item Item, b bindings) types.AttributeValue  { return p.find(item, b) }
func (v valueRef) value(_ Item, b bindings) types.AttributeValue { return b.values[string(v)] }

func (s sizeOf) value(item Item, b bindings) types.AttributeValue {
	n := 0
	switch v := s.operand.value(item, b).(type) {
	case *types.AttributeValueMemberS:
		n = len(v.Value)
	case *types.AttributeValueMemberB:
		n = len(v.Value)
	case *types.AttributeValueMemberL:
		n = len(v.Value)
	case *types.AttributeValueMemberM:
		n = len(v.Value)
	default:
		members, ok := setMembers(v)
		if !ok {
			return nil
		}
		n = len(members)
	}
	return &types.AttributeValueMemberN{Value: strconv.Itoa(n)}
}

var (
	orderedKinds = []string{"S", "N", "B"}
	allKinds     = []string{"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}
)

// constant returns the operand's value if it does not depend on the item.
func constant(o operand, b bindings) types.AttributeValue {
	if v, ok := o.(valueRef); ok {
		return b.values[string(v)]
	}
	return nil
}

// checkKinds refuses constants of types that the operator does not accept.
func checkKinds(operator string, b bindings, allowed []string, operands ...operand) error {
	for _, o := range operands {
		if v := constant(o, b); v != nil && !slices.Contains(allowed, kind(v)) {
			return invalid("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, kind(v))
		}
	}
	return nil
}

// checkDistinct refuses to compare a path with itself.
func checkDistinct(operator string, b bindings, operands ...operand) error {
	first, ok := operands[0].(path)
	if !ok {
		return nil
	}
	for _, o := range operands[1:] {
		if other, ok := o.(path); ok && reflect.DeepEqual(first.resolve(b), other.resolve(b)) {
			return invalid("The first operand must be distinct from the remaining operands for this operator or function; operator: %s", operator)
		}
	}
	return nil
}
