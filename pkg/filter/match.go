package filter

import (
	"slices"
	"strconv"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// member is a member of an event.
type member uint8

const (
	memberEvent member = iota
	memberEntity
	memberPrimaryKey
	memberKey
	memberChanges
	memberChangedBy
	memberSource
	memberFieldValues
	memberValues
	memberPrevious
)

// members are the members of events as patterns name them.
var members = [...]string{
	memberEvent: "Event", memberEntity: "Entity", memberPrimaryKey: "PrimaryKey", memberKey: "Key", memberChanges: "Changes",
	memberChangedBy: "ChangedByAssociateId", memberSource: "Source", memberFieldValues: "FieldValues", memberValues: "Values", memberPrevious: "Previous",
}

func memberNamed(name string) member { return member(slices.Index(members[:], name)) }

// holdsObject reports whether the member is a JSON object.
func holdsObject(name string) bool { return memberNamed(name) >= memberFieldValues }

// outcome has, for each combination, whether a place in the event and everything below
// it passes. chosen: because of a value that a term holds for. missing: only because
// there are no values where there must be none. The two differ for arrays: one element
// is chosen, and what must be missing must be missing from that one, or, if none is
// chosen, from all.
type outcome struct{ chosen, missing uint64 }

// run is one call of Match.
type run struct {
	nodes    []node
	outcomes []outcome // by node: that of the object that is being read
	text     []byte    // holds a string or name without its escapes
	steps    int
}

var runs = sync.Pool{New: func() any { return new(run) }}

// maxKept bounds the buffers that wait for the next call.
const maxKept = 64 << 10

// Match reports whether the event passes.
func (f *Filter) Match(e *Event) bool {
	r, _ := runs.Get().(*run)
	passes := r.match(f, e)
	r.nodes = nil
	if cap(r.text) > maxKept {
		r.text = nil
	}
	runs.Put(r)
	return passes
}

func (r *run) match(f *Filter, e *Event) bool {
	r.nodes, r.steps = f.nodes, 0
	if cap(r.outcomes) < len(f.nodes) {
		r.outcomes = make([]outcome, len(f.nodes))
	}
	r.outcomes = r.outcomes[:len(f.nodes)]
	o := r.event(e)
	return (o.chosen|o.missing)&f.combinations != 0 || r.steps > maxSteps
}

func (r *run) event(e *Event) outcome {
	top := &r.nodes[0]
	for _, c := range top.children {
		n := &r.nodes[c]
		o := outcome{missing: n.missing}
		switch n.member {
		case memberEvent:
			o = r.word(n, e.Event)
		case memberEntity:
			o = r.word(n, e.Entity)
		case memberKey:
			o = r.word(n, e.Key)
		case memberSource:
			o = r.word(n, e.Source)
		case memberPrimaryKey:
			o = r.number(n, e.PrimaryKey)
		case memberChangedBy:
			o = r.number(n, e.ChangedByAssociateId)
		case memberChanges:
			if len(e.Changes) == 0 {
				break
			}
			o = outcome{missing: ^uint64(0)}
			for _, name := range e.Changes {
				o = o.or(r.word(n, name))
			}
		case memberFieldValues:
			_, o = r.value(e.FieldValues, 0, c, 0)
		case memberValues:
			_, o = r.value(e.Values, 0, c, 0)
		case memberPrevious:
			_, o = r.value(e.Previous, 0, c, 0)
		}
		r.outcomes[c] = o
	}
	return r.all(top)
}

// or is for the elements of an array: one is chosen, and what is missing is missing
// from all.
func (o outcome) or(p outcome) outcome {
	return outcome{o.chosen | p.chosen, o.missing & p.missing}
}

// all joins the outcomes of the children of an object.
func (r *run) all(n *node) outcome {
	passed, missing, chosen := ^uint64(0), ^uint64(0), uint64(0)
	for _, c := range n.children {
		o := r.outcomes[c]
		passed &= o.chosen | o.missing
		missing &= o.missing
		chosen |= o.chosen
	}
	here := n.lacking | ^n.listed // an object is not a value
	return outcome{passed & chosen & here, missing & here}
}

// word is the outcome of a string member of the event; the empty one is missing.
func (r *run) word(n *node, text string) outcome {
	if text == "" {
		return outcome{missing: n.missing}
	}
	r.text = append(r.text[:0], text...)
	return r.scalar(n, &scalar{kind: aString, text: r.text})
}

func (r *run) number(n *node, value int32) outcome {
	r.text = strconv.AppendInt(r.text[:0], int64(value), 10)
	return r.scalar(n, &scalar{kind: aNumber, text: r.text, number: decimalOf(r.text)})
}

// scalar is the outcome of a value that is neither object nor array.
func (r *run) scalar(n *node, v *scalar) outcome {
	o := outcome{missing: n.below &^ n.listed}
	for i := range n.lists {
		l := &n.lists[i]
		for k := range l.terms {
			t := &l.terms[k]
			if r.steps += len(t.tests) * (1 + len(v.text)/64); r.steps > maxSteps {
				return o
			}
			if t.holds(v) {
				o.chosen |= l.mask
				break
			}
		}
	}
	return o
}

// value reads the value that begins at i and returns its end. What is not JSON, or
// nested deeper than accepted events are, is missing.
func (r *run) value(raw []byte, i int, at int32, depth int) (end int, o outcome) {
	n := &r.nodes[at]
	i = jsonscan.SkipSpace(raw, i)
	if i >= len(raw) || depth > jsonscan.MaxDepth {
		return jsonscan.SkipValue(raw, i), outcome{missing: n.missing}
	}
	switch raw[i] {
	case '{':
		return r.object(raw, i+1, n, depth+1)
	case '[':
		return r.array(raw, i+1, at, depth+1)
	case '"':
		end = jsonscan.SkipValue(raw, i)
		return end, r.scalar(n, &scalar{kind: aString, text: r.decoded(raw[i:end])})
	}
	end = jsonscan.SkipValue(raw, i)
	v := scalar{kind: aLiteral, text: raw[i:end]}
	if raw[i] == '-' || '0' <= raw[i] && raw[i] <= '9' {
		v.kind, v.number = aNumber, decimalOf(v.text)
	}
	return end, r.scalar(n, &v)
}

// array reads the rest of an array.
func (r *run) array(raw []byte, i int, at int32, depth int) (end int, o outcome) {
	o = outcome{missing: ^uint64(0)}
	empty := true
	for i = jsonscan.SkipSpace(raw, i); i < len(raw) && raw[i] != ']'; i = jsonscan.SkipSpace(raw, i) {
		if raw[i] == ',' {
			i++
		}
		start := i
		var one outcome
		if i, one = r.value(raw, i, at, depth); i == start || r.steps > maxSteps {
			return len(raw), o
		}
		o, empty = o.or(one), false
	}
	if empty {
		o.missing = r.nodes[at].missing
	}
	return min(i+1, len(raw)), o
}

// object reads the rest of an object. Of members with one name the last counts, as in
// most readers.
func (r *run) object(raw []byte, i int, n *node, depth int) (end int, o outcome) {
	for _, c := range n.children {
		r.outcomes[c] = outcome{missing: r.nodes[c].missing}
	}
	for i = jsonscan.SkipSpace(raw, i); i < len(raw) && raw[i] != '}'; i = jsonscan.SkipSpace(raw, i) {
		if raw[i] == ',' {
			i = jsonscan.SkipSpace(raw, i+1)
		}
		start := i
		i = jsonscan.SkipValue(raw, i)
		if i >= len(raw) || i == start || raw[start] != '"' {
			return len(raw), r.all(n)
		}
		c := r.find(n, r.decoded(raw[start:i]))
		i = jsonscan.SkipSpace(raw, jsonscan.SkipSpace(raw, i)+1) // past the colon
		if c < 0 {
			i = jsonscan.SkipValue(raw, i)
			continue
		}
		if i, r.outcomes[c] = r.value(raw, i, c, depth); r.steps > maxSteps {
			return len(raw), o
		}
	}
	return min(i+1, len(raw)), r.all(n)
}

// find returns the child of a node with a name, -1 if it has none.
func (r *run) find(n *node, name []byte) int32 {
	r.steps += len(n.children) / 16
	for _, c := range n.children {
		if string(name) == r.nodes[c].name {
			return c
		}
	}
	return -1
}
