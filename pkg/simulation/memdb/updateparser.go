package memdb

import "slices"

// parseUpdate parses the clauses SET, REMOVE, ADD and DELETE, each at most
// once.
func parseUpdate(p *parser) error {
	p.out.update = new(update)
	var seen []string
	for p.peek() != end {
		t := p.next()
		i := slices.IndexFunc(clauses, func(c clause) bool { return t.is(c.keyword) })
		if i < 0 {
			return syntaxError(t)
		}
		if slices.Contains(seen, clauses[i].keyword) {
			return invalid("The %q section can only be used once in an update expression;", clauses[i].keyword)
		}
		seen = append(seen, clauses[i].keyword)
		for {
			if err := clauses[i].read(p); err != nil {
				return err
			}
			if !p.accept(",") {
				break
			}
		}
	}
	return nil
}

type clause struct {
	keyword string
	read    func(*parser) error
}

var clauses = []clause{
	{"SET", readSet},
	{"REMOVE", readRemove},
	{"ADD", func(p *parser) error { return readChange(p, &p.out.update.add) }},
	{"DELETE", func(p *parser) error { return readChange(p, &p.out.update.delete) }},
}

func readSet(p *parser) error {
	to, err := p.path()
	if err != nil {
		return err
	}
	if err := p.expect("="); err != nil {
		return err
	}
	from, err := p.source()
	if err != nil {
		return err
	}
	if op := p.peek(); op == "+" || op == "-" {
		p.next()
		right, err := p.source()
		if err != nil {
			return err
		}
		from = sum{from, right, op == "-"}
	}
	p.out.update.set = append(p.out.update.set, assignment{to, from})
	return nil
}

func readRemove(p *parser) error {
	read, err := p.path()
	p.out.update.remove = append(p.out.update.remove, read)
	return err
}

func readChange(p *parser, into *[]change) error {
	at, err := p.path()
	if err != nil {
		return err
	}
	value, err := p.valueRef()
	*into = append(*into, change{at, value})
	return err
}

// source parses a path, a :value, if_not_exists(path, source) or
// list_append(source, source).
func (p *parser) source() (source, error) {
	if p.peek().isValue() {
		v, err := p.valueRef()
		return plain{v}, err
	}
	if !p.calls() {
		at, err := p.path()
		return plain{at}, err
	}
	function := p.next()
	if function != "if_not_exists" && function != "list_append" {
		return nil, invalid("Invalid function name; function: %s", function)
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	first, err := p.source()
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	second, err := p.source()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if function == "list_append" {
		return listAppend{first, second}, nil
	}
	if of, ok := first.(plain); ok {
		if at, ok := of.operand.(path); ok {
			return ifNotExists{at, second}, nil
		}
	}
	return nil, invalid("Operator or function requires a document path; operator or function: if_not_exists")
}
