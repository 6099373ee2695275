package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

var errAttribute = errors.New("has an attribute that is not DynamoDB's JSON")

// maxAttributeDepth is more than DynamoDB's limit of 32 levels.
const maxAttributeDepth = 40

// plain returns the JSON of an attribute value: {"N":"1.50"} becomes 1.50. A
// number keeps its digits, binary is base64, and a set is an array in a fixed
// order, as are the members of a map, so that equal values have equal JSON.
func plain(attribute json.RawMessage, depth int) (json.RawMessage, error) {
	typed, err := jsonscan.Members(attribute)
	if err != nil || len(typed) != 1 || depth > maxAttributeDepth {
		return nil, errAttribute
	}
	value := typed[0].Value
	switch typed[0].Name {
	case "S", "B":
		if value[0] != '"' {
			return nil, errAttribute
		}
		return value, nil
	case "N":
		return numeral(value)
	case "BOOL":
		if string(value) != "true" && string(value) != "false" {
			return nil, errAttribute
		}
		return value, nil
	case "NULL":
		return json.RawMessage("null"), nil
	case "SS", "BS":
		return set(value, func(v json.RawMessage) (json.RawMessage, error) {
			return plain(append(append([]byte(`{"S":`), v...), '}'), depth)
		})
	case "NS":
		return set(value, numeral)
	case "L":
		list, err := elements(value, func(v json.RawMessage) (json.RawMessage, error) { return plain(v, depth+1) })
		return array(list), err
	case "M":
		return document(value, depth)
	}
	return nil, errAttribute
}

// document returns the JSON of a map, its members in the order of their names.
func document(value json.RawMessage, depth int) (json.RawMessage, error) {
	members, err := jsonscan.Members(value)
	if err != nil {
		return nil, errAttribute
	}
	slices.SortFunc(members, func(a, b jsonscan.Member) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	out := []byte{'{'}
	for _, m := range members {
		v, err := plain(m.Value, depth+1)
		if err != nil {
			return nil, err
		}
		out = appendMember(out, m.Name, v)
	}
	return append(out, '}'), nil
}

// numeral returns the JSON number of DynamoDB's string for it.
func numeral(value json.RawMessage) (json.RawMessage, error) {
	var digits string
	if json.Unmarshal(value, &digits) != nil || !json.Valid([]byte(digits)) {
		return nil, errAttribute
	}
	if _, ok := scalar(json.RawMessage(digits)); !ok || digits[0] == '"' {
		return nil, errAttribute
	}
	return json.RawMessage(digits), nil
}

// set returns the array of a set, whose order DynamoDB does not keep.
func set(value json.RawMessage, convert func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	list, err := elements(value, convert)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	return array(list), nil
}

func elements(value json.RawMessage, convert func(json.RawMessage) (json.RawMessage, error)) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &list) != nil {
		return nil, errAttribute
	}
	for i := range list {
		var err error
		if list[i], err = convert(list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func array(list []json.RawMessage) json.RawMessage {
	return append(append([]byte{'['}, bytes.Join(raws(list), []byte{','})...), ']')
}

func raws(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
