package filter

import (
	"slices"
	"strings"
)

// Coverage finds out which of the members that a pattern has values for exist in some
// events. It must not be used concurrently.
type Coverage struct {
	paths  []string
	exists []*Filter // by path; nil once an event has the member
}

// NewCoverage returns the Coverage of a pattern. Its error is that of Compile.
func NewCoverage(source []byte) (*Coverage, error) {
	p, err := parse(source)
	if err != nil {
		return nil, err
	}
	c := &Coverage{}
	for _, combination := range p.combinations {
		for _, f := range combination {
			path := "Filter." + strings.Join(f.path, ".")
			if len(f.terms) == 0 || slices.Contains(c.paths, path) {
				continue
			}
			c.paths = append(c.paths, path)
			c.exists = append(c.exists, build([][]*field{{{path: f.path, terms: []term{only(test{op: exists})}}}}))
		}
	}
	return c, nil
}

// Add looks at an event.
func (c *Coverage) Add(e *Event) {
	for i, f := range c.exists {
		if f != nil && f.Match(e) {
			c.exists[i] = nil
		}
	}
}

// Missing returns the paths of the members that no event has, such as
// Filter.FieldValues.amuont.
func (c *Coverage) Missing() (paths []string) {
	for i, f := range c.exists {
		if f != nil {
			paths = append(paths, c.paths[i])
		}
	}
	return paths
}
