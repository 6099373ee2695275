package filter

import "strings"

// Filter is a compiled pattern. It is immutable and may be used concurrently.
type Filter struct {
	nodes        []node // the first is the event itself
	combinations uint64 // a bit for each that the pattern has
	bytes        int
}

// node is a place in events that the pattern says something about. Bit i of a mask is
// for the pattern's combination i.
type node struct {
	name     string
	member   member  // of the event, for the children of the first node
	children []int32 // places in nodes
	lists    []list
	// listed has the combinations that list terms here, and lacking those of them
	// that a missing value passes.
	listed, lacking uint64
	// missing has the combinations that pass here and below if the place is missing
	// from the event, below those that pass if all children are.
	missing, below uint64
}

// list is a list of terms, one of which a value must pass.
type list struct {
	mask  uint64
	terms []term
}

// Compile compiles a pattern. Its error is an *Error, for the first fault.
func Compile(source []byte) (*Filter, error) {
	p, err := parse(source)
	if err != nil {
		return nil, err
	}
	return build(p.combinations), nil
}

// Bytes estimates the filter's memory.
func (f *Filter) Bytes() int { return f.bytes }

// Members returns the members of events that the pattern has terms about, each once.
func (f *Filter) Members() []string {
	var names []string
	for _, c := range f.nodes[0].children {
		names = append(names, f.nodes[c].name)
	}
	return names
}

// build makes a filter of combinations.
func build(combinations [][]*field) *Filter {
	b := &Filter{nodes: make([]node, 1), combinations: ^uint64(0) >> (MaxCombinations - len(combinations))}
	masks := map[*field]uint64{}
	var fields []*field // in the order of the pattern
	for i, combination := range combinations {
		for _, f := range combination {
			if masks[f] == 0 {
				fields = append(fields, f)
			}
			masks[f] |= 1 << i
		}
	}
	for _, f := range fields {
		b.add(f, masks[f])
	}
	b.finish(0)
	b.bytes = b.size()
	return b
}

// add adds a field to its node.
func (f *Filter) add(from *field, mask uint64) {
	at := int32(0)
	for depth, name := range from.path {
		at = f.child(at, name, depth == 0)
	}
	n := &f.nodes[at]
	n.listed |= mask
	if from.absent {
		n.lacking |= mask
	}
	if len(from.terms) > 0 {
		n.lists = append(n.lists, list{mask, from.terms})
	}
}

// child returns the child of a node with a name.
func (f *Filter) child(of int32, name string, ofEvent bool) int32 {
	for _, c := range f.nodes[of].children {
		if f.nodes[c].name == name {
			return c
		}
	}
	c := int32(len(f.nodes))
	n := node{name: name}
	if ofEvent {
		n.member = memberNamed(name)
	}
	f.nodes = append(f.nodes, n)
	f.nodes[of].children = append(f.nodes[of].children, c)
	return c
}

// finish fills in what a node says about missing values.
func (f *Filter) finish(at int32) {
	n := &f.nodes[at]
	n.below = ^uint64(0)
	for _, c := range n.children {
		f.finish(c)
		n.below &= f.nodes[c].missing
	}
	n.missing = n.below & (n.lacking | ^n.listed)
}

// size estimates the memory of the filter.
func (f *Filter) size() int {
	const perNode, perList, perTerm, perTest, perInterval, perNetwork = 120, 32, 32, 80, 112, 40
	size := perNode * (len(f.nodes) + 1)
	for i := range f.nodes {
		n := &f.nodes[i]
		size += len(n.name) + 4*len(n.children) + perList*len(n.lists)
		for _, l := range n.lists {
			for _, t := range l.terms {
				size += perTerm
				for _, one := range t.tests {
					size += perTest + len(one.text) + len(one.upper)
					if one.within != nil {
						size += perInterval + len(one.within.low.at.digits) + len(one.within.high.at.digits)
					}
					if one.network != nil {
						size += perNetwork
					}
					for _, part := range one.parts {
						size += 24 + len(part)
					}
				}
			}
		}
	}
	return size
}

// Refusal returns the path of the first list of a pattern that the event does not
// pass, such as "Filter.FieldValues.amount". If there are several combinations, it is
// that of the one that comes closest. "Filter" means that the event passes each list,
// and that no one element of an array passes all those that are about it. The event
// must be one that the pattern does not pass.
func Refusal(source []byte, e *Event) (string, error) {
	p, err := parse(source)
	if err != nil {
		return "", err
	}
	path, fewest := "Filter", -1
	for _, combination := range p.combinations {
		var refusing []*field
		for _, f := range combination {
			if !build([][]*field{{f}}).Match(e) {
				refusing = append(refusing, f)
			}
		}
		if fewest >= 0 && len(refusing) >= fewest {
			continue
		}
		path, fewest = "Filter", len(refusing)
		if fewest > 0 {
			path += "." + strings.Join(refusing[0].path, ".")
		}
	}
	return path, nil
}
