package memdb

import (
	"slices"
	"strconv"
)

// expression is a parsed expression of any kind. It is immutable and shared by
// calls with the same expression.
type expression struct {
	names  []string // the #names it uses
	values []string // the :values it uses

	condition condition
	update    *update
	paths     []path
}

const maxExpressionBytes = 4 << 10

// parser is a recursive-descent parser of expressions.
type parser struct {
	tokens []token
	out    *expression
}

// parse parses text with the rule for its kind of expression.
func parse(text string, rule func(*parser) error) (*expression, error) {
	if text == "" {
		return nil, invalid("The expression can not be empty;")
	}
	if len(text) > maxExpressionBytes {
		return nil, invalid("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	tokens, err := split(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, out: new(expression)}
	if err := rule(p); err != nil {
		return nil, err
	}
	if p.peek() != end {
		return nil, syntaxError(p.peek())
	}
	return p.out, nil
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return end
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if t != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept consumes the next token if it is the keyword or symbol.
func (p *parser) accept(keyword string) bool {
	if !p.peek().is(keyword) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(keyword string) error {
	if !p.accept(keyword) {
		return syntaxError(p.peek())
	}
	return nil
}

// calls reports whether a function name and its parenthesis come next.
func (p *parser) calls() bool {
	return len(p.tokens) > 1 && p.tokens[0].isIdentifier() && p.tokens[1] == "("
}

// path parses a document path: name(.name|[index])*.
func (p *parser) path() (path, error) {
	var out path
	for {
		t := p.next()
		switch {
		case t.isName():
			p.out.names = append(p.out.names, string(t))
		case !t.isIdentifier():
			return nil, syntaxError(t)
		case isReserved(string(t)):
			return nil, invalid("Attribute name is a reserved keyword; reserved keyword: %s", t)
		}
		out = append(out, step{name: string(t)})
		for p.accept("[") {
			t := p.next()
			index, err := strconv.Atoi(string(t))
			if !t.isIndex() || err != nil {
				return nil, syntaxError(t)
			}
			out = append(out, step{index: index, isIndex: true})
			if err := p.expect("]"); err != nil {
				return nil, err
			}
		}
		if !p.accept(".") {
			return out, nil
		}
	}
}

// valueRef parses a :value.
func (p *parser) valueRef() (valueRef, error) {
	t := p.next()
	if !t.isValue() {
		return "", syntaxError(t)
	}
	p.out.values = append(p.out.values, string(t))
	return valueRef(t), nil
}

// parseProjection parses path(, path)*.
func parseProjection(p *parser) error {
	for {
		read, err := p.path()
		if err != nil {
			return err
		}
		p.out.paths = append(p.out.paths, read)
		if !p.accept(",") {
			return nil
		}
	}
}

// bindings holds the #names and :values that a request defines for its
// expressions.
type bindings struct {
	names  map[string]string
	values Item
}

// bind checks that a request defines exactly the names and values that its
// expressions use. It copies the values. Absent expressions are nil.
func bind(names map[string]string, values Item, used ...*expression) (bindings, error) {
	used = slices.DeleteFunc(used, func(e *expression) bool { return e == nil })
	switch {
	case names != nil && len(names) == 0:
		return bindings{}, invalid("ExpressionAttributeNames must not be empty")
	case values != nil && len(values) == 0:
		return bindings{}, invalid("ExpressionAttributeValues must not be empty")
	case len(used) == 0 && names != nil:
		return bindings{}, invalid("ExpressionAttributeNames can only be specified when using expressions")
	case len(used) == 0 && values != nil:
		return bindings{}, invalid("ExpressionAttributeValues can only be specified when using expressions")
	}
	for _, e := range used {
		for _, n := range e.names {
			if _, ok := names[n]; !ok {
				return bindings{}, invalid("An expression attribute name used in the document path is not defined; attribute name: %s", n)
			}
		}
		for _, v := range e.values {
			if _, ok := values[v]; !ok {
				return bindings{}, invalid("An expression attribute value used in expression is not defined; attribute value: %s", v)
			}
		}
	}
	if unused := unusedKey(names, used, func(e *expression) []string { return e.names }); unused != "" {
		return bindings{}, invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", unused)
	}
	if unused := unusedKey(values, used, func(e *expression) []string { return e.values }); unused != "" {
		return bindings{}, invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", unused)
	}
	taken, err := takeItem(values)
	if err != nil {
		return bindings{}, err
	}
	return bindings{names: names, values: taken}, nil
}

// unusedKey returns the first key, in order, that no expression uses, or "".
func unusedKey[V any](given map[string]V, used []*expression, of func(*expression) []string) string {
	unused := ""
	for key := range given {
		isUsed := slices.ContainsFunc(used, func(e *expression) bool { return slices.Contains(of(e), key) })
		if !isUsed && (unused == "" || key < unused) {
			unused = key
		}
	}
	return unused
}
