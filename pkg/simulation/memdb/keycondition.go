package memdb

import "slices"

// keyCondition checks that a query may have the condition and returns the
// partition that it names.
func (r *relation) keyCondition(c condition, b bindings) (string, condition, error) {
	if err := c.check(b); err != nil {
		return "", nil, invalid("Invalid KeyConditionExpression: %s", message(err))
	}
	partition, seen := "", make(map[string]bool)
	for _, part := range conjuncts(c) {
		name, err := r.keyPart(part, b)
		if err != nil {
			return "", nil, err
		}
		if seen[name] {
			return "", nil, invalid("KeyConditionExpressions must only contain one condition per key")
		}
		seen[name] = true
		if name != r.pk.Name {
			continue
		}
		equals, ok := part.(comparison)
		if !ok || equals.op != "=" {
			return "", nil, invalid("Query key condition not supported")
		}
		if partition, err = keyText(r.pk, constant(equals.right, b)); err != nil {
			return "", nil, err
		}
	}
	if !seen[r.pk.Name] {
		return "", nil, invalid("Query condition missed key schema element: %s", r.pk.Name)
	}
	return partition, c, nil
}

func conjuncts(c condition) []condition {
	if c, ok := c.(both); ok {
		return append(conjuncts(c.left), conjuncts(c.right)...)
	}
	return []condition{c}
}

// keyPart checks one comparison of a key attribute with constants and returns
// the attribute's name.
func (r *relation) keyPart(c condition, b bindings) (string, error) {
	var left operand
	var right []operand
	switch c := c.(type) {
	case comparison:
		if c.op == "<>" {
			return "", invalid("Invalid operator used in KeyConditionExpression: <>")
		}
		left, right = c.left, []operand{c.right}
	case between:
		left, right = c.value, []operand{c.low, c.high}
	case call:
		if c.function != "begins_with" {
			return "", invalid("Invalid operator used in KeyConditionExpression: %s", c.function)
		}
		left, right = c.args[0], c.args[1:]
	default:
		return "", invalid("Invalid operator used in KeyConditionExpression")
	}
	p, ok := left.(path)
	if !ok || len(p) != 1 {
		return "", invalid("Query key condition not supported")
	}
	name := p.resolve(b)[0].name
	attribute := r.pk
	switch name {
	case r.pk.Name:
	case r.sk.Name:
		attribute = r.sk
	default:
		return "", invalid("Query condition missed key schema element: %s", r.pk.Name)
	}
	for _, o := range right {
		v := constant(o, b)
		if v == nil {
			return "", invalid("Invalid KeyConditionExpression: %s is not compared with a value", name)
		}
		if _, err := keyText(attribute, v); err != nil {
			return "", err
		}
	}
	return name, nil
}

// checkFilter refuses a filter on key attributes.
func (r *relation) checkFilter(c condition, b bindings) error {
	if err := c.check(b); err != nil {
		return invalid("Invalid FilterExpression: %s", message(err))
	}
	for _, p := range pathsOf(c) {
		name := p.resolve(b)[0].name
		if slices.Contains(keyNames(r.pk, r.sk), name) {
			return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
		}
	}
	return nil
}

// pathsOf returns the paths in a condition.
func pathsOf(c condition) []path {
	var operands []operand
	switch c := c.(type) {
	case both:
		return append(pathsOf(c.left), pathsOf(c.right)...)
	case either:
		return append(pathsOf(c.left), pathsOf(c.right)...)
	case negated:
		return pathsOf(c.inner)
	case comparison:
		operands = []operand{c.left, c.right}
	case between:
		operands = []operand{c.value, c.low, c.high}
	case membership:
		operands = append([]operand{c.value}, c.list...)
	case call:
		operands = c.args
	}
	var out []path
	for _, o := range operands {
		if size, ok := o.(sizeOf); ok {
			o = size.operand
		}
		if p, ok := o.(path); ok {
			out = append(out, p)
		}
	}
	return out
}
