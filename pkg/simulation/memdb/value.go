package memdb

import (
	"bytes"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const maxItemBytes = 400 << 10

// take checks a value from a request and returns a deep copy with its numbers
// in canonical form.
func take(v types.AttributeValue) (types.AttributeValue, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return &types.AttributeValueMemberS{Value: v.Value}, nil
	case *types.AttributeValueMemberN:
		if isPlain(v.Value) {
			return &types.AttributeValueMemberN{Value: v.Value}, nil
		}
		d, err := parseDecimal(v.Value)
		return &types.AttributeValueMemberN{Value: d.canonical()}, err
	case *types.AttributeValueMemberB:
		return &types.AttributeValueMemberB{Value: bytes.Clone(v.Value)}, nil
	case *types.AttributeValueMemberBOOL:
		return &types.AttributeValueMemberBOOL{Value: v.Value}, nil
	case *types.AttributeValueMemberNULL:
		if !v.Value {
			return nil, invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return &types.AttributeValueMemberNULL{Value: true}, nil
	case *types.AttributeValueMemberM:
		m, err := takeItem(v.Value)
		return &types.AttributeValueMemberM{Value: m}, err
	case *types.AttributeValueMemberL:
		list := make([]types.AttributeValue, len(v.Value))
		for i, e := range v.Value {
			var err error
			if list[i], err = take(e); err != nil {
				return nil, err
			}
		}
		return &types.AttributeValueMemberL{Value: list}, nil
	case *types.AttributeValueMemberSS:
		return &types.AttributeValueMemberSS{Value: slices.Clone(v.Value)}, checkSet(v.Value)
	case *types.AttributeValueMemberNS:
		set := make([]string, len(v.Value))
		for i, n := range v.Value {
			d, err := parseDecimal(n)
			if err != nil {
				return nil, err
			}
			set[i] = d.canonical()
		}
		return &types.AttributeValueMemberNS{Value: set}, checkSet(set)
	case *types.AttributeValueMemberBS:
		set, texts := make([][]byte, len(v.Value)), make([]string, len(v.Value))
		for i, b := range v.Value {
			set[i], texts[i] = bytes.Clone(b), string(b)
		}
		return &types.AttributeValueMemberBS{Value: set}, checkSet(texts)
	default:
		return nil, invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
}

func takeItem(item Item) (Item, error) {
	out := make(Item, len(item))
	for name, v := range item {
		taken, err := take(v)
		if err != nil {
			return nil, err
		}
		out[name] = taken
	}
	return out, nil
}

func checkSet(members []string) error {
	if len(members) == 0 {
		return invalid("One or more parameter values were invalid: An set may not be empty")
	}
	sorted := slices.Sorted(slices.Values(members))
	if len(slices.Compact(sorted)) != len(members) {
		return invalid("One or more parameter values were invalid: Input collection contains duplicates")
	}
	return nil
}

// give returns a deep copy of a stored item; nil stays nil.
func give(item Item) Item {
	if item == nil {
		return nil
	}
	out := make(Item, len(item))
	for name, v := range item {
		out[name] = giveValue(v)
	}
	return out
}

func giveValue(v types.AttributeValue) types.AttributeValue {
	copied, err := take(v)
	if err != nil {
		panic("memdb: a value was stored unchecked: " + err.Error())
	}
	return copied
}

// own copies the maps and lists of a stored value, which an update changes in
// place; other values are never changed and may be shared.
func own(v types.AttributeValue) types.AttributeValue {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: ownItem(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]types.AttributeValue, len(v.Value))
		for i, e := range v.Value {
			list[i] = own(e)
		}
		return &types.AttributeValueMemberL{Value: list}
	}
	return v
}

func ownItem(item Item) Item {
	out := make(Item, len(item)+4) // capacity for an update's additions
	for name, v := range item {
		out[name] = own(v)
	}
	return out
}

// kind returns the type's name in expressions and messages.
func kind(v types.AttributeValue) string {
	switch v.(type) {
	case *types.AttributeValueMemberS:
		return "S"
	case *types.AttributeValueMemberN:
		return "N"
	case *types.AttributeValueMemberB:
		return "B"
	case *types.AttributeValueMemberBOOL:
		return "BOOL"
	case *types.AttributeValueMemberNULL:
		return "NULL"
	case *types.AttributeValueMemberM:
		return "M"
	case *types.AttributeValueMemberL:
		return "L"
	case *types.AttributeValueMemberSS:
		return "SS"
	case *types.AttributeValueMemberNS:
		return "NS"
	case *types.AttributeValueMemberBS:
		return "BS"
	}
	return ""
}

// equal reports whether two stored values are equal; sets have no order.
func equal(a, b types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberBOOL:
		b, ok := b.(*types.AttributeValueMemberBOOL)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberNULL:
		return kind(b) == "NULL"
	case *types.AttributeValueMemberM:
		b, ok := b.(*types.AttributeValueMemberM)
		return ok && equalItems(a.Value, b.Value)
	case *types.AttributeValueMemberL:
		b, ok := b.(*types.AttributeValueMemberL)
		return ok && slices.EqualFunc(a.Value, b.Value, equal)
	}
	if kind(a) != kind(b) {
		return false
	}
	if members, ok := setMembers(a); ok {
		others, _ := setMembers(b)
		return slices.Equal(slices.Sorted(slices.Values(members)), slices.Sorted(slices.Values(others)))
	}
	order, comparable := compare(a, b)
	return comparable && order == 0
}

func equalItems(a, b Item) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		other, ok := b[name]
		if !ok || !equal(v, other) {
			return false
		}
	}
	return true
}

// compare orders two strings, numbers or binaries; other pairs have no order.
func compare(a, b types.AttributeValue) (order int, ok bool) {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		if b, ok := b.(*types.AttributeValueMemberS); ok {
			return strings.Compare(a.Value, b.Value), true
		}
	case *types.AttributeValueMemberN:
		if b, ok := b.(*types.AttributeValueMemberN); ok {
			return compareNumbers(a.Value, b.Value), true
		}
	case *types.AttributeValueMemberB:
		if b, ok := b.(*types.AttributeValueMemberB); ok {
			return bytes.Compare(a.Value, b.Value), true
		}
	}
	return 0, false
}

// setMembers returns a set's members as strings that are equal if the members
// are.
func setMembers(v types.AttributeValue) ([]string, bool) {
	switch v := v.(type) {
	case *types.AttributeValueMemberSS:
		return v.Value, true
	case *types.AttributeValueMemberNS:
		return v.Value, true
	case *types.AttributeValueMemberBS:
		texts := make([]string, len(v.Value))
		for i, b := range v.Value {
			texts[i] = string(b)
		}
		return texts, true
	}
	return nil, false
}

// makeSet is the inverse of setMembers; it returns nil if there are no members.
func makeSet(kind string, members []string) types.AttributeValue {
	if len(members) == 0 {
		return nil
	}
	switch kind {
	case "SS":
		return &types.AttributeValueMemberSS{Value: members}
	case "NS":
		return &types.AttributeValueMemberNS{Value: members}
	}
	set := make([][]byte, len(members))
	for i, m := range members {
		set[i] = []byte(m)
	}
	return &types.AttributeValueMemberBS{Value: set}
}

// itemBytes returns an item's size, approximately as DynamoDB counts it.
func itemBytes(item Item) int {
	n := 0
	for name, v := range item {
		n += len(name) + valueBytes(v)
	}
	return n
}

func valueBytes(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 2
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + itemBytes(v.Value)
	case *types.AttributeValueMemberL:
		n := 3
		for _, e := range v.Value {
			n += 1 + valueBytes(e)
		}
		return n
	}
	members, _ := setMembers(v)
	n := 1
	for _, m := range members {
		n += len(m)
	}
	return n
}
