package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// field is a member of the pattern's object: a list of terms at a path.
type field struct {
	path  []string
	terms []term
	// absent: one of the terms is {"exists": false}.
	absent bool
}

// pattern is a pattern as combinations of fields. It passes what all fields of one of
// them pass.
type pattern struct {
	combinations [][]*field
	terms        int
}

// or is the name under which a pattern lists alternatives.
const or = "$or"

// parser reads a pattern.
type parser struct {
	dec   *json.Decoder
	path  []string
	terms int
}

// fail returns a fault at the parser's path.
func (p *parser) fail(rule string, args ...any) error {
	return &Error{strings.Join(append([]string{"Filter"}, p.path...), "."), fmt.Sprintf(rule, args...)}
}

// parse reads a pattern.
func parse(source []byte) (pattern, error) {
	p := &parser{dec: json.NewDecoder(bytes.NewReader(source))}
	p.dec.UseNumber()
	if len(source) > MaxBytes {
		return pattern{}, p.fail("must be at most %d bytes", MaxBytes)
	}
	if err := jsonscan.CheckObject(source); err != nil {
		return pattern{}, p.fail("%v", err)
	}
	p.next() // {
	combinations, err := p.object(false)
	if err != nil {
		return pattern{}, err
	}
	for _, combination := range combinations {
		if err := clash(combination); err != nil {
			return pattern{}, err
		}
	}
	return pattern{combinations, p.terms}, nil
}

// next returns the next token of what CheckObject accepted.
func (p *parser) next() json.Token {
	token, err := p.dec.Token()
	if err != nil {
		return nil
	}
	return token
}

// object reads the rest of an object. inOr says that it is an alternative, or in one.
func (p *parser) object(inOr bool) (all [][]*field, err error) {
	all = [][]*field{nil}
	var names []string
	for p.dec.More() {
		name, _ := p.next().(string)
		if slices.Contains(names, name) {
			return nil, p.fail("%q is there twice", name)
		}
		names = append(names, name)
		var more [][]*field
		if name == or {
			more, err = p.alternatives()
		} else {
			more, err = p.member(name, inOr)
		}
		if err != nil {
			return nil, err
		}
		if len(all)*len(more) > MaxCombinations {
			return nil, p.fail("$or has %d combinations here, at most %d are allowed", len(all)*len(more), MaxCombinations)
		}
		all = product(all, more)
	}
	p.next() // }
	if len(names) == 0 {
		return nil, p.fail("must not be empty")
	}
	return all, nil
}

// member reads what an object has under a name: an object, or a list of terms.
func (p *parser) member(name string, inOr bool) ([][]*field, error) {
	p.path = append(p.path, name)
	defer func() { p.path = p.path[:len(p.path)-1] }()
	if len(p.path) == 1 && !slices.Contains(members[:], name) {
		return nil, p.fail("is not a member of events; they have %s", strings.Join(members[:], ", "))
	}
	if inOr && slices.Contains(operators, name) {
		return nil, p.fail("is an operator, which cannot be a name in $or")
	}
	switch p.next() {
	case json.Delim('{'):
		if len(p.path) == 1 && !holdsObject(name) {
			return nil, p.fail("must be a list of values, such as [\"x\"]: it has no members")
		}
		return p.object(inOr)
	case json.Delim('['):
		if len(p.path) == 1 && holdsObject(name) {
			return nil, p.fail("is an object: name its members")
		}
		f := &field{path: slices.Clone(p.path)}
		if err := p.list(f); err != nil {
			return nil, err
		}
		return [][]*field{{f}}, nil
	}
	if len(p.path) == 1 && !holdsObject(name) {
		return nil, p.fail("must be a list of values, such as [\"x\"]")
	}
	return nil, p.fail("must be a list of values, such as [\"x\"], or an object")
}

// alternatives reads the list of $or.
func (p *parser) alternatives() (all [][]*field, err error) {
	const rule = "$or must be a list of at least two objects"
	if p.next() != json.Delim('[') {
		return nil, p.fail(rule)
	}
	n := 0
	for ; p.dec.More(); n++ {
		if p.next() != json.Delim('{') {
			return nil, p.fail(rule)
		}
		one, err := p.object(true)
		if err != nil {
			return nil, err
		}
		if all = append(all, one...); len(all) > MaxCombinations {
			return nil, p.fail("$or has more than %d combinations", MaxCombinations)
		}
	}
	p.next() // ]
	if n < 2 {
		return nil, p.fail(rule)
	}
	return all, nil
}

// product returns each of a with each of b.
func product(a, b [][]*field) [][]*field {
	var all [][]*field
	for _, left := range a {
		for _, right := range b {
			all = append(all, append(slices.Clip(left), right...))
		}
	}
	return all
}

// clash returns a fault if two fields of a combination ask different things of one
// value: both list terms for it, or one lists terms and the other has members.
func clash(combination []*field) error {
	slices.SortStableFunc(combination, func(a, b *field) int { return slices.Compare(a.path, b.path) })
	for i := 1; i < len(combination); i++ {
		before, f := combination[i-1], combination[i]
		if len(before.path) <= len(f.path) && slices.Equal(before.path, f.path[:len(before.path)]) {
			rule := "has terms in two places that must hold together"
			if len(before.path) < len(f.path) {
				rule = "has terms, and elsewhere members, that must hold together"
			}
			return &Error{"Filter." + strings.Join(before.path, "."), rule}
		}
	}
	return nil
}
