package template

// Coverage finds out which of the members that a template's paths lead to exist in some
// events: in FieldValues, Values and Previous. It must not be used concurrently.
type Coverage struct {
	template *Template
	exists   []bool // by node
}

// NewCoverage returns the Coverage of a document. Its error is that of Compile.
func NewCoverage(document []byte) (*Coverage, error) {
	t, err := Compile(document)
	if err != nil {
		return nil, err
	}
	return &Coverage{t, make([]bool, len(t.nodes))}, nil
}

// Add looks for the members in an event.
func (c *Coverage) Add(e *Event) {
	for at, value := range c.template.values(e) {
		c.exists[at] = c.exists[at] || value != nil
	}
}

// Missing returns the paths to members that no event has, such as
// Template.FieldValues.amuont.
func (c *Coverage) Missing() (paths []string) {
	for _, member := range c.template.nodes[0].children {
		for _, below := range c.template.nodes[member].children {
			paths = c.missing(paths, below, "Template."+c.template.nodes[member].name)
		}
	}
	return paths
}

// missing adds the paths at a node and below.
func (c *Coverage) missing(paths []string, at int32, parent string) []string {
	n := &c.template.nodes[at]
	path := parent + "." + n.name
	if !c.exists[at] && len(n.children) == 0 {
		return append(paths, path)
	}
	for _, below := range n.children {
		paths = c.missing(paths, below, path)
	}
	return paths
}
