package filter

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// operators are the names of terms that are objects.
var operators = []string{"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}

// list reads the rest of a list of terms into a field.
func (p *parser) list(f *field) error {
	for p.dec.More() {
		t, absent, err := p.term()
		if err != nil {
			return err
		}
		if f.absent = f.absent || absent; !absent {
			f.terms = append(f.terms, t)
		}
		if p.terms += max(len(t.tests), 1); p.terms > MaxTerms {
			return p.fail("the pattern has more than %d values", MaxTerms)
		}
	}
	p.next() // ]
	if len(f.terms) == 0 && !f.absent {
		return p.fail("must not be an empty list")
	}
	return nil
}

// term reads one term. absent says that it is {"exists": false}.
func (p *parser) term() (t term, absent bool, err error) {
	token := p.next()
	delim, ok := token.(json.Delim)
	switch {
	case !ok:
		return only(p.value(token)), false, nil
	case delim == '{':
		return p.operator()
	}
	return term{}, false, p.fail("a value must be a string, a number, true, false, null or an object with an operator")
}

// operator reads a term that is an object.
func (p *parser) operator() (t term, absent bool, err error) {
	if !p.dec.More() {
		return term{}, false, p.fail("an object in a list must have one operator: %s", strings.Join(operators, ", "))
	}
	name, _ := p.next().(string)
	switch name {
	case "exists":
		there, ok := p.next().(bool)
		if !ok {
			return term{}, false, p.fail("exists takes true or false")
		}
		t, absent = only(test{op: exists}), !there
	case "numeric":
		t, err = p.numeric()
	case "cidr":
		text, _ := p.next().(string)
		network, ok := parseNetwork(text)
		if !ok {
			return term{}, false, p.fail("cidr takes a network, such as \"10.0.0.0/8\"")
		}
		t = only(test{op: cidr, network: &network})
	case "prefix", "suffix":
		t, err = p.affix(name, false)
	case "equals-ignore-case", "wildcard":
		t, err = p.strings(name, p.next(), false)
	case "anything-but":
		t, err = p.anythingBut()
	default:
		return term{}, false, p.fail("%q is not an operator; they are %s", name, strings.Join(operators, ", "))
	}
	if err == nil {
		err = p.close(name)
	}
	return t, absent, err
}

// close reads the end of an object that has one member.
func (p *parser) close(name string) error {
	if p.dec.More() {
		return p.fail("%s must be alone in its object", name)
	}
	p.next() // }
	return nil
}

// affix reads what prefix and suffix take: a string, or an object with
// equals-ignore-case.
func (p *parser) affix(name string, list bool) (term, error) {
	token := p.next()
	if token != json.Delim('{') || list {
		return p.strings(name, token, list)
	}
	if inner, _ := p.next().(string); inner != "equals-ignore-case" {
		return term{}, p.fail("%s takes a string, or an object with equals-ignore-case", name)
	}
	t, err := p.strings(name+" equals-ignore-case", p.next(), false)
	if err != nil {
		return term{}, err
	}
	return t, p.close("equals-ignore-case")
}

// strings reads a string for an operator, or, in anything-but, a list of strings.
func (p *parser) strings(name string, token json.Token, list bool) (t term, err error) {
	if list && token == json.Delim('[') {
		for p.dec.More() {
			one, err := p.strings(name, p.next(), false)
			if err != nil {
				return term{}, err
			}
			t.tests = append(t.tests, one.tests...)
		}
		p.next() // ]
		if len(t.tests) == 0 {
			return term{}, p.fail("anything-but must not have an empty list")
		}
		return t, nil
	}
	text, ok := token.(string)
	if !ok {
		if list {
			return term{}, p.fail("anything-but %s takes a string or a list of strings", name)
		}
		return term{}, p.fail("%s takes a string", name)
	}
	switch name {
	case "prefix":
		return only(p.text(prefix, text)), nil
	case "suffix":
		return only(p.text(suffix, text)), nil
	case "equals-ignore-case":
		return only(folded(exactFold, text)), nil
	case "prefix equals-ignore-case":
		return only(folded(prefixFold, text)), nil
	case "suffix equals-ignore-case":
		return only(folded(suffixFold, text)), nil
	}
	parts, rule := parseWildcard(p.fold(text))
	if rule != "" {
		return term{}, p.fail("%s", rule)
	}
	return only(test{op: wildcard, parts: parts}), nil
}

// text returns a test of a string.
func (p *parser) text(o op, text string) test { return test{op: o, text: p.fold(text)} }

// fold returns a string of the pattern as the event has it: the names of events are in
// lower case.
func (p *parser) fold(text string) string {
	if p.path[0] == members[memberEvent] {
		return strings.ToLower(text)
	}
	return text
}

// numeric reads the list of numeric.
func (p *parser) numeric() (term, error) {
	const rule = "numeric takes pairs of operator and number, such as [\">\", 0, \"<=\", 5]"
	if p.next() != json.Delim('[') {
		return term{}, p.fail(rule)
	}
	var t interval
	for p.dec.More() {
		sign, _ := p.next().(string)
		number, ok := p.next().(json.Number)
		if !ok {
			return term{}, p.fail(rule)
		}
		b := bound{at: decimalOf([]byte(number)), closed: strings.HasSuffix(sign, "="), set: true}
		switch {
		case sign == "=" && !t.low.set && !t.high.set:
			t.low, t.equal = b, true
		case (sign == ">" || sign == ">=") && !t.low.set && !t.high.set:
			t.low = b
		case (sign == "<" || sign == "<=") && !t.high.set && !t.equal:
			t.high = b
		default:
			return term{}, p.fail(rule)
		}
	}
	p.next() // ]
	switch {
	case !t.low.set && !t.high.set:
		return term{}, p.fail(rule)
	case t.low.set && t.high.set && t.low.at.compare(t.high.at) >= 0:
		return term{}, p.fail("the lower bound of numeric must be less than the upper one")
	}
	return only(test{op: numeric, within: &t}), nil
}

// anythingBut reads what anything-but takes.
func (p *parser) anythingBut() (t term, err error) {
	const rule = "anything-but takes a string, a number, a list of either, or an object with equals-ignore-case, prefix, suffix or wildcard"
	t.not = true
	token := p.next()
	if token == json.Delim('{') {
		name, _ := p.next().(string)
		if !slices.Contains([]string{"equals-ignore-case", "prefix", "suffix", "wildcard"}, name) {
			return term{}, p.fail(rule)
		}
		but, err := p.strings(name, p.next(), true)
		if err != nil {
			return term{}, err
		}
		t.tests = but.tests
		for _, one := range t.tests {
			if (one.op == prefix || one.op == suffix) && one.text == "" {
				return term{}, p.fail("anything-but %s must not be empty", name)
			}
		}
		return t, p.close(name)
	}
	if token != json.Delim('[') {
		t.tests = append(t.tests, p.value(token))
	} else {
		for p.dec.More() {
			t.tests = append(t.tests, p.value(p.next()))
		}
		p.next() // ]
	}
	for _, one := range t.tests {
		if one.op == literal || one.op != t.tests[0].op {
			return term{}, p.fail(rule)
		}
	}
	if len(t.tests) == 0 {
		return term{}, p.fail("anything-but must not have an empty list")
	}
	return t, nil
}

// value returns the test for a string or a number, and one with the operator literal
// for anything else.
func (p *parser) value(token json.Token) test {
	switch token := token.(type) {
	case string:
		return p.text(exact, token)
	case json.Number:
		return test{op: numeric, within: &interval{low: bound{at: decimalOf([]byte(token))}, equal: true}}
	case bool:
		return test{op: literal, text: strconv.FormatBool(token)}
	}
	return test{op: literal, text: "null"}
}
