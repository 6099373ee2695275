package memdb

import "slices"

const maxInOperands = 100

// parseCondition parses a condition, key condition or filter expression.
func parseCondition(p *parser) error {
	c, _, err := p.anyOf()
	p.out.condition = c
	return err
}

// anyOf parses allOf (OR allOf)*. The second result reports whether the whole
// was one pair of parentheses, as for the methods below.
func (p *parser) anyOf() (condition, bool, error) {
	left, bracketed, err := p.allOf()
	for err == nil && p.accept("OR") {
		var right condition
		right, _, err = p.allOf()
		left, bracketed = either{left, right}, false
	}
	return left, bracketed, err
}

func (p *parser) allOf() (condition, bool, error) {
	left, bracketed, err := p.term()
	for err == nil && p.accept("AND") {
		var right condition
		right, _, err = p.term()
		left, bracketed = both{left, right}, false
	}
	return left, bracketed, err
}

// term parses NOT term, (anyOf), a function or a comparison.
func (p *parser) term() (condition, bool, error) {
	if p.accept("NOT") {
		inner, _, err := p.term()
		return negated{inner}, false, err
	}
	if p.accept("(") {
		inner, bracketed, err := p.anyOf()
		if err != nil {
			return nil, false, err
		}
		if bracketed {
			return nil, false, invalid("The expression has redundant parentheses;")
		}
		return inner, true, p.expect(")")
	}
	if p.calls() && p.peek() != "size" {
		c, err := p.call()
		return c, false, err
	}
	c, err := p.comparison()
	return c, false, err
}

var arity = map[token]int{
	"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2,
}

// call parses function(operand, …).
func (p *parser) call() (condition, error) {
	function := p.next()
	want, ok := arity[function]
	if !ok {
		return nil, invalid("Invalid function name; function: %s", function)
	}
	args, err := p.operands()
	if err != nil {
		return nil, err
	}
	if len(args) != want {
		return nil, invalid("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", function, len(args))
	}
	if _, isPath := args[0].(path); !isPath && function != "begins_with" && function != "contains" {
		return nil, invalid("Operator or function requires a document path; operator or function: %s", function)
	}
	if _, isValue := args[want-1].(valueRef); !isValue && function == "attribute_type" {
		return nil, invalid("Incorrect operand type for operator or function; operator or function: attribute_type")
	}
	return call{string(function), args}, nil
}

// operands parses (operand, …).
func (p *parser) operands() ([]operand, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var list []operand
	for {
		o, err := p.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
		if !p.accept(",") {
			return list, p.expect(")")
		}
	}
}

func (p *parser) operand() (operand, error) {
	switch {
	case p.peek().isValue():
		return p.valueRef()
	case p.calls():
		if function := p.next(); function != "size" {
			return nil, invalid("The function is not allowed to be used this way in an expression; function: %s", function)
		}
		args, err := p.operands()
		if err == nil && len(args) != 1 {
			err = invalid("Incorrect number of operands for operator or function; operator or function: size, number of operands: %d", len(args))
		}
		if err != nil {
			return nil, err
		}
		return sizeOf{args[0]}, nil
	default:
		return p.path()
	}
}

// comparison parses operand op operand, BETWEEN and IN.
func (p *parser) comparison() (condition, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch op := p.next(); {
	case slices.Contains([]token{"=", "<>", "<", "<=", ">", ">="}, op):
		right, err := p.operand()
		return comparison{string(op), left, right}, err
	case op.is("BETWEEN"):
		low, err := p.operand()
		if err != nil {
			return nil, err
		}
		if err := p.expect("AND"); err != nil {
			return nil, err
		}
		high, err := p.operand()
		return between{left, low, high}, err
	case op.is("IN"):
		list, err := p.operands()
		if err == nil && len(list) > maxInOperands {
			err = invalid("Invalid number of operands for operator: IN, number of operands: %d", len(list))
		}
		return membership{left, list}, err
	default:
		return nil, syntaxError(op)
	}
}
