package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Member is one member of a JSON object.
type Member struct {
	Name  string
	Value json.RawMessage
}

// manyMembers is the number of members from which duplicates are looked up in a map.
const manyMembers = 32

// Members lists the members of a JSON object in order, with their values as
// written; the values share raw's memory. If a name is repeated, the last value
// wins, as in most readers. Empty input has no members. The error is a clause
// without a subject.
//
// It runs for every POST, so after json.Valid it walks over the bytes itself.
func Members(raw json.RawMessage) ([]Member, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	i := SkipSpace(raw, 0)
	if i == len(raw) || raw[i] != '{' || !json.Valid(raw) {
		return nil, errors.New("must be a JSON object")
	}
	var (
		members []Member
		at      map[string]int
	)
	for i = SkipSpace(raw, i+1); raw[i] != '}'; i = SkipSpace(raw, i) {
		if raw[i] == ',' {
			i = SkipSpace(raw, i+1)
		}
		end := SkipValue(raw, i)
		name, err := memberName(raw[i:end])
		if err != nil {
			return nil, err
		}
		i = SkipSpace(raw, SkipSpace(raw, end)+1) // past the colon
		end = SkipValue(raw, i)
		value := raw[i:end:end]
		i = end
		if i, found := findMember(members, &at, name); found {
			members[i].Value = value
			continue
		}
		members = append(members, Member{Name: name, Value: value})
	}
	return members, nil
}

// findMember returns the position of a name. It builds an index once there are
// many members.
func findMember(members []Member, at *map[string]int, name string) (int, bool) {
	if len(members) < manyMembers {
		for i, m := range members {
			if m.Name == name {
				return i, true
			}
		}
		return 0, false
	}
	if *at == nil {
		*at = map[string]int{}
		for i, m := range members {
			(*at)[m.Name] = i
		}
	}
	i, found := (*at)[name]
	if !found {
		(*at)[name] = len(members)
	}
	return i, found
}

// memberName decodes a JSON string.
func memberName(quoted []byte) (string, error) {
	inner := string(quoted[1 : len(quoted)-1])
	if strings.IndexByte(inner, '\\') < 0 && utf8.ValidString(inner) {
		return inner, nil
	}
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return "", fmt.Errorf("read member name: %w", err)
	}
	return name, nil
}

// SkipSpace returns the first position from i on that has no white space.
func SkipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// SkipValue returns the end of the value that begins at i, in valid JSON. In anything
// else it returns some position from i to len(raw).
func SkipValue(raw []byte, i int) int {
	for depth := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(raw))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a number or word at the end of the object
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return min(i, len(raw))
}
